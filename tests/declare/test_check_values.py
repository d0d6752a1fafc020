"""Values that stand for failures, and shapes, held against each other at load."""

import pytest

from bff.errors import ConfigError

VIEW = "get: /home\naccess: public\ncalls:\n"


def told(problems):
    return "\n".join(map(str, problems))


def one(problems):
    assert len(problems) == 1, told(problems)
    return problems[0]


SHAPED = (
    VIEW + "  a: {{get: users:/a{rung}}}\n  b: {{get: users:/b}}\nshape: {{x: '{leaf}', y: b}}\n"
)


@pytest.mark.parametrize(
    ("rung", "leaf", "level", "message"),
    [
        (", optional: true", "a.x", None, ""),
        (", optional: true", "length(a)", "error", "where `a` is null"),
        (", optional: true", "length(a || `[]`)", None, ""),
        (", optional: true", "join(b.c, a.d)", "warning", "where `a` is null"),
        (", when: 'b.x'", "length(a)", "error", "where `a` is null"),
        (", fallback: []", "length(a)", None, ""),
        (", fallback: 0", "length(a)", "error", "cannot be evaluated with its fallback"),
        (", fallback: []", "a.items", "warning", "is null with its fallback"),
        (", fallback: {items: []}", "a.items", None, ""),
        (", fallback: {items: null}", "a.items", None, ""),
        (", fallback: null", "a.items", None, ""),
        (", status: {404: {}}", "a.items", "warning", "is null with status 404"),
        (", status: {404: 7}", "length(a)", "error", "cannot be evaluated with status 404"),
        ("", "length(a)", None, ""),
    ],
)
def test_shapes_are_held_against_null_and_fallbacks(folder, rung, leaf, level, message):
    problems = folder.problems(home=SHAPED.format(rung=rung, leaf=leaf))
    if level is None:
        assert told(problems) == ""
        return
    problem = one(problems)
    assert problem.warning is (level == "warning")
    assert message in problem.message
    assert "/x" in problem.message


REFUSING = (
    VIEW.replace("calls", "params: {{q: {{required: false}}, n: {{}}}}\ncalls")
    + "  a: {{get: users:/a{rung}}}\n  b: {{get: users:/b, optional: true}}\n"
    "shape: {{x: a, y: b}}\n"
    "refuse:\n  - {{when: '{first}', status: 404, title: First}}\n"
    "  - {{when: '{when}', status: 409, title: No}}\n"
)


@pytest.mark.parametrize(
    ("rung", "when", "level", "message"),
    [
        (", optional: true", "a.x", None, ""),
        (", optional: true", "length(a) > `1`", "error", "where `a` is null"),
        (", optional: true", "length(a || `[]`) > `1`", None, ""),
        (", when: 'b'", "length(a) > `1`", "error", "where `a` is null"),
        (", fallback: null", "length(a) > `1`", "error", "where `a` is null"),
        (", status: {404: null}", "length(a) > `1`", "error", "where `a` is null"),
        ("", "length(a) > `1`", None, ""),
        ("", "starts_with(b, a.x)", "warning", "where `b` is null"),
        (", optional: true", "starts_with(params.n, a.x)", "error", "where `a` is null"),
        (", optional: true", "contains(session.claims.of, a.x)", "warning", "where `a` is null"),
        (", fallback: 0", "length(a) > `1`", "error", "cannot be evaluated with its fallback"),
        (", status: {404: 7}", "length(a) > `1`", "error", "cannot be evaluated with status 404"),
        ("", "length(params.q) > `9`", "warning", "where `params.q` is null"),
        ("", "length(params.n) > `9`", None, ""),
    ],
)
def test_refusals_are_held_against_null_and_fallbacks(folder, rung, when, level, message):
    home = REFUSING.format(rung=rung, when=when, first="`false`")
    problems = folder.problems(home=home.replace("'b'", '"b"'))
    if level is None:
        assert told(problems) == ""
        return
    problem = one(problems)
    assert problem.warning is (level == "warning")
    assert message in problem.message
    assert "the refusal `No`" in problem.message


def test_a_refusal_that_is_judged_after_one_that_is_true_is_not_computed(folder):
    rung, when = ", optional: true", "length(a) > `1`"
    assert (
        told(folder.problems(home=REFUSING.format(rung=rung, when=when, first="a == null"))) == ""
    )
    other = REFUSING.format(rung=rung, when=when, first="b == null")
    assert "cannot be evaluated" in told(folder.problems(home=other)), "it may be judged first"


@pytest.mark.parametrize(
    "line",
    [
        "user: {get: users:/x, fallback: 99999999999999999999999}",
        "user: {get: users:/x, status: {404: 99999999999999999999999}}",
        'user: {get: users:/x, fallback: "\\uD800"}',
        "user: {get: users:/x, fallback: " + "[" * 300 + "]" * 300 + "}",
        "user: {post: users:/x, json: 99999999999999999999999}",
    ],
)
def test_a_constant_that_json_cannot_hold_is_a_problem(folder, line):
    home = f"{VIEW}  {line}\nshape: user\n"
    with pytest.raises(ConfigError):
        folder.check(home=home)


@pytest.mark.parametrize("leaf", ["99999999999999999999999", "[1, 99999999999999999999999]"])
def test_a_shape_that_json_cannot_hold_is_a_problem(folder, leaf):
    home = f"{VIEW}  user: {{get: users:/x, guard: true}}\nshape: {{x: {leaf}}}\n"
    with pytest.raises(ConfigError):
        folder.check(home=home)
