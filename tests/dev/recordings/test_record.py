"""What an app exchanges with its services is written as HAR 1.2, without secrets."""

import json
import re
from datetime import datetime
from pathlib import Path

import pytest

from bff.app import create_app
from bff.cache.cache import Cache
from bff.declare.check import check_config
from bff.declare.config import assemble
from bff.declare.load import parse
from bff.declare.settings import Settings
from bff.dev.recordings.recording import read_recording
from bff.dev.recordings.recording_session import RecordingOptions, RecordingSession
from bff.dev.recordings.unmatched import refuse_unmatched
from bff.dev.stubs.stub import StubReply, StubServices
from bff.model.principal import Principal

HOME = """
get: /home
frontends: [web]
params: {q: {type: string, default: a}}
calls:
  user: {get: "users:/users/7", query: {api_key: k-secret-one}}
  orders: {get: "orders:/of/{user.owner}", query: {q: "{params.q}"}, fallback: null}
shape: {user: user, orders: orders}
"""
JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhZGEifQ.c2lnbmF0dXJlLW9mLWl0"


class Live:
    """An app over stub services, recording into a folder."""

    def __init__(self, stubs, folder):
        self.stubs, self.folder = stubs, folder

    def take(self, mode="all", views=(HOME,)):
        services = "".join(f"  {name}: {{url: '{url}'}}\n" for name, url in self.stubs.urls.items())
        root = f"version: 1\nfrontends: {{web: {{access: none}}}}\nservices:\n{services}"
        names = [view.split("get: /")[1].split()[0] for view in views]
        pairs = zip(names, views, strict=True)
        files = {name: parse(view, f"{name}.yaml", {}) for name, view in pairs}
        checked = check_config(assemble(parse(root, "bff.yaml", {}), files, {}))
        report = str(self.folder.parent / "report.json")
        take = RecordingSession(
            RecordingOptions(str(self.folder), mode, "a key", report), checked.config, 8
        )
        app = create_app(
            checked,
            Settings(Path("unused")),
            exchange=take.exchange,
            authenticate=lambda *_: Principal(),
            hits=take.recorder.hit,
            cache=Cache(1024 * 1024, None),
        )
        refuse_unmatched(app, take.replay)
        return take, app.test_client()

    def log(self, service):
        return json.loads((self.folder / f"{service}.har").read_text())["log"]

    def report(self):
        return json.loads((self.folder.parent / "report.json").read_text())


@pytest.fixture
def replies():
    return {
        "users": {"owner": "ada-token-7", "access_token": "ada-token-7"},
        "orders": {"items": [1, 2]},
    }


@pytest.fixture
def live(tmp_path, replies):
    def answer(name):
        headers = [("Set-Cookie", "sid=very-secret; Path=/"), ("Date", "now")]
        return lambda asked: StubReply.json(
            replies[name], headers=[] if asked.path == "/all" else headers
        )

    with StubServices({name: answer(name) for name in replies}) as stubs:
        yield Live(stubs, tmp_path / "recordings")


def test_each_request_of_a_view_is_a_page_and_each_call_an_entry(live):
    take, client = live.take()
    assert client.get("/web/home?q=b").status_code == 200
    take.save()
    (page,) = live.log("orders")["pages"]
    assert (page["id"], page["title"]) == ("web.home-1", "/web/home?q=b")
    assert [each["id"] for each in live.log("users")["pages"]] == ["web.home-1"]
    (entry,) = live.log("orders")["entries"]
    assert entry["pageref"] == "web.home-1"
    timings = entry["timings"]
    assert timings["wait"] > 0
    assert timings["connect"] >= 0
    total = sum(max(0, timings[name]) for name in timings if name != "ssl")
    assert entry["time"] == pytest.approx(total, abs=0.11)


def test_what_is_written_has_every_field_that_the_format_demands(live):
    take, client = live.take()
    client.get("/web/home")
    take.save()
    log = live.log("users")
    assert log["version"] == "1.2"
    assert set(log["creator"]) >= {"name", "version"}
    for entry in log["entries"]:
        assert set(entry) >= {"startedDateTime", "time", "request", "response", "cache", "timings"}
        assert set(entry["request"]) >= {
            *("method", "url", "httpVersion", "cookies", "headers", "queryString"),
            *("headersSize", "bodySize"),
        }
        assert set(entry["response"]) >= {
            *("status", "statusText", "httpVersion", "cookies", "headers", "content"),
            *("redirectURL", "headersSize", "bodySize"),
        }
        assert set(entry["response"]["content"]) >= {"size", "mimeType"}
        assert {"send", "wait", "receive"} <= set(entry["timings"])


def test_a_secret_has_one_pseudonym_wherever_it_stands(live):
    take, client = live.take()
    client.get("/web/home")
    take.save()
    written = "".join(path.read_text() for path in live.folder.glob("*.har"))
    for secret in ("ada-token-7", "very-secret", "k-secret-one"):
        assert secret not in written
    user = json.loads(live.log("users")["entries"][0]["response"]["content"]["text"])
    assert user["owner"] == user["access_token"]
    assert user["owner"].startswith("redacted-")
    assert f"/of/{user['owner']}?" in live.log("orders")["entries"][0]["request"]["url"]


