"""A comment takes responsibility for a warning: with a reason, for one line, and for no error."""

import json

import pytest
from click.testing import CliRunner

from bff.cli import main
from bff.declare.rules import RULES

VIEW = """\
get: /home
access: public
params: {id: {required: false}}
call:
  get: "users:/users/{params.id}"
"""
ROOT = """\
version: 1
frontends: {web: {access: none}}
services:
  users: {url: "http://127.0.0.1:9001"}
"""
DOUBT = "path-may-be-missing"


@pytest.fixture
def run(folder):
    def run(home, *arguments):
        folder.write(bff=ROOT, home=home)
        done = CliRunner().invoke(main, ["check", "--config", str(folder.path), *arguments])
        return done.exit_code, done.output

    return run


def with_comment(comment, *, above=True):
    target = '  get: "users:/users/{params.id}"\n'
    if above:
        return VIEW.replace(target, f"  {comment}\n{target}")
    return VIEW.replace(target, target.replace("\n", f"  {comment}\n"))


def ids(output):
    return [each["id"] for each in json.loads(output)["problems"]]


def test_the_warning_is_there_without_a_comment(run):
    code, output = run(VIEW, "--json")
    assert (code, ids(output)) == (0, [DOUBT])


@pytest.mark.parametrize("above", [True, False])
def test_a_comment_with_a_reason_silences_it(run, above):
    comment = f"# bff: ignore {DOUBT} because every link has the id"
    assert ids(run(with_comment(comment, above=above), "--json", "--strict")[1]) == []


@pytest.mark.parametrize(
    ("comment", "silent"),
    [
        ("# bff: ignore unused-parameter because clients send it\n  page:\n", True),
        ("page:  # bff: ignore unused-parameter because clients send it\n", True),
        ("page:\n    # bff: ignore unused-parameter because clients send it\n", True),
        (
            "# bff: ignore unused-parameter because of this one\n  id: {default: a}\n  page:\n",
            False,
        ),
    ],
)
def test_a_comment_above_a_bare_key_is_about_its_mapping(run, comment, silent):
    home = f"get: /home\nparams:\n  {comment}    type: integer\ncall: {{get: users:/users}}\n"
    found = list(json.loads(run(home, "--json")[1])["problems"])
    pages = [each for each in found if "`page`" in each["message"]]
    assert (pages == []) is silent


def test_other_comments_may_stand_between(run):
    comment = f"# bff: ignore {DOUBT} because every link has the id\n  # see the sitemap"
    assert ids(run(with_comment(comment), "--json")[1]) == []


@pytest.mark.parametrize(
    ("comment", "expected"),
    [
        (f"# bff: ignore {DOUBT}", {"ignore", DOUBT}),
        (f"# bff: ignore {DOUBT} because", {"ignore", DOUBT}),
        (f"# bff: ignore {DOUBT} since it is fine", {"ignore", DOUBT}),
        ("# bff: ignore path-may-be-mising because it is fine", {"ignore", DOUBT}),
        ("# bff: ignore unknown-name because it is fine", {"ignore", DOUBT, "unused-ignore"}),
        ("# bff: ignore slice-of-text because it is fine", {"unused-ignore", DOUBT}),
    ],
)
def test_a_comment_that_cannot_be_followed_is_a_problem(run, comment, expected):
    code, output = run(with_comment(comment), "--json")
    assert set(ids(output)) == expected
    assert code == (2 if "ignore" in expected else 0)


def test_an_error_is_not_silenced(run):
    home = VIEW.replace("{params.id}", "{parms.id}")
    target = '  get: "users:/users/{parms.id}"\n'
    home = home.replace(target, f"  # bff: ignore unknown-name because I know better\n{target}")
    code, output = run(home, "--json")
    assert code == 2
    assert "unknown-name" in ids(output)


def test_what_production_refuses_is_not_silenced():
    assert not any(RULES[each].may_be_ignored for each in RULES if each.startswith("unsafe-"))


@pytest.mark.parametrize("name", sorted(RULES))
def test_every_problem_is_explained(name):
    done = CliRunner().invoke(main, ["check", "--explain", name])
    assert done.exit_code == 0
    assert done.output.startswith(f"{name}: {RULES[name].title}")


def test_an_unknown_id_is_answered_with_the_nearest():
    done = CliRunner().invoke(main, ["check", "--explain", "unknown-nam"])
    assert done.exit_code == 2
    assert "did you mean `unknown-name`?" in done.output


def test_sarif_points_at_the_line(run):
    code, output = run(VIEW, "--sarif")
    [report] = json.loads(output)["runs"]
    [result] = report["results"]
    assert code == 0
    assert (result["ruleId"], result["level"]) == (DOUBT, "warning")
    assert report["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == DOUBT
    location = result["locations"][0]["physicalLocation"]
    assert location["artifactLocation"]["uri"] == "views/home.yaml"
    assert location["region"] == {"startLine": 5, "startColumn": 8}


def test_sarif_of_strict_has_errors(run):
    code, output = run(VIEW, "--sarif", "--strict")
    assert code == 2
    assert [each["level"] for each in json.loads(output)["runs"][0]["results"]] == ["error"]
