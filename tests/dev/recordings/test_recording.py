"""Reading HAR 1.2, and the shop's own recordings."""

import base64
import json

import pytest

from bff.dev.har_files import RecordingError
from bff.dev.recordings.recording import read_recording, read_recordings, warning_of
from bff.dev.shop.recordings import shop_recordings

RECORDINGS = shop_recordings()


def exchange(url="http://users.internal/users/7?a=1&a=2", **changes):
    request = {"method": "get", "url": url, "headers": [], "queryString": []}
    response = {
        "status": 200,
        "headers": [{"name": "Content-Type", "value": "application/json"}],
        "content": {"text": '{"id": 7}', "mimeType": "application/json"},
    }
    entry = {"startedDateTime": "2026-11-02T09:00:00Z", "time": 12.5, "_mine": "ignored"}
    return {
        **entry,
        "request": {**request, **changes.get("request", {})},
        "response": {**response, **changes.get("response", {})},
    }


@pytest.fixture
def save(tmp_path):
    def write(*entries):
        file = tmp_path / "users.har"
        file.write_text(json.dumps({"log": {"version": "1.2", "entries": entries}}))
        return file

    return write


def test_an_entry_keeps_what_counts_and_not_the_host(save):
    recording = read_recording(save(exchange()))
    (entry,) = recording.entries
    assert recording.service == "users"
    assert (entry.method, entry.path, entry.query) == ("GET", "/users/7", (("a", "1"), ("a", "2")))
    assert (entry.status, entry.content, entry.time) == (200, b'{"id": 7}', 12.5)
    assert entry.headers == (("Content-Type", "application/json"),)
    assert entry.target == "/users/7?a=1&a=2"


def test_the_query_may_stand_in_query_string_alone(save):
    asked = {"queryString": [{"name": "q", "value": "a b"}]}
    (entry,) = read_recording(save(exchange("http://users/x", request=asked))).entries
    assert entry.query == (("q", "a b"),)


def test_a_base64_body_is_decoded(save):
    content = {"text": base64.b64encode(b"\x00\xff").decode(), "encoding": "base64"}
    (entry,) = read_recording(save(exchange(response={"content": content}))).entries
    assert entry.content == b"\x00\xff"


def test_a_posted_body_is_text_or_form_fields(save):
    text = exchange(request={"postData": {"mimeType": "application/json", "text": "[1]"}})
    form = exchange(request={"postData": {"params": [{"name": "a", "value": "ä"}]}})
    bodies = [entry.body for entry in read_recording(save(text, form)).entries]
    assert bodies == [b"[1]", b"a=%C3%A4"]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("", "is not JSON"),
        ('{"log": {"entries": [', "perhaps cut short"),
        ("[]", "the file: should be an object, not []"),
        ("{}", "log: is missing"),
        ('{"log": {}}', "log.entries: is missing"),
        ('{"log": {"entries": [7]}}', "log.entries[0]: should be an object, not 7"),
        ('{"log": {"entries": [{}]}}', "log.entries[0].request: is missing"),
    ],
)
def test_what_is_not_har_is_refused_by_file_and_place(tmp_path, content, complaint):
    file = tmp_path / "users.har"
    file.write_text(content)
    with pytest.raises(RecordingError) as refused:
        read_recording(file)
    assert str(refused.value).startswith(str(file))
    assert complaint in str(refused.value)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"response": {"status": "200"}}, "response.status: should be an integer"),
        ({"response": {"status": True}}, "response.status: should be an integer"),
        ({"response": {"content": {"text": "?", "encoding": "base64"}}}, "is not base64"),
        ({"response": {"headers": [{}]}}, "response.headers[0].name: is missing"),
        ({"request": {"url": None}}, "request.url: should be a string, not null"),
    ],
)
def test_a_wrong_field_is_named(save, changes, complaint):
    with pytest.raises(RecordingError) as refused:
        read_recording(save(exchange(), exchange(**changes)))
    assert "log.entries[1]." in str(refused.value)
    assert complaint in str(refused.value)


def test_a_missing_file_and_an_empty_directory_are_refused(tmp_path):
    with pytest.raises(RecordingError, match="cannot be read"):
        read_recording(tmp_path / "users.har")
    with pytest.raises(RecordingError, match=r"no \.har file"):
        read_recordings(tmp_path)