def test_a_file_in_which_something_looks_like_a_secret_is_not_saved_and_its_place_is_said(
    live, replies, capsys
):
    take, client = live.take()
    client.get("/web/home")
    take.save()
    before = (live.folder / "orders.har").read_bytes()
    replies["orders"] = {"items": [{"note": JWT}]}
    replies["users"] = {"owner": "grace"}
    take, client = live.take()
    client.get("/web/home")
    client.get("/web/home?q=b")
    take.finish()
    assert (live.folder / "orders.har").read_bytes() == before
    assert "grace" in (live.folder / "users.har").read_text()
    told = live.report()
    assert list(told["entries"]) == ["users"]
    (line,) = told["refused"]
    first, *remedies = line.split("\n")
    place = "response.content.text at items[0].note looks like a JSON Web Token"
    where = f"{live.folder}/orders.har log.entries[0] GET /of/grace: {place}"
    assert first == f"{where}, and 1 more time"
    assert remedies == [
        f'    if it is a secret: [redact] paths = ["items[].note"] in {live.folder}/rules.toml',
        f'    if it is not: [redact] allow = ["items[].note"] in {live.folder}/rules.toml',
    ]
    said = capsys.readouterr().err
    assert f"not saved: {first}" in said
    assert JWT not in said + json.dumps(told)


@pytest.mark.parametrize(
    ("rules", "written"),
    [
        ("[redact]\npaths = ['items[].note']\n", '[{\\"note\\":\\"redacted-'),
        ("[redact]\npatterns = ['eyJ[^\"]+']\n", '[{\\"note\\":\\"redacted-'),
        ("[redact]\nallow = ['eyJ[^\"]+']\n", JWT),
    ],
)
def test_what_was_refused_is_saved_as_soon_as_the_rules_say_what_it_is(
    live, replies, rules, written, capsys
):
    replies["orders"] = {"items": [{"note": JWT}]}
    take, client = live.take()
    client.get("/web/home")
    take.save()
    file = live.folder / "orders.har"
    assert not file.exists()
    (live.folder / "rules.toml").write_text("[redact\n")  # half of an edit
    take.save()
    assert "rules.toml: Expected" in capsys.readouterr().err
    (live.folder / "rules.toml").write_text(rules)
    take.finish()
    assert written in file.read_text()
    assert live.report()["refused"] == []


def test_what_is_declared_is_redacted_too(live, replies):
    replies["orders"] = {"items": [{"email": "ada@example.org", "age": 41, "note": "ticket 12-34"}]}
    live.folder.mkdir()
    (live.folder / "rules.toml").write_text(
        "[redact]\npaths = ['items[].email', '..age']\npatterns = ['\\d\\d-\\d\\d']\n"
    )
    take, client = live.take()
    client.get("/web/home")
    take.save()
    text = live.log("orders")["entries"][0]["response"]["content"]["text"]
    (item,) = json.loads(text)["items"]
    assert item["email"].startswith("redacted-")
    assert item["email"].endswith("@example.invalid")
    assert isinstance(item["age"], int)
    assert "12-34" not in item["note"]


def test_recording_again_what_has_not_changed_changes_nothing(live):
    for _ in range(2):
        take, client = live.take()
        client.get("/web/home")
        client.get("/web/home")
        take.save()
        before = getattr(live, "before", None)
        live.before = {path.name: path.read_bytes() for path in live.folder.glob("*.har")}
        assert before in (None, live.before)
    assert len(live.log("users")["entries"]) == 1


def test_recording_again_changes_only_what_has_changed(live, replies):
    take, client = live.take()
    client.get("/web/home")
    client.get("/web/home?q=b")
    take.save()
    users, orders = (live.folder / f"{name}.har" for name in ("users", "orders"))
    before, old = users.read_bytes(), live.log("orders")
    replies["orders"] = {"items": [3]}
    take, client = live.take()
    client.get("/web/home")
    client.get("/web/home?q=b")
    take.save()
    assert users.read_bytes() == before
    new = live.log("orders")
    assert [page["title"] for page in new["pages"]] == ["/web/home", "/web/home?q=b"]
    assert [page["id"] for page in new["pages"]] == [page["id"] for page in old["pages"]]
    assert "[3]" in orders.read_text()


