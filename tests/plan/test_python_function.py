"""Functions of Python in a configuration: found at load, given what they say they read, no more."""

import sys
from types import ModuleType

import pytest

from bff import reads
from bff.errors import ConfigError, Unfillable
from bff.model.python import READS
from bff.model.source import Place, Source
from bff.plan.python_function import Function, given_only
from bff.plan.shape import MadeShape

SCOPE = {
    "user": {"id": 7, "name": "Ada", "address": {"city": "Bern", "zip": "3000"}},
    "orders": [1, 2],
    "none": None,
    "session": {"sub": "u-1", "claims": {"plan": "pro", "S3CRET": 1}},
}


def whole(given):
    """All that it is given."""
    return dict(given)


@pytest.fixture
def function(monkeypatch):
    """Make a function of a configuration: `function(code, "user.name")`."""
    module = ModuleType("shop_functions")
    monkeypatch.setitem(sys.modules, module.__name__, module)

    def make(code, *paths, otherwise=None, declared=True):
        code.__dict__.pop(READS, None)
        module.code = reads(*paths)(code) if declared else code
        return Function(Source("shop_functions:code", Place("v.yaml", 3, 4)), otherwise)

    return make


def test_it_is_given_what_it_reads(function):
    made = function(whole, "user.name", "user.address.city", "orders", "session.claims.plan")
    assert made.value(SCOPE) == {
        "user": {"name": "Ada", "address": {"city": "Bern"}},
        "orders": [1, 2],
        "session": {"claims": {"plan": "pro"}},
    }
    assert made.reads.result == {
        ("user", "name"),
        ("user", "address", "city"),
        ("orders",),
        ("session", "claims", "plan"),
    }


@pytest.mark.parametrize("missing", ["user.nothing", "nothing", "orders.id", "none.id", "a.b.c"])
def test_what_is_not_there_is_null(function, missing):
    def code(given):
        for name in missing.split("."):
            given = given[name]
        return given

    assert function(code, missing).value(SCOPE) is None


TOUCHES = [
    lambda given: given["session"],
    lambda given: given["user"]["id"],
    lambda given: given["user"]["address"],
    lambda given: given.get("session"),
    lambda given: given["user"].get("id"),
    lambda given: given["user"].get("id", 0),
]


@pytest.mark.parametrize("touch", TOUCHES, ids=range(len(TOUCHES)))
def test_touching_anything_else_raises(function, touch):
    with pytest.raises(Unfillable, match="LookupError"):
        function(touch, "user.name").value(SCOPE)


def test_reading_a_thing_and_a_part_of_it_is_reading_it(function):
    for paths in (("user", "user.name"), ("user.name", "user")):
        assert function(whole, *paths).value(SCOPE)["user"] == SCOPE["user"]


def test_reading_a_thing_that_is_null_and_a_part_of_it(function):
    assert function(whole, "none", "none.id").value(SCOPE) == {"none": None}


def test_reading_a_list_and_a_part_of_it(function):
    assert function(whole, "orders", "orders.id").value(SCOPE) == {"orders": [1, 2]}


def test_what_it_raises_is_told_without_its_message(function):
    def code(_given):
        raise ZeroDivisionError("S3CRET")

    with pytest.raises(Unfillable) as caught:
        function(code, "user").value(SCOPE)
    assert str(caught.value) == "`shop_functions:code` raised ZeroDivisionError"
    assert caught.value.__cause__ is None


def test_a_function_that_does_not_say_what_it_reads(function):
    with pytest.raises(ConfigError) as caught:
        function(whole, declared=False)
    (problem,) = caught.value.problems
    assert str(problem).startswith("v.yaml:3:4: error: `shop_functions:code` does not say")
    found = function(lambda given: given["user"]["id"], declared=False, otherwise=["user", "none"])
    assert found.value(SCOPE) == 7
    assert found.reads.result == {("user",), ("none",)}


@pytest.mark.parametrize(
    "text",
    [
        "shop_functions:nothing",
        "no_such_module:x",
        "shop_functions",
        ":x",
        "",
        "a b:c",
        "..x:y",
        "os:sep",
    ],
)
def test_what_is_no_function(function, text):
    function(whole, "user")
    with pytest.raises(ConfigError) as caught:
        Function(Source(text, Place("v.yaml", 3, 4)), ["user"])
    (problem,) = caught.value.problems
    assert problem.place == Place("v.yaml", 3, 4)


def test_a_module_that_breaks_is_a_problem_of_the_configuration(tmp_path, monkeypatch):
    (tmp_path / "broken_shop.py").write_text("raise RuntimeError('S3CRET')\n")
    (tmp_path / "torn_shop.py").write_text("def (\n")
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("broken_shop", "torn_shop"):
        with pytest.raises(ConfigError) as caught:
            Function(Source(f"{name}:x", Place("v.yaml", 3, 4)), ["user"])
        assert caught.value.problems[0].place == Place("v.yaml", 3, 4)


def test_a_shape_made_by_a_function(function):
    shape = MadeShape(function(lambda given: [given["user"]["name"], None], "user.name"))
    assert shape.fill(SCOPE) == (["Ada", None], [])
    assert shape.leaves == ()
    assert shape.place == Place("v.yaml", 3, 4)


def test_a_shape_whose_function_raises_is_null_and_says_so(function):
    value, faults = MadeShape(function(lambda given: given["x"], "user")).fill(SCOPE)
    assert value is None
    assert faults == ["`shop_functions:code` raised LookupError"]


def test_only_what_is_read_is_there():
    found = given_only([("user", "name")], SCOPE)
    assert list(found) == ["user"]
    assert "session" not in found
    with pytest.raises(LookupError, match="session"):
        found["session"]
