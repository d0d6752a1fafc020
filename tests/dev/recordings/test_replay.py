"""Recordings answer inside the app: in sequence, as loosely as declared, or loudly not."""

import json
from pathlib import Path
from queue import SimpleQueue

import pytest

from bff.app import create_app
from bff.declare.check import check_config
from bff.declare.config import assemble
from bff.declare.load import parse
from bff.declare.settings import Settings
from bff.dev.har_files import RecordingError
from bff.dev.recordings.replay import ReplayExchange
from bff.dev.recordings.replay_cursor import RecordingFolder, replay_cursors
from bff.dev.recordings.unmatched import refuse_unmatched, unmatched_text
from bff.dev.rules import read_rules
from bff.errors import Unreachable
from bff.model.exchange import Deadline, Origin, Request
from bff.model.service import Service
from bff.model.source import Place
from bff.observe.events import Answered

PLACE = Place("config/views/home.yaml", 14, 5)
ORIGIN = Origin("id-1", "/web/home", "web", "home", "orders", PLACE)


def entry(target, reply, method="GET", body=None, status=200, base="http://orders.internal"):
    posted = {"postData": {"mimeType": "application/json", "text": json.dumps(body)}}
    return {
        "startedDateTime": "2026-11-02T09:00:00Z",
        "time": 30,
        "request": {
            "method": method,
            "url": base + target,
            "headers": [],
            **(posted if body is not None else {}),
        },
        "response": {
            "status": status,
            "headers": [{"name": "Content-Type", "value": "application/json"}],
            "content": {"text": json.dumps(reply), "mimeType": "application/json"},
        },
    }


@pytest.fixture
def replay(tmp_path):
    def make(*entries, rules="", url="http://orders"):
        log = {"log": {"version": "1.2", "creator": {}, "entries": entries}}
        (tmp_path / "orders.har").write_text(json.dumps(log))
        (tmp_path / "rules.toml").write_text(rules)
        service = Service("orders", Place("bff.yaml"), url, 1.0, 10_000)
        return ReplayExchange(
            replay_cursors(tmp_path, services=("orders", "users")), {"orders": service}
        )

    return make


def ask(replay, target, method="GET", body=b"", service="orders"):
    mailbox = SimpleQueue()
    request = Request(service, method, target, body=body, max_reply=10_000, origin=ORIGIN)
    replay.start(request, Deadline(1.0), 7, mailbox)
    completion = mailbox.get_nowait()
    assert completion.attempt == 7
    result = completion.result
    return result if isinstance(result, Exception) else json.loads(result.body)


def test_of_several_replies_each_comes_once_and_the_last_from_then_on(replay):
    made = replay(entry("/cart", []), entry("/cart", {}, "POST", {"id": 1}), entry("/cart", [1]))
    assert [ask(made, "/cart") for _ in range(3)] == [[], [1], [1]]


def test_what_nobody_asked_for_is_listed(replay):
    made = replay(entry("/a", 1), entry("/b", 2), entry("/a", 3))
    ask(made, "/a")
    assert [each.target for each in made.unused()["orders"]] == ["/b", "/a"]
    ask(made, "/a")
    ask(made, "/b")
    assert made.unused() == {}


def test_what_a_cache_has_answered_is_no_reply_in_the_sequence_and_is_not_missed(replay):
    hit = {"time": 0, "cache": {"beforeRequest": {"lastAccess": "", "eTag": "", "hitCount": 1}}}
    made = replay(
        *(entry("/a", 1), entry("/a", 1) | hit, entry("/a", 2)),
        *(entry("/warm", 3) | hit, entry("/warm", 3) | hit),
    )
    assert [ask(made, "/a") for _ in range(3)] == [1, 2, 2]
    assert [each.number for each in made.unused()["orders"]] == [3]
    assert ask(made, "/warm") == 3
    assert made.unused() == {}


def test_while_files_change_only_those_are_read_again_and_what_was_asked_is_remembered(
    tmp_path,
):
    def write(service, *entries):
        log = {"log": {"version": "1.2", "creator": {}, "entries": entries}}
        (tmp_path / f"{service}.har").write_text(json.dumps(log))

    write("orders", entry("/a", 1), entry("/a", 2), entry("/b", 3))
    write("users", entry("/u", 1))
    folder_of_recordings = RecordingFolder(tmp_path)
    first = folder_of_recordings.reload()
    assert ask(ReplayExchange(first, {}), "/a") == 1
    write("users", entry("/u", 1), entry("/longer", 1))
    second = folder_of_recordings.reload()
    assert second["orders"] is first["orders"]
    assert len(second["users"].unused()) == 2
    assert ask(ReplayExchange(second, {}), "/a") == 1, "sequences begin again"
    assert [each.target for each in second["orders"].unused()] == ["/a", "/b"]
    (tmp_path / "rules.toml").write_text("[match]\nignore_query = ['ts']\n")
    assert ask(ReplayExchange(folder_of_recordings.reload(), {}), "/a?ts=1") == 1


def test_an_address_with_a_path_is_a_part_of_what_was_recorded(replay):
    made = replay(entry("/api/a", 1), url="http://elsewhere/api")
    assert ask(made, "/a") == 1