@pytest.mark.parametrize(
    ("mode", "target", "status", "asked"),
    [
        ("once", "/web/home", 200, []),
        ("once", "/web/home?q=new", 501, []),
        ("new", "/web/home", 200, []),
        ("new", "/web/home?q=new", 200, ["orders"]),
        ("all", "/web/home", 200, ["users", "orders"]),
        ("none", "/web/home?q=new", 501, []),
    ],
)
def test_the_mode_says_who_is_asked(live, mode, target, status, asked, capsys):
    take, client = live.take()
    client.get("/web/home")
    take.save()
    take, client = live.take(mode)
    asks = []
    carried = take.exchange._live.start
    take.exchange._live.start = lambda request, *more: (
        asks.append(request.service),
        carried(request, *more),
    )[1]
    answer = client.get(target)
    assert (answer.status_code, asks) == (status, asked), answer.text
    if status == 501:
        assert "home.yaml:7" in capsys.readouterr().err
        assert "asked q=new, recorded q=a" in answer.text


def test_what_is_new_is_added_to_what_there_is(live):
    take, client = live.take()
    client.get("/web/home")
    take.save()
    take, client = live.take("new")
    client.get("/web/home?q=b")
    take.finish()
    assert [page["id"] for page in live.log("orders")["pages"]] == ["web.home-1", "web.home-2"]
    assert live.report()["unused"] == {"orders": ["GET /of/" + owner_of(live) + "?q=a"]}


def owner_of(live):
    user = json.loads(live.log("users")["entries"][0]["response"]["content"]["text"])
    return user["owner"]


def test_a_large_body_is_beside_and_is_read_again(live, replies):
    replies["orders"] = {"items": ["words " * 20_000]}
    take, client = live.take()
    client.get("/web/home")
    take.save()
    content = live.log("orders")["entries"][0]["response"]["content"]
    assert "text" not in content
    assert content["comment"] == content["_file"]
    assert content["comment"].startswith("bodies/orders-")
    (entry,) = read_recording(live.folder / "orders.har").entries
    assert json.loads(entry.content) == replies["orders"]
    replies["orders"] = {"items": []}
    take, client = live.take()
    client.get("/web/home")
    take.save()
    assert list((live.folder / "bodies").iterdir()) == []


def test_replay_needs_no_custom_field(live, replies):
    replies["orders"] = {"items": ["words " * 20_000]}
    take, client = live.take()
    before = client.get("/web/home").json
    take.save()
    for file in live.folder.glob("*.har"):
        file.write_text(json.dumps(without_custom_fields(json.loads(file.read_text()))))
        assert '"_' not in file.read_text()
    take, client = live.take("none")
    assert client.get("/web/home").json["orders"] == before["orders"]


def without_custom_fields(tree):
    if isinstance(tree, list):
        return [without_custom_fields(each) for each in tree]
    if not isinstance(tree, dict):
        return tree
    return {k: without_custom_fields(each) for k, each in tree.items() if not k.startswith("_")}


def test_what_the_cache_answers_is_marked(live):
    view = """
get: /kept
frontends: [web]
call: {get: "orders:/all", cache: {ttl: 60s}}
"""
    take, client = live.take(views=[view])
    for _ in range(2):
        assert client.get("/web/kept").status_code == 200
    take.save()
    asked, hit = live.log("orders")["entries"]
    assert asked["cache"] == {}
    kept = hit["cache"]["beforeRequest"]
    assert kept["hitCount"] == 1
    lasts = datetime.fromisoformat(kept["expires"]) - datetime.fromisoformat(kept["lastAccess"])
    assert 50 < lasts.total_seconds() <= 60
    assert hit["time"] == 0


def test_a_recording_of_a_recording_is_the_same_page_again(live):
    take, client = live.take()
    answered = client.get("/web/home").json
    take.save()
    take, client = live.take("none")
    replayed = client.get("/web/home")
    assert replayed.status_code == 200
    assert replayed.json["orders"] == answered["orders"]
    assert replayed.json["user"]["owner"] == owner_of(live)


def test_a_request_without_a_reply_is_not_recorded_and_is_named(live):
    take, client = live.take()
    live.stubs.set("orders", state="down")
    assert client.get("/web/home").status_code == 200
    take.finish()
    (failed,) = live.report()["failed"]
    assert re.fullmatch("GET orders:/of/redacted-[0-9a-f]{10}", failed), "as secret as recorded"
    assert not (live.folder / "orders.har").exists()


def test_what_another_tool_recorded_is_added_to_and_kept(live):
    live.folder.mkdir()
    entry = {
        "_initiator": {"type": "script"},
        "pageref": "page_1",
        "request": {"method": "GET", "url": "https://other.example/old", "headers": []},
        "response": {"status": 200, "headers": [], "content": {"mimeType": "text/plain"}},
    }
    pages = [{"title": "no id"}, {"id": "page_1", "title": "https://other.example/"}]
    text = json.dumps({"log": {"version": "1.2", "pages": pages, "entries": [entry]}})
    (live.folder / "orders.har").write_bytes(b"\xef\xbb\xbf" + text.encode())
    take, client = live.take("new")
    assert client.get("/web/home").status_code == 200
    take.save()
    old, new = live.log("orders")["entries"]
    assert old == entry
    assert new["pageref"] == "web.home-1"
    assert [each["id"] for each in live.log("orders")["pages"]] == ["page_1", "web.home-1"]
