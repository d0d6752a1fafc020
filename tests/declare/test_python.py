"""Views in Python: what their files declare, and everything that may be wrong with them."""

import sys

import pytest

import bff
from bff.declare.python import load_python, node_of
from bff.model.python import READS, VIEW
from bff.model.source import Place

VIEW_FILE = """\
import bff


@bff.view(
    get="/python/{id}",
    access="public",
    params={"id": {"type": "integer"}},
    reads=["params.id"],
    given=["one"],
    timeout="800ms",
    calls={
        "user": {"get": "users:/users/{params.id}"},
        "one": {"get": "users:/one/{one}", "optional": True},
    },
)
def page(ask):
    return ask.start("user").value
"""
VIEW_FILE = VIEW_FILE.replace('"one": {"get"', '"item_of": {"get"')


@pytest.fixture
def python(folder):
    """Check a folder whose view `page` is this Python: what is declared, or every problem."""

    class Python:
        def write(self, text, name="page"):
            path = folder.write() / f"views/{name}.py"
            path.write_text(text)
            return path

        def check(self, text, name="page"):
            self.write(text, name)
            return folder.check()

        def problems(self, text, name="page"):
            self.write(text, name)
            return folder.problems()

    yield Python()
    for name in [name for name in sys.modules if name.startswith("bff_views_")]:
        del sys.modules[name]


def declared(keys, body="return None"):
    """A file with a view of these keys."""
    own = "get='/p', access='public', calls={'user': {'get': 'users:/me'}}"
    return f"import bff\n@bff.view({own}, {keys})\ndef page(ask):\n    {body}\n"


def test_a_view_in_python_is_a_view(python):
    checked = python.check(VIEW_FILE)
    plan = checked.plans["page"]["web"]
    view = plan.view
    assert (view.name, view.method, view.path) == ("page", "GET", "/python/{id}")
    assert view.place == Place("views/page.py", 4)
    assert view.reads == (("params", "id"),)
    assert view.given == {"one"}
    assert view.timeout == pytest.approx(0.8)
    assert callable(view.function)
    assert list(plan.nodes) == ["user", "item_of"]
    assert plan.nodes["item_of"].compiled.call.rung == "optional"
    assert {each.id for each in checked.warnings} == {"slow-required-call"}
    assert sorted(checked.plans) == ["home", "page"]


def test_what_it_reads_is_its_scope(python):
    from bff.declare.scope import scope_of

    plan = python.check(VIEW_FILE).plans["page"]["web"]
    assert scope_of(plan).shared_by == "everyone"
    plan = python.check(VIEW_FILE.replace("params.id", "session.claims.plan", 1)).plans["page"][
        "web"
    ]
    assert scope_of(plan).shared_by == "claims"
    plan = python.check(VIEW_FILE.replace('    reads=["params.id"],\n', "")).plans["page"]["web"]
    assert scope_of(plan).shared_by == "person"


TURNED = """calls={"one": {"get": "users:/x", "pages": {"offset": "skip", "param": "cursor"}}}"""


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        (f'{TURNED}, given=["one_of"]', "cannot be given values"),
        ('calls={"one": {"get": "users:/x"}}, stream="events"', "it cannot be a stream"),
    ],
)
def test_what_a_view_in_python_cannot_be_is_told(python, keys, said):
    text = f"import bff\n@bff.view(get='/p', {keys})\ndef page(ask):\n    return None\n"
    (problem,) = python.problems(text)
    assert said in problem.message


def test_a_file_that_raises_is_told_with_its_line(python):
    (problem,) = python.problems("import bff\n\nx = 1\nprint(1 / 0)\n")
    assert problem.place == Place("views/page.py", 4)
    assert problem.message.startswith("importing this file raised ZeroDivisionError")


def test_a_file_that_raises_deeper_is_told_with_its_own_line(python):
    (problem,) = python.problems("import json\n\nx = 1\njson.loads('{')\n")
    assert problem.place == Place("views/page.py", 4)


def test_a_file_that_is_no_python_is_told_with_its_line(python):
    (problem,) = python.problems("import bff\n\ndef (\n")
    assert problem.place == Place("views/page.py", 3)
    assert "SyntaxError" in problem.message


def test_a_file_that_ends_the_process_is_told(python):
    (problem,) = python.problems("import sys\nsys.exit(3)\n")
    assert problem.place.file == "views/page.py"


@pytest.mark.parametrize(
    ("text", "count"), [("x = 1\n", "no"), ("", "no"), (declared("") + declared(""), "2")]
)
def test_a_file_declares_one_view(python, text, count):
    (problem,) = python.problems(text)
    assert problem.message == f"this file declares {count} views"
    assert problem.place.file == "views/page.py"


