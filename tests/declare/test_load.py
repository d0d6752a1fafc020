"""YAML files become nodes: YAML 1.2's scalars, places, references, and nothing clever."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bff.declare.load import load, parse
from bff.errors import ConfigError


def plain(text, **environ):
    return parse(text, "f.yaml", environ).plain


def problem_of(text, **environ):
    with pytest.raises(ConfigError) as error:
        parse(text, "f.yaml", environ)
    return error.value.problems[0]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("NO", "NO"),
        ("yes", "yes"),
        ("on", "on"),
        ("1:30", "1:30"),
        ("2026-01-01", "2026-01-01"),
        ("0o17", 15),
        ("0x1F", 31),
        ("017", 17),
        ("1_000", "1_000"),
        ("-7", -7),
        ("+7", 7),
        ("1.5", 1.5),
        (".5", 0.5),
        ("5.", 5.0),
        ("1e3", 1000.0),
        ("~", None),
        ("null", None),
        ("Null", None),
        ("nULL", "nULL"),
        ("true", True),
        ("FALSE", False),
        ("tRUE", "tRUE"),
        ('"true"', "true"),
        ("'7'", "7"),
        ('"~"', "~"),
        ("800ms", "800ms"),
        ("1 2", "1 2"),
        ("<<", "<<"),
        ("=", "="),
        ("|\n  7\n", "7\n"),
        (">-\n  true\n", "true"),
    ],
)
def test_scalars_are_yaml_1_2(text, value):
    found = plain(f"a: {text}")["a"]
    assert (found, type(found)) == (value, type(value))


def test_an_empty_value_is_null_and_an_empty_text_is_text():
    assert plain("a:\nb: ''") == {"a": None, "b": ""}


@pytest.mark.parametrize("number", ["9" * 5000, "-" + "9" * 5000, "0x" + "f" * 5000])
def test_a_number_beyond_all_bounds_is_a_problem_or_a_value(number):
    try:
        plain(f"a: {number}")
    except ConfigError as error:
        (problem,) = error.problems
        assert problem.place.line == 1


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("a: 1\nb:\n  c: [1, *x]\nx: &x 2\n", 3, 10),
        ("a: &x 1\nb: *x\n", 2, 4),
        ("a: &x {b: 1}\nc: {<<: *x}\n", 2, 9),
        ("a: &x [*x]\n", 1, 8),
        ("a: !mine 1\n", 1, 4),
        ("a: !!python/object:os.system ls\n", 1, 4),
        ("a: !!int '7'\n", 1, 4),
        ("a: !!str 7\n", 1, 4),
        ("a: !mine {b: 1}\n", 1, 4),
        ("a: !!set {b}\n", 1, 4),
        ("a: !mine [1]\n", 1, 4),
        ("a: 1\nb: 2\na: 3\n", 3, 1),
        ("a: {b: 1, c: 2, b: 3}\n", 1, 17),
        ("? [a]\n: 1\n", 1, 3),
        ("? {a: 1}\n: 1\n", 1, 3),
        ("a: 1\n--- \nb: 2\n", 2, 1),
        ("a: b: c\n", 1, 5),
        ("a: [1, 2\nb: 3\n", 2, 2),
        ("a: 'x\n", 1, 4),
        ("\ta: 1\n", 1, 1),
    ],
)
def test_what_is_not_part_of_the_language_has_its_place(text, line, column):
    problem = problem_of(text)
    assert (problem.place.file, problem.place.line) == ("f.yaml", line)
    if "not YAML" not in problem.message:
        assert problem.place.column == column


@pytest.mark.parametrize("text", ["", "# only a comment\n", "---\n", "\ufeff", "a: \0", "a: \x01"])
def test_files_with_nothing_in_them_or_with_what_no_text_has(text):
    try:
        parse(text, "f.yaml", {})
    except ConfigError as error:
        problems = error.problems
        assert problems


@pytest.mark.parametrize("text", ["[" * 50_000, "{a: " * 20_000, "- " * 20_000])
def test_deep_nesting_is_a_problem_of_the_file(tmp_path, text):
    (tmp_path / "bff.yaml").write_text(text)
    # in a process of its own: the C parser has no limit, and may run out of the stack
    command = [sys.executable, "-m", "bff.cli", "check", "--config", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    assert done.returncode == 2, "ended by a signal" if done.returncode < 0 else done.stderr
    assert "bff.yaml:" in done.stderr


@pytest.mark.parametrize(
    "text",
    [
        "call: {get: users:/users/{session.sub}}",
        "shape: user.{id: id, name: name}",
        "calls:\n  a: {get: s:/{id}, path: x}",
    ],
)
def test_a_broken_brace_is_told_to_be_quoted(text):
    assert "quotes" in problem_of(text).hint


def test_an_unquoted_template_is_told_to_be_quoted(folder):
    home = "get: /home\naccess: public\ncalls:\n  user: {get: users:/x, query: {a: {params.id}}}\n"
    problems = folder.problems(home=home + "shape: user\n")
    assert any("quotes" in each.hint for each in problems)


def test_nodes_know_their_places():
    root = parse("a: 1\nb:\n  - x\n  - {c: d}\n", "f.yaml", {})
    inner = root.value["b"].value[1]
    assert str(root.value["a"].place) == "f.yaml:1:4"
    assert str(inner.value["c"].place) == "f.yaml:4:9"
    assert str(inner.keys["c"].place) == "f.yaml:4:6"


@pytest.mark.parametrize(
    ("text", "environ", "value"),
    [
        ("${A}", {"A": "x"}, "x"),
        ("${A:-d}", {}, "d"),
        ("${A:-d}", {"A": ""}, "d"),
        ("${A:-d}", {"A": "x"}, "x"),
        ("${A:-http://h:1/a?b}", {}, "http://h:1/a?b"),
        ("http://${H:-h}:${P:-80}", {"P": "81"}, "http://h:81"),
        ("${A}", {"A": "${B}", "B": "x"}, "${B}"),
        ("$A {A} $", {"A": "x"}, "$A {A} $"),
    ],
)
def test_references_to_the_environment(text, environ, value):
    assert plain(f'a: "{text}"', **environ) == {"a": value}


@pytest.mark.parametrize("value", ["7", "12345678", "true", "null", "~", "1e5", "0x1f"])
def test_a_quoted_reference_is_text_whatever_it_says(value):
    # a password of digits is a password
    assert plain('a: "${SECRET}"', SECRET=value)["a"] == value


def test_an_unquoted_reference_may_be_a_number():
    assert plain("a: ${N:-64}") == {"a": 64}
    assert plain("a: ${N:-64}", N="7") == {"a": 7}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("${A}", "variable A is not set"),
        ("x${A}y", "variable A is not set"),
        ("${}", "is not a valid reference"),
        ("${1A}", "is not a valid reference"),
        ("${A-b}", "is not a valid reference"),
        ("${file:/nowhere/at/all}", "cannot be read"),
        ("${file:}", "cannot be read"),
        ("${file:/}", "cannot be read"),
    ],
)
def test_references_that_lead_nowhere(text, told):
    problem = problem_of(f"a: 1\nb: '{text}'")
    assert told in problem.message
    assert (problem.place.line, problem.place.column) == (2, 4)


def test_a_secret_is_read_from_its_file(tmp_path):
    (tmp_path / "secret").write_text("s3cret\n")
    assert plain(f'a: "${{file:{tmp_path}/secret}}"') == {"a": "s3cret"}


def test_a_variable_may_name_the_file_that_holds_its_value(tmp_path):
    (tmp_path / "secret").write_text("s3cret\n")
    assert plain("a: '${A:-}'", A_FILE=f"{tmp_path}/secret") == {"a": "s3cret"}
    assert plain("a: '${A:-}'", A="mine", A_FILE=f"{tmp_path}/secret") == {"a": "mine"}
    assert "`${A_FILE}` cannot be read" in problem_of("a: '${A:-}'", A_FILE="/nowhere").message


def test_a_file_that_need_not_be_there_has_a_default(tmp_path):
    path = tmp_path / "secret"
    assert plain(f'a: "x${{file:{path}:-}}"') == {"a": "x"}
    assert plain(f'a: "${{file:{path}:-y}}"') == {"a": "y"}
    path.write_text("s3cret")
    assert plain(f'a: "${{file:{path}:-y}}"') == {"a": "s3cret"}


def test_a_secret_file_that_is_no_text_is_a_problem(tmp_path):
    (tmp_path / "secret").write_bytes(b"\xff\xfe\x00")
    assert "cannot be read" in problem_of(f'a: "${{file:{tmp_path}/secret}}"').message


@pytest.mark.parametrize(
    ("content", "told"),
    [(b"\xff", "not UTF-8"), (b"a: " + b"x" * 1_000_001, "more than"), (None, "cannot be read")],
)
def test_files_that_cannot_be_read(tmp_path, content, told):
    path = tmp_path / "f.yaml"
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=told):
        load(path, "f.yaml", {})


@given(
    st.text(st.characters(codec="utf-8"), max_size=40)
    | st.text("{}[]:,-\n \"'&*!|>#%@`ab${}", max_size=40)
)
def test_any_text_is_a_node_or_a_config_error(text):
    try:
        parse(text, "f.yaml", {})
    except ConfigError as error:
        places = [problem.place for problem in error.problems]
        assert all(each.line >= 1 for each in places)
