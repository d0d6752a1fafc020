"""Requests as no client should write them, to gunicorn without nginx: refused, and noticed."""

import json
import os
import re
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress

import pytest

from tests.e2e.edge.refusing import header, sent, whole
from tests.faults.deployed import Deployed, ask, deployed, until

VIEWS = {
    "page": "get: /page\naccess: public\ncall: {get: s:/x, optional: true}\n",
    "save": "post: /save\nbody: {type: object}\naccess: public\n"
    "call: {post: s:/x, optional: true}\n",
}
RELAYS = {"files": "relay: '/files/{rest...} -> s:/{rest...}'\nmethods: [POST]\naccess: public\n"}
SERVICES = "  s: {url: 'http://127.0.0.1:9'}\n"
THREADS = 8
HEAD = "POST /web/save HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
CHUNKED = f"{HEAD}Transfer-Encoding: chunked\r\n\r\n"
SECRET = "s3cr3t-c0de"


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    folder = tmp_path_factory.mktemp("alone") / "config"
    with deployed(folder, SERVICES, VIEWS, RELAYS, BFF_THREADS=str(THREADS)) as found:
        yield found


def problem(told: bytes, status: int) -> None:
    """It is one answer, of this status, as RFC 9457 has it."""
    head, _, body = told.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status), told
    assert header(head, "content-type") == "application/problem+json"
    content = json.loads(body)
    assert content["status"] == status
    assert content["id"] == header(head, "x-request-id")
    assert content["title"]


BAD_BODIES = {
    "a size that is no number": f"{CHUNKED}zz\r\n{{}}\r\n0\r\n\r\n",
    "a negative size": f"{CHUNKED}-2\r\n{{}}\r\n0\r\n\r\n",
    "no size": f"{CHUNKED}\r\n{{}}\r\n0\r\n\r\n",
    "a size that is too small": f"{CHUNKED}1\r\n{{}}\r\n0\r\n\r\n",
    "no end of a chunk": f"{CHUNKED}2\r\n{{}}0\r\n\r\n",
    "a size without end": f"{CHUNKED}{'1' * 20_000}",
    "a bad extension": f"{CHUNKED}2;=\r\n{{}}\r\n0\r\n\r\n",
    "a bad trailer": f"{CHUNKED}2\r\n{{}}\r\n0\r\nno colon\r\n\r\n",
    "a forbidden trailer": f"{CHUNKED}2\r\n{{}}\r\n0\r\nContent-Length: 5\r\n\r\n",
    "a trailer without a return": f"{CHUNKED}2\r\n{{}}\r\n0\r\nA: b\nC: d\r\n\r\n",
    "a large trailer": f"{CHUNKED}2\r\n{{}}\r\n0\r\nA: {'b' * 20_000}\r\n\r\n",
    "many trailers": f"{CHUNKED}2\r\n{{}}\r\n0\r\n" + "A: b\r\n" * 200 + "\r\n",
}


@pytest.mark.parametrize("path", ["/web/save", "/web/files/x"])
@pytest.mark.parametrize("name", BAD_BODIES)
def test_a_body_that_is_malformed_is_the_clients_fault(
    alone: Deployed, name: str, path: str
) -> None:
    told = sent(alone.port, BAD_BODIES[name].replace("/web/save", path).encode())
    if b" 502 " not in told[:20]:  # a relay whose service is away has not read it
        problem(told, 400)
        assert header(told.partition(b"\r\n\r\n")[0], "connection") == "close"
    assert path == "/web/files/x" or told.startswith(b"HTTP/1.1 400 ")
    assert "unexpected" not in alone.log.read_text()


@pytest.mark.parametrize("raw", [f"{CHUNKED}9\r\n{{}}", f"{HEAD}Content-Length: 9\r\n\r\n{{}}"])
def test_a_body_that_is_cut_off_is_the_clients_fault(alone: Deployed, raw: str) -> None:
    with closing(socket.create_connection(("127.0.0.1", alone.port), 10)) as line:
        line.sendall(raw.encode())
        line.shutdown(socket.SHUT_WR)
        told = b""
        while some := line.recv(65536):
            told += some
    problem(told, 400)
    assert "unexpected" not in alone.log.read_text()