def test_problems_of_python_and_yaml_are_told_together(folder):
    path = folder.write(other="get: /other\ncall: {get: nothing:/x}\n")
    (path / "views/page.py").write_text("1 / 0\n")
    files = {problem.place.file for problem in folder.problems(other="get: /other\nno: 1\n")}
    assert files == {"views/page.py", "views/other.yaml"}


def test_what_is_declared_is_read_strictly(python):
    text = declared("timeout='soon', max_cals=3, frontends=['wbe']")
    messages = [problem.message for problem in python.problems(text)]
    assert "`soon` is not a duration such as 800ms or 2s" in messages
    assert "a view has no key `max_cals`" in messages
    assert {problem.place for problem in python.problems(text)} == {Place("views/page.py", 2)}


@pytest.mark.parametrize(
    "keys",
    ["frontends={'web'}", "timeout=object()", "params={'a': {'enum': frozenset('x')}}"],
)
def test_values_that_yaml_does_not_have_are_told(python, keys):
    problems = python.problems(declared(keys).replace("access='public', ", ""))
    assert {problem.place for problem in problems} == {Place("views/page.py", 2)}


@pytest.mark.parametrize("keys", ["shape='user'", "shapes={'web': 'user'}", "shape_with='a:b'"])
def test_a_view_in_python_has_no_shape(python, keys):
    (problem,) = python.problems(declared(keys))
    assert problem.message == "a view in Python returns its answer: it cannot have a shape"


@pytest.mark.parametrize("keys", ["omit_null=True", "require_any=['user']", "answer='user'"])
def test_what_a_function_decides_itself_is_not_declared(python, keys):
    (problem,) = python.problems(declared(keys))
    assert problem.place == Place("views/page.py", 2)


@pytest.mark.parametrize(
    "name", ["params.limt", "sesion.sub", "headers.x-nothing", "session.subject"]
)
def test_what_it_says_it_reads_is_there(python, name):
    problems = python.problems(declared(f"params={{'limit': {{}}}}, reads=['{name}']"))
    assert problems, f"{name} is read and would always be null"
    assert problems[0].place == Place("views/page.py", 2)


@pytest.mark.parametrize("name", ["params", "user"])
def test_what_it_gives_hides_nothing(python, name):
    assert python.problems(declared(f"given=['{name}']"))


def test_a_call_uses_only_what_is_there_or_given(python):
    text = VIEW_FILE.replace('given=["one"]', "given=[]")
    (problem,) = python.problems(text)
    assert problem.message == "nothing is called `one` here"


def test_a_python_file_and_a_yaml_file_of_one_name(python):
    problems = python.problems(declared(""), name="home")
    assert any("home" in problem.message for problem in problems), "one of them is lost in silence"


def test_a_python_file_has_a_name_like_any_view(python):
    problems = python.problems(declared(""), name="my-page")
    assert [problem.place.file for problem in problems] == ["views/my-page.py"]


def test_a_route_that_yaml_has_already(python):
    text = declared("").replace("'/p'", "'/home'").replace("access=", "frontends=['web'], access=")
    (problem,) = [each for each in python.problems(text) if not each.warning]
    assert "/web/home" in problem.message


def test_a_file_may_have_functions_and_dataclasses_of_its_own(python):
    text = (
        "from __future__ import annotations\nfrom dataclasses import dataclass\nimport bff\n"
        "@dataclass(slots=True)\nclass Card:\n    title: str\n"
        "def card(text: str) -> Card:\n    return Card(text)\n" + declared("")
    )
    assert "page" in python.check(text).plans


def test_loading_it_again_reads_it_again(python):
    first = load_python(python.write(declared("")), "views/page.py")
    second = load_python(python.write(declared("timeout='1s'")), "views/page.py")
    assert "timeout" not in first.node.value
    assert second.node.value["timeout"].value == "1s"


# -- marks -------------------------------------------------------------------------------------


def test_marks_change_nothing_of_a_function():
    @bff.reads("user.name", "orders")
    def code(given):
        """What it does."""
        return given

    assert code(3) == 3
    assert code.__doc__ == "What it does."
    assert getattr(code, READS) == (("user", "name"), ("orders",))


def test_a_view_says_where_it_stands():
    @bff.view(get="/x", calls={}, given=["a"])
    def code(ask):
        return ask

    declared_view = getattr(code, VIEW)
    assert declared_view.place.file == __file__
    assert declared_view.reads is None
    assert declared_view.given == {"a"}
    assert declared_view.keys == {"get": "/x", "calls": {}}


def test_a_node_of_python_reads_like_one_of_yaml():
    place = Place("v.py", 3)
    node = node_of({"a": [1, (True, None)], 404: "x"}, place)
    assert node.plain == {"a": [1, [True, None]], "404": "x"}
    assert node.keys["404"].value == 404
    assert node.value["a"].place == place
    assert [node_of(each, place).raw for each in ("007", 7, 1.5, None)] == ["007", "7", "1.5", ""]
