"""Templates: no value leaves its place in a path, a query or a header."""

from urllib.parse import parse_qsl, unquote

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bff.errors import ConfigError, Unfillable
from bff.model.source import Place, Source
from bff.plan.template import (
    PathTemplate,
    Template,
    encode_query,
    has_dots,
    header_value,
    parse,
)
from bff.plan.tree import fill_tree
from tests.examples import examples

PLACE = Place("t.yaml")
# All of Unicode: half surrogates, controls and private use are in it.
ANY = st.text(st.characters(codec=None), max_size=12)
NASTY = st.lists(
    st.sampled_from(
        [
            "..",
            ".",
            "/",
            "\\",
            "%2e",
            "%2F",
            "%",
            ";",
            "?",
            "#",
            "&",
            "=",
            "+",
            " ",
            "\r\n",
            "\x00",
            "\x7f",
            "\x85",
            "é",
            "\u2028",
            "�",
            "�",
            "😀",
            "{",
            "}",
            "a",
            ":",
            "@",
        ]
    ),
    max_size=6,
).map("".join)
VALUE = ANY | NASTY
UNRESERVED = set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~%")


def path(text, **scope):
    return PathTemplate(Source(text, PLACE)).fill(scope)


def template(text, **scope):
    return Template(Source(text, PLACE)).value(scope)


def is_text(value):
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


@settings(max_examples=examples(1000))
@given(VALUE, VALUE)
@example("..", "x")
@example("%2e%2e", "..")
@example("\ud800", "x")
def test_a_path_has_the_segments_of_its_template_or_is_not_made(one, two):
    try:
        filled = path("/users/{one}/x-{two}/end", one=one, two=two)
    except Unfillable:
        assert not one or not two or not is_text(one + two) or has_dots(one) or has_dots(f"x-{two}")
        return
    segments = filled.split("/")
    assert set(filled) <= UNRESERVED | {"/"}
    assert [unquote(each, errors="strict") for each in segments] == [
        *("", "users", one, f"x-{two}", "end")
    ]
    assert not {".", ".."} & {unquote(each) for each in segments}


@settings(max_examples=examples(1000))
@given(VALUE, VALUE)
def test_two_values_of_one_segment_never_make_a_dot_segment(one, two):
    try:
        filled = path("/a/{one}{two}/b", one=one, two=two)
    except Unfillable:
        return
    first, a, segment, b = filled.split("/")
    assert (first, a, b) == ("", "a", "b")
    assert unquote(segment, errors="strict") == one + two
    assert one + two not in {".", ".."}


@settings(max_examples=examples(1000))
@given(st.lists(st.tuples(st.sampled_from(["q", "a&b", "x=y", "é"]), VALUE), max_size=4))
def test_a_query_has_the_parameters_of_its_template_or_is_not_made(pairs):
    try:
        query = encode_query(pairs)
    except Unfillable:
        assert not all(is_text(value) for _, value in pairs)
        return
    assert set(query) <= UNRESERVED | set("&=")
    # `+` is never written for a blank, so the strictest reading is the right one
    assert (query.split("&") if query else []) == [
        f"{name}={value}" for name, value in (each.split("=") for each in query.split("&") if each)
    ]
    decoded = parse_qsl(query.replace("+", "%2B"), keep_blank_values=True, errors="strict")
    assert decoded == pairs


@settings(max_examples=examples(1000))
@given(VALUE)
@example("\r\nX-Evil: 1")
@example("ok\r")
@example("\u3000wide")
@example("\ud800")
def test_a_header_is_its_value_without_blanks_around_it_or_is_not_made(value):
    try:
        text = header_value(value, "x-a")
    except Unfillable:
        assert not is_text(value) or any(each < " " or each == "\x7f" for each in value)
        return
    assert text == value.strip(" \t")
    text.encode("utf-8", "surrogateescape")  # as it is sent: bytes of a client stay what they were
    assert not any(each < " " or each == "\x7f" for each in text)


@pytest.mark.parametrize(
    ("text", "scope", "filled"),
    [
        ("/", {}, "/"),
        ("/a/", {}, "/a/"),
        ("/a//b", {}, "/a//b"),
        ("/{x}/", {"x": "1"}, "/1/"),
        ("/{x}{y}", {"x": "1", "y": 2}, "/12"),
        ("/a;v=1/{x}.json", {"x": "é"}, "/a;v=1/%C3%A9.json"),
        ("/a%20b/{x}", {"x": True}, "/a%20b/true"),
        ("/{x}", {"x": 1.5}, "/1.5"),
        ("/{x}", {"x": 0}, "/0"),
        ("/{x}", {"x": "..."}, "/..."),
        ("/{x}", {"x": "a/..b"}, "/a%2F..b"),
        ("/{x.y || 'none'}", {"x": {}}, "/none"),
        ("/{join(`, `, ['{', '}'])}", {}, "/%7B%2C%20%7D"),
    ],
)
def test_paths(text, scope, filled):
    text = text.replace("`, `", "', '")
    assert path(text, **scope) == filled


