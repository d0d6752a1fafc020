"""`bff matrix`, as people run it."""

import json

import pytest

from bff.dev.shop.recordings import shop_recordings


def test_it_prints_what_each_frontend_gets(bff):
    words = ("matrix", "home", "--as", "ada", "--claim", "plan=pro", "--claim", "tenant=acme")
    done = bff(*words, "--json")
    assert done.returncode == 0, done.stderr
    cells = json.loads(done.stdout)
    assert {each["frontend"] for each in cells} == {"web", "mobile"}
    assert [each["status"] for each in cells if not each["service"]] == [200, 200]
    ways = {each["broken"] for each in cells if each["service"] == "orders"}
    assert ways == {"timeout", "failing", "truncated", "empty"}
    done = bff(*words)
    for each in cells:
        for call in each["calls"].split(", "):
            assert call.endswith("=ok") or call in done.stdout, "nothing is cut in a pipe"
        for path in each["differs"]:
            assert path in done.stdout


def test_a_snapshot_is_written_then_held_to(bff, tmp_path):
    file = tmp_path / "search.json"
    words = ("matrix", "search", "--snapshot", str(file), "--param")
    assert bff(*words, "q=lamp").returncode == 0
    before = file.read_text()
    assert bff(*words, "q=lamp").returncode == 0
    done = bff(*words, "q=kettle")
    assert done.returncode == 1, done.stderr
    assert "+++ now" in done.stdout
    assert file.read_text() == before


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["hme"], "did you mean `home`?"),
        (["order", "--as", "ada"], "needs a value for `id`"),
        (
            ["order", "--as", "ada", "--claim", "tenant=acme", "--param", "id=none"],
            "no recorded reply for",
        ),
        (["home", "--param", "limit"], "is not NAME=VALUE"),
        (["home", "--as", "ada", "--param", "limti=3"], "has no parameter `limti`"),
        (["home", "--recordings", "docs"], "no .har file in this folder"),
    ],
)
def test_what_cannot_be_done_is_said(bff, words, complaint):
    done = bff("matrix", *words)
    assert done.returncode == 2
    assert complaint in done.stderr


def test_a_stream_has_no_answers_to_compare(bff, tmp_path):
    root = "version: 1\nfrontends: {web: {access: none}}\nservices: {users: {url: 'http://h'}}\n"
    (tmp_path / "bff.yaml").write_text(root)
    (tmp_path / "views").mkdir()
    (tmp_path / "views/told.yaml").write_text("get: /t\nstream: events\ncall: {get: users:/t}\n")
    recordings = str(shop_recordings())
    done = bff("matrix", "told", "--config", str(tmp_path), "--recordings", recordings)
    assert done.returncode == 2
    assert "is a stream" in done.stderr


def test_a_view_that_fails_with_nothing_broken_is_told(bff):
    done = bff("matrix", "home")
    assert done.returncode == 1
    assert "answers 401 without a fault" in done.stderr


def test_what_came_of_a_request_with_something_left_out_is_marked(bff, tmp_path):
    services = "services: {users: {url: 'http://u'}, orders: {url: 'http://o'}}\n"
    (tmp_path / "bff.yaml").write_text(
        f"version: 1\nfrontends: {{web: {{access: none}}}}\n{services}"
    )
    (tmp_path / "views").mkdir()
    view = """get: /mine
calls:
  user: {get: users:/users/ada, optional: true}
  orders:
    get: orders:/orders
    query: {customer: ada, limit: 5}
    headers: {X-Plan: "{user.plan?}"}
shape: {user: user, orders: orders}
"""
    (tmp_path / "views/mine.yaml").write_text(view)
    words = ["matrix", "mine", "--config", str(tmp_path)]
    words += ["--recordings", str(shop_recordings())]
    done = bff(*words, "--json")
    assert done.returncode == 0, done.stderr
    cells = json.loads(done.stdout)
    marked = {each["service"] for each in cells if each["left_out"] == ["orders: header x-plan"]}
    assert marked == {"users"}
    assert {each["service"] for each in cells if not each["left_out"]} == {"", "orders"}
    assert "omitted from orders: header x-plan" in bff(*words).stdout
    file = tmp_path / "mine.json"
    bff(*words, "--snapshot", str(file))
    kept = json.loads(file.read_text())
    assert kept["web users failing"]["left_out"] == ["orders: header x-plan"]
    assert "left_out" not in kept["web"]
