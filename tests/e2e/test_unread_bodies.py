"""Answers that are given before the body is read: through nginx they arrive, and harm no one."""

import threading
import time
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.e2e.edge import http2
from tests.e2e.edge.refusing import (
    REFUSED,
    TOO_LARGE,
    Refused,
    Refusing,
    header,
    refusing,
    request,
    sent,
)
from tests.faults.deployed import ask, until

KB = 1024
SIZES = (0, 1, 64 * KB - 1, 64 * KB, 64 * KB + 1, 66_000, 128 * KB + 1, 150_000, 700_000)
LIMIT = (1024 * KB - 1, 1024 * KB, 1024 * KB + 1, 1100 * KB)


@pytest.fixture(scope="module")
def apps(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Refusing]:
    quick = {"BFF_NGINX_RATE": "10000r/s", "BFF_NGINX_BURST": 1000, "BFF_NGINX_WORKERS": 1}
    with refusing(tmp_path_factory.mktemp("refusing"), **quick) as found:
        for port in found.apps:  # the only sign-in that its limit allows
            ask(port, "/auth/login")
        yield found
        # No request was answered by nginx itself, or by the second app that it asked.
        ask(found.plain, "/open/last")
        until("all is logged", lambda: any(each[0] == "/open/last" for each in found.tries()))
        odd = [each for each in found.tries() if each[1] != 413 and str(each[1]) != each[2]]
        assert not odd


def expected(row: Refused, size: int) -> int:
    """nginx refuses what is larger than the limit, except where nothing reads it before."""
    return 413 if size > 1024 * KB else row.status


@pytest.mark.parametrize("framing", ["length", "chunked"])
@pytest.mark.parametrize("name", REFUSED)
def test_every_refusal_arrives_through_nginx(apps: Refusing, name: str, framing: str) -> None:
    row = REFUSED[name]
    for size in (*SIZES, *LIMIT):
        told = sent(apps.plain, request(row, size, chunked=framing == "chunked"))
        assert told.startswith(b"HTTP/1.1 %d " % expected(row, size)), (size, told)


@pytest.mark.parametrize("name", REFUSED)
def test_every_refusal_arrives_in_http_2(apps: Refusing, name: str) -> None:
    row = REFUSED[name]
    head = [(":method", row.method), (":scheme", "https"), (":path", row.path)]
    head += [(":authority", "127.0.0.1")]
    head += [(each.lower(), value) for each, value in row.headers.items()]
    for size in (*SIZES, *LIMIT):
        body = b"x" * size
        length = [("content-length", str(size))] if size % 2 else []
        said = http2.ask(apps.secure, str(apps.trust), head + length, body)
        assert said.status == expected(row, size), (size, said)


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_what_is_too_large_for_a_view_is_refused(apps: Refusing, framing: str) -> None:
    for size in (*SIZES[2:], *LIMIT):
        for port in (apps.plain, apps.apps[0]):
            told = sent(port, request(TOO_LARGE, size, chunked=framing == "chunked"))
            assert told.startswith(b"HTTP/1.1 413 "), (size, told)


@pytest.mark.parametrize("framing", ["length", "chunked"])
@pytest.mark.parametrize("name", REFUSED)
def test_every_refusal_arrives_without_nginx(apps: Refusing, name: str, framing: str) -> None:
    row = REFUSED[name]
    for size in (*SIZES, *LIMIT):
        told = sent(apps.apps[0], request(row, size, chunked=framing == "chunked"))
        assert int(told[9:12]) in {row.status, 413 if size > 1024 * KB else 0}, (size, told)
        if size <= 1024 * KB and row.status != 431 and "\x01" not in row.headers.values():
            assert header(told.partition(b"\r\n\r\n")[0], "connection") == "keep-alive", size


@pytest.mark.parametrize("size", [100, 2000, 3000, 8000])
@pytest.mark.parametrize("letter", ["/", "a", "%"])
def test_a_long_way_back_is_no_failure_of_an_app(apps: Refusing, size: int, letter: str) -> None:
    """The Location of a page that needs a sign-in repeats its target; nginx reads so much only."""
    target = f"/web/seen?{letter * size}"
    html = "Accept: text/html\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n"
    told = sent(apps.plain, f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\n{html}\r\n".encode())
    assert told.startswith(b"HTTP/1.1 302 ")
    assert header(told.partition(b"\r\n\r\n")[0], "location").startswith("/auth/login")


def test_large_bodies_that_are_refused_take_no_app_from_others(tmp_path_factory) -> None:
    """Sixteen a second, with nginx's defaults: each used to count as a failure of an app."""
    with refusing(tmp_path_factory.mktemp("innocent")) as found:
        raw = request(REFUSED["sign-in by POST"], 150_000)
        end, refused, served = time.monotonic() + 8, Counter(), Counter()

        def attack() -> None:
            while time.monotonic() < end:
                refused[sent(found.plain, raw)[9:12]] += 1
                stopped.wait(1 / 4)

        stopped = threading.Event()
        attackers = [threading.Thread(target=attack) for _ in range(4)]
        for attacker in attackers:
            attacker.start()
        while time.monotonic() < end:
            served[ask(found.plain, "/open/page").status] += 1
            stopped.wait(1 / 25)
        for attacker in attackers:
            attacker.join()
        assert served.keys() == {200}, served
        assert refused.keys() == {b"405"}, refused
