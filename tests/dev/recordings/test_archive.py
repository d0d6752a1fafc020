"""Files are kept by service, and a page is one page in all of them, also when recorded again."""

import json
import re

import pytest

from bff.dev.har_files import RecordingError
from bff.dev.recordings.archive import Archive
from bff.dev.recordings.recording import read_recording
from bff.dev.recordings.waterfall import together
from bff.dev.rules import RedactionRules
from tests.dev.sample_exchanges import exchanged, record_everything


@pytest.fixture
def save(tmp_path):
    def run(*made, mode="all"):
        return Archive(tmp_path, b"a key", mode).save(made, RedactionRules())

    return run


def log_of(folder, service):
    return json.loads((folder / f"{service}.har").read_text())["log"]


def pages(log):
    return [(each["id"], each["title"]) for each in log["pages"]]


def test_a_page_has_all_of_its_calls_in_one_file_with_their_times(tmp_path):
    log = together(record_everything(tmp_path))["log"]
    assert pages(log) == [("web.home-1", "/web/home"), ("web.home-2", "/web/orders")]
    of_home = [each for each in log["entries"] if each.get("pageref") == "web.home-1"]
    assert [(each["comment"], each["startedDateTime"][17:23]) for each in of_home] == [
        ("users", "00.000"),
        ("orders", "00.030"),
        ("users", "00.050"),
        ("files", "00.060"),
        ("files", "00.070"),
    ]
    assert log["pages"][0]["startedDateTime"] == of_home[0]["startedDateTime"]
    assert of_home[3]["response"]["content"]["encoding"] == "base64"
    assert of_home[4]["response"]["content"]["text"] == "words " * 20_000
    assert not re.search(r'"_|bodies/', json.dumps(log))
    assert "pageref" not in log["entries"][-1]


def test_a_part_that_was_recorded_again_stands_where_it_stood_in_its_own_page(save, tmp_path):
    save(exchanged("users", "/u", b"1"), exchanged("orders", "/o", b"1", after=0.02))
    users = (tmp_path / "users.har").read_bytes()
    save(
        exchanged("users", "/u", b"1", after=90, visit="9"),
        exchanged("orders", "/o", b"2", after=90.5, visit="9"),
    )
    assert (tmp_path / "users.har").read_bytes() == users
    entries = together(tmp_path)["log"]["entries"]
    assert [(each["pageref"], each["startedDateTime"][17:23]) for each in entries] == [
        ("web.home-1", "00.000"),
        ("web.home-1", "00.500"),
    ]


def test_what_a_later_recording_adds_to_a_page_has_the_name_of_that_page(save, tmp_path):
    save(exchanged("orders", "/o", b"1"))
    save(exchanged("users", "/u", b"1", visit="2", title="/web/orders"), mode="once")
    save(exchanged("catalog", "/c", b"1", visit="3"), mode="once")
    assert pages(log_of(tmp_path, "catalog")) == [("web.home-1", "/web/home")]
    assert len(pages(together(tmp_path)["log"])) == 2


def test_pages_that_are_asked_alike_and_answered_otherwise_stay_apart(save, tmp_path):
    made = [exchanged("users", "/u", b"1", after=n, visit=str(n)) for n in range(3)]
    made += [exchanged("orders", "/o", b"%d" % (n > 0), after=n, visit=str(n)) for n in range(3)]
    for _ in range(2):
        save(*made)
        for service in ("users", "orders"):
            assert [name for name, _ in pages(log_of(tmp_path, service))] == [
                "web.home-1",
                "web.home-2",
            ]


def test_calls_side_by_side_may_be_sent_in_any_order(save, tmp_path):
    def visit(number, *services):
        return [
            exchanged(name, "/", b"1", after=number + at / 100, visit=str(number))
            for at, name in enumerate(services)
        ]

    save(*visit(1, "users", "orders"), *visit(2, "orders", "users"))
    before = {path: path.read_bytes() for path in tmp_path.glob("*.har")}
    assert [name for name, _ in pages(log_of(tmp_path, "users"))] == ["web.home-1"]
    save(*visit(3, "orders", "users"))
    assert {path: path.read_bytes() for path in tmp_path.glob("*.har")} == before


def test_what_belongs_to_no_page_is_there_once_however_often_it_is_recorded(save, tmp_path):
    for mode in ("new", "new", "all"):
        save(
            exchanged("orders", "/a", b"1", visit=""),
            exchanged("orders", "/b", b"1", visit=""),
            mode=mode,
        )
        assert len(log_of(tmp_path, "orders")["entries"]) == 2


def test_pages_of_other_tools_that_have_the_same_name_stay_apart(tmp_path):
    for service in ("users", "orders"):
        page = {"id": "page_1", "title": f"https://{service}.example/", "startedDateTime": "?"}
        entry = {
            "pageref": "page_1",
            "request": {"method": "GET", "url": f"http://{service}/x"},
            "response": {"status": 200, "content": {}},
        }
        log = {"pages": [page], "entries": [entry]}
        (tmp_path / f"{service}.har").write_text(json.dumps({"log": log}))
    log = together(tmp_path)["log"]
    assert [each["id"] for each in log["pages"]] == ["page_1", "page_1-users"]
    assert {each["pageref"] for each in log["entries"]} == {"page_1", "page_1-users"}


def test_where_there_is_nothing_to_put_together_that_is_said(tmp_path):
    with pytest.raises(RecordingError, match=r"no \.har file in this folder"):
        together(tmp_path)


def test_an_image_may_be_large_too_and_no_body_of_another_service_goes(save, tmp_path):
    image = b"\x89PNG\xff" * 20_000
    bodies = tmp_path / "bodies"
    bodies.mkdir()
    (bodies / "files-history-0123456789abcdef.json").write_text("{}")
    (bodies / "files-0123456789abcdef.json").write_text("{}")
    picture = exchanged("files", "/a.png", image, headers=(("content-type", "image/png"),))
    save(picture)
    before = (tmp_path / "files.har").read_bytes()
    content = log_of(tmp_path, "files")["entries"][0]["response"]["content"]
    assert not content.keys() & {"text", "encoding"}
    (entry,) = read_recording(tmp_path / "files.har").entries
    assert entry.content == image
    save(picture)
    assert (tmp_path / "files.har").read_bytes() == before
    names = sorted(path.name for path in bodies.iterdir())
    assert names == [
        content["comment"].removeprefix("bodies/"),
        "files-history-0123456789abcdef.json",
    ]


def test_a_number_that_is_secret_by_its_name_has_a_pseudonym_and_keeps_it(save, tmp_path):
    body = b'{"otp": 271828, "pin": 3141, "expires": 300, "tokens": 7}'
    for _ in range(2):
        save(exchanged("users", "/codes", body, posted=body))
    (entry,) = log_of(tmp_path, "users")["entries"]
    sent, came = entry["request"]["postData"]["text"], entry["response"]["content"]["text"]
    found = json.loads(sent)
    assert (found["expires"], found["tokens"]) == (300, 7)
    assert found["otp"] not in {271828, 0}
    assert found["pin"] not in {3141, 0}
    assert json.loads(came) == found


def test_pages_of_one_millisecond_stay_in_their_order(save, tmp_path):
    made = [
        exchanged("users", "/u", b"%d" % n, visit=str(n), title=f"/web/home?n={n}")
        for n in range(11)
    ]
    save(*made)
    before = (tmp_path / "users.har").read_bytes()
    for left_out in range(3):
        again = [each for number, each in enumerate(made) if number != left_out]
        save(*again, mode="new")
        assert (tmp_path / "users.har").read_bytes() == before
