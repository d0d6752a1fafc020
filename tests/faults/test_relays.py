"""Relays under gunicorn as it is shipped: raw requests, and bodies larger than any memory."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path

import pytest

from tests.faults.deployed import Deployed, deployed, until
from tests.faults.streaming import (
    FRAMINGS,
    PIECE,
    UNKNOWN_CODING,
    Streaming,
    get,
    lines,
    raw,
    streaming,
)
from tests.web.test_target import LEADS, LEADS_NOWHERE

MEGABYTE = 1024 * 1024
LARGE = 192 * MEGABYTE
ALLOWED = 24 * MEGABYTE  # more memory than before: what two threads and their buffers take
RELAYS = {
    "files": "relay: /files/{path...} -> files:/v1/{path...}\n"
    "methods: [GET, PUT]\nmax_body: 999MB\n",
    "events": "relay: /events -> files:/events\nstream: events\nkeep_alive: 300ms\n",
    "short": "relay: /short -> files:/events\nstream: events\nmax_age: 1s\n",
}
VIEWS = {
    "told": "get: /told/{room}\nstream: events\nkeep_alive: 300ms\n"
    "params: {room: {type: integer}}\n"
    "call: {get: 'files:/events/{params.room}'}\n",
    "brief": "get: /brief\nstream: events\nmax_age: 1s\ncall: {get: 'files:/events'}\n",
}
EITHER = pytest.mark.parametrize("path", ["/web/events", "/web/told/7"])  # a relay, a view


@dataclass
class Site:
    app: Deployed
    service: Streaming


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("relays") / "config"
    with streaming() as service:
        services = f"  files: {{url: '{service.url}'}}\n"
        with deployed(folder, services, VIEWS, RELAYS, BFF_THREADS="8") as app:
            yield Site(app, service)


@pytest.mark.parametrize("target", [each for each in LEADS_NOWHERE if each])
def test_no_raw_target_reaches_the_service_beyond_its_tree(site: Site, target: str) -> None:
    site.service.asked.clear()
    assert get(site.app.port, target).split(b" ")[1][:1] == b"4"
    assert not site.service.asked


@pytest.mark.parametrize(("target", "wanted"), LEADS)
def test_a_raw_target_reaches_the_service_as_it_should(
    site: Site, target: str, wanted: str
) -> None:
    site.service.asked.clear()
    get(site.app.port, target)
    assert [path for _, path, _ in site.service.asked] == [wanted]


@pytest.mark.parametrize("framing", FRAMINGS)
def test_a_body_with_two_readings_reaches_no_service(site: Site, framing: str) -> None:
    site.service.asked.clear()
    request = f"PUT /web/files/a HTTP/1.1\r\nHost: 127.0.0.1\r\n{framing}\r\n\r\n0\r\n\r\nhello"
    answer = raw(site.app.port, request.encode())
    assert answer.split(b" ")[1] == (b"501" if framing == UNKNOWN_CODING else b"400"), answer
    assert not site.service.asked


def test_a_body_that_is_cut_off_is_no_body(site: Site) -> None:
    request = b"PUT /web/files/a HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 50\r\n\r\nhello"
    assert not raw(site.app.port, request).startswith(b"HTTP/1.1 200")


def peak(site: Site) -> int:
    """The most memory that any worker has had, in bytes."""
    found = []
    for worker in site.app.workers():
        lines = Path(f"/proc/{worker}/status").read_text().splitlines()
        found += [int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM")]
    return max(found)


def test_a_large_download_takes_no_memory(site: Site) -> None:
    site.app.ask("/web/files/1000000")
    before = peak(site)
    connection = HTTPConnection("127.0.0.1", site.app.port, timeout=60)
    connection.request("GET", f"/web/files/{LARGE}")
    reply = connection.getresponse()
    got = 0
    while piece := reply.read(MEGABYTE):
        got += len(piece)
    connection.close()
    assert (reply.status, got) == (200, LARGE)
    assert peak(site) - before < ALLOWED


@pytest.mark.parametrize("chunked", [False, True])
def test_a_large_upload_takes_no_memory(site: Site, *, chunked: bool) -> None:
    site.app.ask("/web/files/1000000")
    before = peak(site)
    connection = HTTPConnection("127.0.0.1", site.app.port, timeout=60)
    body = (PIECE for _ in range(LARGE // len(PIECE)))
    headers = {} if chunked else {"Content-Length": str(LARGE)}
    connection.request("PUT", "/web/files/a", body, headers, encode_chunked=chunked)
    reply = connection.getresponse()
    assert (reply.status, reply.read()) == (200, str(LARGE).encode())
    connection.close()
    assert peak(site) - before < ALLOWED


@contextmanager
def listening(site: Site, path: str, **headers: str) -> Iterator[HTTPResponse]:
    connection = HTTPConnection("127.0.0.1", site.app.port, timeout=10)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request("GET", path, headers=named)
    reply = connection.getresponse()
    try:
        yield reply
    finally:
        reply.close()
        connection.close()


@EITHER
def test_events_come_as_they_are_sent_and_silence_is_kept_alive(site: Site, path: str) -> None:
    site.service.asked.clear()
    with listening(site, path, Last_Event_ID="41") as reply:
        assert reply.status == 200
        assert reply.headers["Content-Type"] == "text/event-stream"
        assert reply.headers["X-Accel-Buffering"] == "no"
        until("a listener", lambda: site.service.listeners)
        site.service.say(b"id: 42\ndata: one\n\n")
        assert lines(reply, 3) == [b"id: 42\n", b"data: one\n", b"\n"]
        assert reply.readline() == b":\n"
    assert site.service.asked[0][2]["last-event-id"] == "41"
    until("the service is let go", lambda: not site.service.listeners)


@EITHER
def test_nothing_is_said_within_a_line(site: Site, path: str) -> None:
    with listening(site, path) as reply:
        until("a listener", lambda: site.service.listeners)
        site.service.say(b"data: tw")
        with listening(site, "/web/events") as later:  # its first line comes with the head
            assert [later.readline() for _ in range(3)] == [b":\n"] * 3  # kept alive, twice
        site.service.say(b"o\n\n")
        assert lines(reply, 2) == [b"data: two\n", b"\n"]


@pytest.mark.parametrize("path", ["/web/short", "/web/brief"])
def test_a_stream_ends_after_its_time(site: Site, path: str) -> None:
    with listening(site, path) as reply:
        assert reply.read() == b":\n"


def test_streams_leave_threads_for_everybody_else(site: Site) -> None:
    with ExitStack() as stack:
        paths = ["/web/events", "/web/told/7"]  # both are of the same share
        found = [stack.enter_context(listening(site, path)) for path in paths * 2]
        assert {reply.status for reply in found} == {200}
        for path in paths:
            with listening(site, path) as refused:
                assert refused.status == 503
                assert refused.headers["Retry-After"]
        assert site.app.ask("/web/files/5").body == b"01234"
    until("all are let go", lambda: not site.service.listeners)
    until("a place is free", lambda: _opens(site))


@pytest.mark.parametrize("path", ["/web/told/x", "/web/told/%2e%2e", "/web/told/7%2f8"])
def test_a_stream_with_bad_parameters_reaches_no_service(site: Site, path: str) -> None:
    site.service.asked.clear()
    with listening(site, path) as reply:
        assert 400 <= reply.status < 500
    assert not site.service.asked


def _opens(site: Site) -> bool:
    with listening(site, "/web/events") as reply:
        return reply.status == 200