def test_the_shop_has_a_recording_of_each_service():
    recordings = read_recordings(RECORDINGS)
    assert list(recordings) == [
        "catalog",
        "notifications",
        "orders",
        "recommendations",
        "reviews",
        "users",
    ]
    assert all(recording.entries for recording in recordings.values())


def test_a_body_may_be_in_a_file_beside_and_nowhere_else(save, tmp_path):
    (tmp_path / "bodies").mkdir()
    (tmp_path / "bodies/large.json").write_bytes(b"[1]")
    (entry,) = read_recording(
        save(exchange(response={"content": {"_file": "bodies/large.json"}}))
    ).entries
    assert entry.content == b"[1]"
    for name, complaint in [
        ("../other.json", "is outside"),
        ("bodies/none.json", "cannot be read"),
    ]:
        with pytest.raises(RecordingError, match=complaint):
            read_recording(save(exchange(response={"content": {"_file": name}})))


def test_what_browsers_write_is_read(save):
    file = save(exchange(response={"status": 0}), exchange())
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes())
    (entry,) = read_recording(file).entries
    assert (entry.number, entry.status) == (1, 200)


def test_what_is_huge_is_refused(save, monkeypatch):
    monkeypatch.setattr("bff.dev.recordings.recording._MOST_BYTES", 10)
    with pytest.raises(RecordingError, match="larger than"):
        read_recording(save(exchange()))


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_headers_that_a_tool_has_joined_are_several(save, end):
    joined = [{"name": "Set-Cookie", "value": f"a=1{end}b=2"}, {"name": "X-Empty", "value": ""}]
    (entry,) = read_recording(save(exchange(response={"headers": joined}))).entries
    assert entry.headers == (("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"), ("X-Empty", ""))


def test_no_header_has_a_control_character_and_one_beyond_latin_1_is_utf_8(save):
    headers = [
        {"name": "X-Nul", "value": "a\x00b\x1bc"},
        {"name": "X-City", "value": "Łódź"},
        {"name": "X-Street", "value": "Straße"},
        {"name": "Bad\r\nName", "value": "1"},
        {"name": "bad name", "value": "1"},
    ]
    (entry,) = read_recording(save(exchange(response={"headers": headers}))).entries
    assert dict(entry.headers) == {
        "X-Nul": "a b c",
        "X-City": "Łódź".encode().decode("latin-1"),
        "X-Street": "Straße",
    }


def test_entries_are_in_the_order_of_their_times(save):
    times = ["2026-11-02T09:00:02Z", "2026-11-02T10:00:01+01:00", None, "2026-11-02T09:00:00.5Z"]
    made = [
        exchange(f"http://users/{number}") | {"startedDateTime": at}
        for number, at in enumerate(times)
    ]
    entries = read_recording(save(*made)).entries
    assert [each.path for each in entries] == ["/3", "/1", "/2", "/0"]
    assert [each.number for each in entries] == [3, 1, 2, 0], "as the file counts them"


@pytest.mark.parametrize("status", [0, -1, 100, 101, 103, 199, 600, 1000])
def test_a_status_that_is_no_final_one_is_left_out(save, status):
    recording = read_recording(save(exchange(response={"status": status}), exchange()))
    assert [each.number for each in recording.entries] == [1]


def test_entries_that_lack_their_body_are_left_out_and_counted(save):
    bare = {"content": {"size": 12, "mimeType": "application/json"}}
    long = [{"name": "Content-Length", "value": "12"}]
    made = [
        exchange(response=bare),
        exchange(response={"headers": long, "content": {}}),
        exchange(request={"method": "post", "bodySize": 9}),
        exchange(request={"method": "head"}, response=bare),
        exchange(response={**bare, "status": 304}),
        exchange(response={"content": {"size": 0}}),
        exchange(),
    ]
    recording = read_recording(save(*made))
    assert [each.number for each in recording.entries] == [3, 4, 5, 6]
    assert "3 of 7 entries lack a body and are left out" in warning_of(recording)
    with pytest.raises(RecordingError, match="no entry has its body; export it with content"):
        read_recording(save(*made[:2]))


def test_hidden_files_are_no_recordings(save, tmp_path):
    save(exchange())
    (tmp_path / ".#users.har").symlink_to("ada@host.123:456")
    (tmp_path / ".orders.har").write_text("{")
    assert list(read_recordings(tmp_path)) == ["users"]
