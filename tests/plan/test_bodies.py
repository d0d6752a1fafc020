"""Bodies of requests, taken apart again by parsers that are not ours."""

from contextlib import closing

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.datastructures import MultiDict
from werkzeug.formparser import FormDataParser
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request

from bff.errors import Unfillable
from bff.plan.bodies import ENCODERS, encode_form, encode_json, encode_multipart

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
# werkzeug takes a backslash for an escape, where browsers write it as it is
NAMES = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\\"), min_size=1, max_size=20
)
SCALARS = TEXT | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False)
FILES = st.fixed_dictionaries(
    {"filename": NAMES, "content": TEXT}, optional={"type": st.just("text/csv")}
)


def parsed(media_type, body):
    """What a server gets: its fields, and its files as (filename, type, content)."""
    builder = EnvironBuilder(method="POST", data=body, content_type=media_type)
    request = Request(builder.get_environ())
    parser = FormDataParser(silent=False)
    _, fields, files = parser.parse(
        request.stream, request.mimetype, len(body), request.mimetype_params
    )
    got = {name: [_read(each) for each in files.getlist(name)] for name in files}
    return fields, got


def _read(file):
    with closing(file):
        return file.filename, file.mimetype, file.read().decode()


def written(value):
    """A scalar as text, as templates write it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def seen(name):
    """A name as werkzeug reads it back: it decodes the quote, as browsers' servers do."""
    return name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A").replace("%22", '"')


@given(st.dictionaries(NAMES, SCALARS | FILES, max_size=5))
def test_multipart_is_read_back(value):
    if len({seen(name) for name in value}) < len(value):
        return
    fields, files = parsed(*encode_multipart(value))
    assert fields == MultiDict(
        {seen(name): written(each) for name, each in value.items() if not isinstance(each, dict)}
    )
    assert files == {
        seen(name): [
            (seen(each["filename"]), each.get("type", "application/octet-stream"), each["content"])
        ]
        for name, each in value.items()
        if isinstance(each, dict)
    }


@given(NAMES, TEXT)
def test_no_name_adds_a_line(name, content):
    _, body = encode_multipart({name: {"filename": name, "content": content}})
    head, _, rest = body.partition(b"\r\n\r\n")
    assert len(head.split(b"\r\n")) == 3  # the boundary, the disposition, the type
    assert head.count(b"\n") == 2
    assert head.count(b'"') == 4
    assert rest.startswith(content.encode() + b"\r\n--")


def test_multipart_that_holds_its_own_syntax():
    value = {
        "a": '--x\r\nContent-Disposition: form-data; name="b"\r\n\r\nevil\r\n--x--',
        'q"; filename="evil': "plain",
        "line\r\nX-Evil: 1": "broken",
        "f": {"filename": 'a"b\r\nc', "type": "text/plain; charset=utf-8", "content": "\r\n--\r\n"},
    }
    fields, files = parsed(*encode_multipart(value))
    assert fields == MultiDict(
        {"a": value["a"], 'q"; filename="evil': "plain", "line%0D%0AX-Evil: 1": "broken"}
    )
    assert files == {"f": [('a"b%0D%0Ac', "text/plain", "\r\n--\r\n")]}


def test_equal_multiparts_are_equal_bytes_and_others_are_not():
    first, second = encode_multipart({"a": "1"}), encode_multipart({"a": "1"})
    assert first == second
    assert first[0] != encode_multipart({"a": "2"})[0]


def test_null_is_left_out_of_a_multipart():
    assert parsed(*encode_multipart({"a": None, "b": "", "c": 0}))[0] == MultiDict(
        {"b": "", "c": "0"}
    )


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        "text",
        {"a": [1]},
        {"a": {}},
        {"a": {"filename": None, "content": "x"}},
        {"a": {"content": "x"}},
        {"a": {"filename": "x"}},
        {"a": {"filename": "x", "content": ["x"]}},
        {"a": {"filename": "x", "content": "x", "type": "text/plain\r\nX-Evil: 1"}},
        {"a": {"filename": "x", "content": "x", "type": {"S3CRET": 1}}},
    ],
)
def test_what_is_no_multipart(value):
    with pytest.raises(Unfillable) as caught:
        encode_multipart(value)
    assert "S3CRET" not in str(caught.value)


@given(st.dictionaries(TEXT, SCALARS | st.lists(SCALARS, max_size=3) | st.none(), max_size=5))
def test_a_form_is_read_back(value):
    fields, _ = parsed(*encode_form(value))
    wanted = {
        name: [
            written(each)
            for each in (values if isinstance(values, list) else [values])
            if each is not None
        ]
        for name, values in value.items()
    }
    assert dict(fields.lists()) == {name: values for name, values in wanted.items() if values}


@pytest.mark.parametrize("value", [None, [], "a=b", 7, {"a": {"b": 1}}, {"a": [[1]]}, {"a": [{}]}])
def test_what_is_no_form(value):
    with pytest.raises(Unfillable):
        encode_form(value)


@pytest.mark.parametrize("value", [None, 1, "ö", [1, {"a": None}], {"b": 1, "a": [True]}])
def test_json_is_read_back(value):
    media_type, body = encode_json(value)
    assert media_type == "application/json"
    assert orjson.loads(body) == value


@pytest.mark.parametrize("value", [{1, 2}, {"a": object()}, [2**70, {1, 2}]], ids=range(3))
@pytest.mark.parametrize("kind", ["json", "json_with"])
def test_what_json_cannot_hold_is_said_in_our_words(kind, value):
    with pytest.raises(Unfillable):
        ENCODERS[kind](value)


@pytest.mark.parametrize("kind", ["json", "json_with"])
def test_json_keeps_long_integers_and_halves_of_surrogate_pairs(kind):
    assert ENCODERS[kind]({"id": 2**70, "text": "cut \ud83d"}) == (
        "application/json",
        b'{"id":1180591620717411303424,"text":"cut \\ud83d"}',
    )


@pytest.mark.parametrize("name", ["filename", "type", "content"])
def test_what_a_part_cannot_hold_is_said_in_our_words(name):
    value = {"filename": "x", "type": "text/plain", "content": "x", name: "\ud83d"}
    for part in (value, "\ud83d"):
        with pytest.raises(Unfillable):
            encode_multipart({"file": part})
    with pytest.raises(Unfillable):
        encode_multipart({"\ud83d": "x"})


def test_every_kind_of_body_has_an_encoder():
    assert set(ENCODERS) == {"json", "json_with", "form", "multipart"}