@pytest.mark.parametrize(
    ("rules", "target", "body"),
    [
        ("[match]\nignore_query = ['ts']\n", "/a?ts=2&q=1", b'{"n": 1, "at": 5}'),
        ("[match]\nignore_query = ['orders:ts']\n", "/a?q=1", b'{"n": 1, "at": 5}'),
        ("[match]\nignore_body = ['at']\n", "/a?ts=1&q=1", b'{"n": 1, "at": 6}'),
        ("[match]\nignore_body = ['orders:..at']\n", "/a?q=1&ts=1", b'{"n": 1}'),
    ],
)
def test_what_is_declared_loose_does_not_count(replay, rules, target, body):
    recorded = entry("/a?ts=1&q=1", "yes", "POST", {"n": 1, "at": 5})
    assert ask(replay(recorded, rules=rules), target, "POST", body) == "yes"
    assert isinstance(ask(replay(recorded), target, "POST", body), Unreachable)
    other = rules.replace("orders:", "").replace("['", "['users:")
    assert isinstance(ask(replay(recorded, rules=other), target, "POST", body), Unreachable)


def test_a_secret_in_a_query_is_not_compared(replay):
    made = replay(entry("/a?api_key=redacted-12&q=1", "yes"))
    assert ask(made, "/a?api_key=the-real-one&q=1") == "yes"


def test_what_is_missing_is_told_with_the_line_that_asked_and_the_nearest(replay):
    made = replay(entry("/a?limit=5&q=x", 1), entry("/b", 2))
    assert isinstance(ask(made, "/a?limit=6&q=x"), Unreachable)
    (missed,) = made.missed("id-1")
    text = unmatched_text(missed)
    assert "no recorded reply for GET orders:/a?limit=6&q=x" in text
    assert "config/views/home.yaml:14:5, view `home` of `web`, call `orders`" in text
    assert "log.entries[0]: GET /a?limit=5&q=x" in text
    assert "query: asked limit=6, recorded limit=5" in text
    assert 'ignore_query = ["orders:limit"]' in text
    assert made.missed() == []


def test_a_service_without_a_recording_is_said_to_have_none(replay):
    made = replay(entry("/a", 1))
    assert isinstance(ask(made, "/x", service="users"), Unreachable)
    assert "no recording of `users`" in unmatched_text(made.missed()[0])


def test_a_view_that_misses_one_is_refused_though_the_call_has_a_fallback(replay, capsys):
    view = 'get: /home\nfrontends: [web]\ncall:\n  get: "orders:/a"\n  fallback: []\n'
    root = "version: 1\nfrontends: {web: {access: none}}\nservices: {orders: {url: 'http://o'}}\n"
    config = assemble(parse(root, "bff.yaml", {}), {"home": parse(view, "home.yaml", {})}, {})
    made = replay(entry("/b", 1))
    heard = []
    app = create_app(
        check_config(config), Settings(Path("unused")), exchange=made, observers=[heard.append]
    )
    refuse_unmatched(app, made)
    answer = app.test_client().get("/web/home")
    assert answer.status_code == 501
    assert answer.mimetype == "application/problem+json"
    assert answer.json["missed"][0]["place"].startswith("home.yaml:4")
    assert "home.yaml:4" in capsys.readouterr().err
    assert app.test_client().get("/livez").status_code == 200
    assert [each.status for each in heard if isinstance(each, Answered)] == [501], "in the log, too"
    assert answer.headers["X-Request-Id"]


def test_a_reply_takes_as_long_as_it_is_said_to(replay):
    waits = []
    made = replay(entry("/a", 1))
    slow = ReplayExchange(
        made.cursors, {}, lambda each: each.time / 1000, lambda after, _: waits.append(after)
    )
    slow.start(Request("orders", "GET", "/a"), Deadline(1), 1, SimpleQueue())
    assert waits == [0.03]


@pytest.mark.parametrize(
    ("rules", "complaint"),
    [
        ("[redact", "rules.toml: Expected"),
        ("[redakt]\n", "redakt: is not known; did you mean `redact`?"),
        ("[match]\nignore = []\n", "match.ignore: is not known"),
        ("[match]\nignore_query = 'ts'\n", "match.ignore_query: should be a list of strings"),
        ("match = 1\n", "match: should be a table"),
        ("[redact]\npatterns = ['(']\n", "redact.patterns: is not a pattern"),
        ("[redact]\npaths = ['items[0].x']\n", "`items[].x` is each of them"),
        ("[redact]\npaths = ['$.items[*].x']\n", "`items[].x` is each of them"),
        ("[redact]\npaths = ['a..b', '']\n", "`a..b` is no path"),
        ("[match]\nignore_body = ['users:a[1]']\n", "`a[]` is each of them"),
        ("[match]\nignore_query = ['userz:ts']\n", "no service `userz`; did you mean `users`?"),
        ("[match]\nignore_body = ['user:at']\n", "no service `user`; did you mean `users`?"),
    ],
)
def test_rules_that_are_wrong_are_refused_by_their_place(tmp_path, rules, complaint):
    (tmp_path / "rules.toml").write_text(rules)
    with pytest.raises(RecordingError) as refused:
        read_rules(tmp_path, ["users", "orders"])
    assert complaint in str(refused.value)