MALFORMED = {
    "no request line": ("nonsense\r\n\r\n", 400),
    "a lower-case method": (f"get /{SECRET} HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "a version": (f"GET /{SECRET} HTTP/3.0\r\nHost: a\r\n\r\n", 400),
    "a blank in the target": (f"GET /a {SECRET} HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "a long target": (f"GET /{SECRET}{'a' * 9000} HTTP/1.1\r\nHost: a\r\n\r\n", 414),
    "a header without a colon": (f"GET / HTTP/1.1\r\nHost: a\r\n{SECRET}\r\n\r\n", 400),
    "a large header": (f"GET / HTTP/1.1\r\nHost: a\r\nA: {SECRET * 2000}\r\n\r\n", 431),
    "many headers": (f"GET / HTTP/1.1\r\nHost: a\r\n{'A: b' * 1}\r\n" + "A: b\r\n" * 200, 431),
    "a coding": ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: x\r\n\r\n", 501),
    "an expectation": (f"POST / HTTP/1.1\r\nHost: a\r\nExpect: {SECRET}\r\n\r\n", 417),
    "two lengths": ("POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
    "a bad port": ("GET /livez HTTP/1.1\r\nHost: 127.0.0.1:99999\r\n\r\n", 400),
    "another host in the target": (
        "GET http://other/web/page HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        400,
    ),
    "another port in the target": (
        "GET http://127.0.0.1:81/web/page HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        400,
    ),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_what_never_reaches_a_view_is_answered_as_a_problem(alone: Deployed, name: str) -> None:
    raw, status = MALFORMED[name]
    raw += "\r\n" if name == "many headers" else ""
    problem(sent(alone.port, raw.encode()), status)
    assert SECRET not in alone.log.read_text()


@pytest.mark.parametrize("value", ["close", "Close", "X, close", "close , keep-alive", "x,\tclose"])
def test_a_connection_is_closed_where_the_client_says_so(alone: Deployed, value: str) -> None:
    raw = f"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: {value}\r\n\r\n"
    head = sent(alone.port, raw.encode()).partition(b"\r\n\r\n")[0]
    assert header(head, "connection") == "close"


@pytest.mark.parametrize("value", ["keep-alive", "X", "disclose", "X, keep-alive"])
def test_a_connection_is_kept_otherwise(alone: Deployed, value: str) -> None:
    raw = f"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: {value}\r\n\r\n"
    head = sent(alone.port, raw.encode()).partition(b"\r\n\r\n")[0]
    assert header(head, "connection") == "keep-alive"


def test_only_a_body_that_is_wanted_is_asked_for(alone: Deployed) -> None:
    """`Expect: 100-continue` (RFC 9110, section 10.1.1)."""
    expecting = "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n"
    for path, start in (("/web/save", b"HTTP/1.1 100 "), ("/web/nothing", b"HTTP/1.1 404 ")):
        with closing(socket.create_connection(("127.0.0.1", alone.port), 10)) as line:
            line.sendall(f"{HEAD.replace('/web/save', path)}{expecting}".encode())
            told = line.recv(65536)
            assert told.startswith(start)
            if b" 100 " in told:
                line.sendall(b"{}")
                assert line.recv(65536).startswith(b"HTTP/1.1 200 ")
            else:
                assert header(told.partition(b"\r\n\r\n")[0], "connection") == "close"


def refused(port: int, length: int) -> socket.socket:
    """A connection whose request has been refused while its body is on the way."""
    line = socket.create_connection(("127.0.0.1", port), 10)
    head = f"POST /nowhere HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {length}\r\n\r\n"
    line.sendall(head.encode())
    told = b""
    while not whole(told):
        told += line.recv(65536)
    assert told.startswith(b"HTTP/1.1 404 ")
    return line


def test_a_body_that_dribbles_unread_holds_no_thread(alone: Deployed) -> None:
    with ExitStack() as stack:
        lines = [stack.enter_context(closing(refused(alone.port, 100_000))) for _ in range(2)]
        began, ended = time.monotonic(), threading.Event()

        def dribble() -> None:
            while not ended.wait(0.2):
                for line in lines:
                    with suppress(OSError):
                        line.sendall(b"x")

        thread = threading.Thread(target=dribble)
        thread.start()
        try:
            for line in lines:
                assert line.recv(1) == b""  # half closed, with the answer read
                assert time.monotonic() - began < 3
            until("closed", lambda: all(reset(line) for line in lines), 7)
            assert 3 < time.monotonic() - began < 7
        finally:
            ended.set()
            thread.join()


def reset(line: socket.socket) -> bool:
    """Whether the other side has closed all of it: what is sent is refused."""
    try:
        line.sendall(b"x")
    except OSError:
        return True
    return False


def test_many_unread_bodies_leave_threads_for_others(alone: Deployed) -> None:
    """Three times as many as there are threads; each may hold one for a second."""
    with ExitStack() as stack:
        for _ in range(3 * THREADS):
            stack.enter_context(closing(refused(alone.port, 100_000)))
        began = time.monotonic()
        assert ask(alone.port, "/livez").status == 200
        assert time.monotonic() - began < 3


def test_a_body_that_does_not_come_is_not_waited_for(alone: Deployed) -> None:
    with closing(refused(alone.port, 100_000)) as line:
        began = time.monotonic()
        assert line.recv(1) == b""
        assert 0.5 < time.monotonic() - began < 2.5


def test_more_is_not_read_than_nginx_lets_through(alone: Deployed) -> None:
    """What is too long to be discarded is announced as closed, and the client need not send it."""
    with closing(socket.create_connection(("127.0.0.1", alone.port), 10)) as line:
        length = 50_000_000
        head = f"POST /nowhere HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n"
        line.sendall(head.encode())
        told = line.recv(65536)
        assert header(told.partition(b"\r\n\r\n")[0], "connection") == "close"
        sent_, piece = 0, b"x" * 65536
        with suppress(OSError):
            while sent_ < length:
                sent_ += line.send(piece)
        assert sent_ < length / 2, "what the system buffers, and the limit"


def figures(alone: Deployed) -> str:
    return ask(alone.management, "/metrics").body.decode()


HALF = {
    "head": f"GET /web/page HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A: {'b' * 100}",
    "body": f"{HEAD}Content-Length: 9\r\n\r\n{{",
}


@pytest.mark.parametrize("part", HALF)
def test_threads_that_wait_for_a_request_are_counted(alone: Deployed, part: str) -> None:
    def counted() -> str:
        level = re.compile(f'^bff_threads_reading{{part="{part}"}} (.*)$', re.MULTILINE)
        (line,) = level.findall(figures(alone))
        return line

    assert ask(alone.port, "/livez").status == 200
    with ExitStack() as stack:
        for _ in range(3):
            line = socket.create_connection(("127.0.0.1", alone.port), 10)
            stack.enter_context(closing(line)).sendall(HALF[part].encode())
        until("three are counted", lambda: counted() == "3.0")
    until("none is counted", lambda: counted() == "0.0")


def test_a_worker_that_is_killed_is_counted_and_logged(alone: Deployed) -> None:
    killed = re.compile(r'^bff_workers_ended_total{reason="SIGKILL"} (\d)', re.MULTILINE)
    assert killed.findall(figures(alone)) == ["0"]  # there before it counts
    (worker,) = alone.workers()
    os.kill(worker, signal.SIGKILL)
    until("another worker", lambda: worker not in alone.workers() and alone.workers())
    until("an answer", lambda: ask(alone.port, "/livez").status == 200)
    assert killed.findall(figures(alone)) == ["1"]
    lines = [each for each in alone.log.read_text().splitlines() if "worker ended" in each]
    (line,) = map(json.loads, lines)
    assert (line["worker"], line["reason"], line["level"]) == (worker, "SIGKILL", "error")
    assert "was sent SIGKILL" not in alone.log.read_text()