NEVER = [None, "", [], ["a"], {}, {"a": 1}, ".", ".."]
# a server that decodes before it looks for dot segments would leave the place of the value
NEVER += ["a/../b", "%2e%2e", "%252E.", "..;", "x\\..", "../admin", "a%2f..%2fb"]


@pytest.mark.parametrize("value", NEVER)
def test_what_is_no_segment_is_never_sent(value):
    with pytest.raises(Unfillable):
        path("/users/{x}", x=value)


@pytest.mark.parametrize(
    ("text", "value"), [("/.{x}", "."), ("/%2e{x}", "."), ("/{x}%2E", "."), ("/.%2{x}", "e")]
)
def test_a_value_cannot_complete_a_dot_segment(text, value):
    try:
        made = PathTemplate(Source(text, PLACE))
    except ConfigError:
        return
    with pytest.raises(Unfillable):
        made.fill({"x": value})


@pytest.mark.parametrize("text", ["/a%{x}", "/a%2{x}", "/100%", "/%zz", "/%2/a"])
def test_a_percent_sign_that_encodes_nothing_is_refused_at_load(text):
    # a value could complete `%2` to a slash; and httpx writes a lone `%` as `%25`
    with pytest.raises(ConfigError):
        PathTemplate(Source(text, PLACE))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("/a?b=c", "has a query"),
        ("/a#b", "has a query"),
        ("/../a", "dot segment"),
        ("/a/.", "dot segment"),
        ("/%2e%2E/a", "dot segment"),
        ("/a b", "must be encoded"),
        ("/é", "must be encoded"),
        ("/a\r\n", "must be encoded"),
        ("/{x", "without its `}`"),
        ("/x}", "without a `{`"),
        ("/{}", "is not a JMESPath expression"),
        ("/{a b}", "is not a JMESPath expression"),
        ("/{'}'", "without its `}`"),
    ],
)
def test_paths_that_cannot_be(text, told):
    with pytest.raises(ConfigError, match=told):
        PathTemplate(Source(text, PLACE))


@pytest.mark.parametrize(
    ("pairs", "query"),
    [
        ([], ""),
        ([("a", None)], ""),
        ([("a", "")], "a="),
        ([("a", [])], ""),
        ([("a", ["x", None, "y"])], "a=x&a=y"),
        ([("a", 1), ("b", True), ("c", False), ("d", 2.5)], "a=1&b=true&c=false&d=2.5"),
        ([("a b", "c+d&e=f")], "a%20b=c%2Bd%26e%3Df"),
    ],
)
def test_queries(pairs, query):
    assert encode_query(pairs) == query


@pytest.mark.parametrize("value", [{}, {"a": 1}, [["a"]], [{"a": 1}]])
def test_what_is_no_query_value_is_never_sent(value):
    with pytest.raises(Unfillable):
        encode_query([("a", value)])


def test_an_integer_that_python_does_not_write_is_never_sent():
    for value in (10**4300, -(10**5000), [1, 10**4300]):
        with pytest.raises(Unfillable, match="digits"):
            encode_query([("a", value)])


@pytest.mark.parametrize("value", ["a\r\nb", "a\nb", "a\0b", "a\x7fb", "a\tb", ["a"], {}, None])
def test_what_is_no_header_value_is_never_sent(value):
    with pytest.raises(Unfillable):
        header_value(value, "x-a")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{x}", [1, {"a": None}]),
        ("{ x }", [1, {"a": None}]),
        ("plain", "plain"),
        ("", ""),
        ("a {n} b", "a 7 b"),
        ("{n}{n}", "77"),
        ("{x[1].{k: a}}", {"k": None}),
        ("{'}'}", "}"),
        ('{n > `5`} {`{"a": 1}`.a}', "true 1"),
    ],
)
def test_a_lone_expression_keeps_its_type(text, value):
    assert template(text, x=[1, {"a": None}], n=7) == value


def test_null_inside_text_is_never_written_as_none():
    with pytest.raises(Unfillable, match="null"):
        template("id-{x}", x=None)


def test_a_filled_tree_is_a_copy():
    tree = {"a": [Template(Source("{x}", PLACE)), 1, None], "b": {"c": True}}
    assert fill_tree(tree, {"x": {"y": 2}}) == {"a": [{"y": 2}, 1, None], "b": {"c": True}}
    assert isinstance(tree["a"][0], Template)


# jmespath warns of a literal that is not JSON, and reads it as text
@pytest.mark.filterwarnings("ignore:deprecated string literal:PendingDeprecationWarning")
@given(st.text("{}'\"`\\ab. ", max_size=12))
def test_any_text_is_a_template_or_a_config_error(text):
    try:
        parts = parse(Source(text, PLACE))
    except ConfigError:
        return
    assert all(not isinstance(each, str) or not set("{}") & set(each) for each in parts)
