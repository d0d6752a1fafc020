"""Texts that were cut within a surrogate pair, and byte order marks: as tools write them."""

import json
from dataclasses import replace

import pytest

from bff.dev.har_files import RecordingError
from bff.dev.recordings.match import RequestKey
from bff.dev.recordings.normalize import ignoring
from bff.dev.recordings.pages import read_pages
from bff.dev.recordings.recording import read_recording
from bff.dev.rules import MatchRules
from tests.dev.redaction.test_redact_corpus import JSON, leaks, reply, saved, with_headers
from tests.dev.redaction.test_replay_secrets import answers, cursor
from tests.dev.sample_exchanges import BEGUN

SECRET = "Zebra-Kiwi9917xQ"
HALF = "\ud83d"


def har(text):
    entry = {
        "startedDateTime": "2026-11-02T09:00:00Z",
        "request": {"method": "GET", "url": "http://users/x"},
        "response": {"status": 200, "content": {"text": text}},
    }
    return json.dumps({"log": {"version": "1.2", "entries": [entry]}})


@pytest.mark.parametrize(
    ("text", "content"),
    [
        (f"a{HALF}b", "a\ufffdb"),
        (f"{HALF}\N{GRINNING FACE}{HALF}", "\ufffd\N{GRINNING FACE}\ufffd"),
        (f"{HALF}\\ud83d", "\ufffd\\ud83d"),
        (HALF + "x" * 1024 * 1024, "\ufffd" + "x" * 1024 * 1024),
    ],
)
def test_a_har_with_half_a_pair_is_read(text, content, tmp_path):
    file = tmp_path / "users.har"
    file.write_text(har(text))
    (entry,) = read_recording(file).entries
    assert entry.content == content.encode()
    (page,) = read_pages(file)
    assert page.entries[0]["response"]["content"]["text"] == content


@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", [b"", b"\\ud83d"])
def test_a_request_with_one_is_found_again(start, end, tmp_path):
    secret = SECRET.encode() + end
    found = cursor(tmp_path, body=start + b'{"n": "a\\ud83d", "password": "%s"}' % secret)
    other_order = b'{"password": "%s", "n": "a\\uD83D"}' % secret
    assert answers(found, body=other_order)
    assert not answers(found, body=other_order.replace(b"a\\u", b"b\\u"))


def test_what_does_not_count_is_left_out_of_one():
    loosen = ignoring(MatchRules(body=("at",)))
    one, other = (
        loosen(RequestKey.target("POST", "/x", b'{"n": "\\ud83d", "at": %d}' % at)) for at in (1, 2)
    )
    assert one == other


def test_large_numbers_tell_bodies_apart():
    one, other = (RequestKey.target("POST", "/x", b"[123456789012345678901%d]" % n) for n in (1, 2))
    assert one != other


def test_a_secret_that_was_cut_is_found_elsewhere(tmp_path):
    body = json.dumps({"password": SECRET + HALF, "note": f"see {SECRET}{HALF} there"})
    written, refused = saved(tmp_path, reply(JSON, body))
    assert not refused
    assert not leaks(written, SECRET)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("x-api-key", SECRET + "\udcff"),
        ("location", f"/x?n=\udcff&token={SECRET}"),
        ("x-next", f"a%20b\udcff%26password%3D{SECRET}"),
        ("etag", "\udcff"),
    ],
)
def test_a_header_that_is_no_text_is_redacted(name, value, tmp_path):
    made = reply(JSON, "{}", (name, value))
    made = replace(with_headers(made, request=[(name, value)]), fresh_until=BEGUN)
    written, refused = saved(tmp_path, made)
    assert not refused
    assert not leaks(written, SECRET)


def test_base64_of_another_alphabet_is_refused_by_its_place(tmp_path):
    file = tmp_path / "users.har"
    file.write_text(har("é").replace('"text":', '"encoding": "base64", "text":'))
    with pytest.raises(RecordingError, match=r"entries\[0\].*is not base64"):
        read_recording(file)
