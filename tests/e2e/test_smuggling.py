"""Over raw sockets, through the real nginx and gunicorn: the app sees one request, or none.

What it sees has the values that nginx knows, and none of what a client says of itself.
"""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.edge import http2
from tests.e2e.edge.rows import HOST, LIES, ROWS, SMUGGLED
from tests.e2e.edge.rows_http2 import ROWS2
from tests.e2e.edge.running import Edge, edge

OURS = {"/web/front", "/web/read"}
AFTER = f"GET /web/after HTTP/1.1\r\n{HOST}\r\n".encode()
HOP_BY_HOP = {"CONNECTION", "KEEP_ALIVE", "UPGRADE", "HTTP2_SETTINGS", "TE", "TRANSFER_ENCODING"}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    with edge(tmp_path_factory.mktemp("edge")) as found:
        yield found


@pytest.fixture
def watched(running: Edge) -> Edge:
    running.forget()
    return running


def holds(seen: list[dict[str, Any]], number: int) -> None:
    """As many requests as are wanted, each for what it was sent for, with the body it was sent."""
    assert len(seen) == number, seen
    for each in seen:
        assert each["RAW_URI"].removeprefix("http://127.0.0.1") in OURS or number == 1
        assert "smuggled" not in each["RAW_URI"]
        assert each.get("body", "hello") == "hello"


def trusted(seen: list[dict[str, Any]], port: int, scheme: str) -> None:
    """What nginx knows, and nothing else."""
    for each in seen:
        assert each["REMOTE_ADDR"] == each["HTTP_X_FORWARDED_FOR"] == each["HTTP_X_REAL_IP"]
        assert each["REMOTE_ADDR"] == "127.0.0.1"
        assert each["wsgi.url_scheme"] == each["HTTP_X_FORWARDED_PROTO"] == scheme
        assert each["HTTP_HOST"] == each["HTTP_X_FORWARDED_HOST"] == "127.0.0.1"
        assert each["HTTP_X_FORWARDED_PORT"] == str(port)
        assert each["HTTP_X_ORIGINAL_URI"] == each["RAW_URI"]
        assert each["RAW_URI"] in OURS
        assert re.fullmatch("[0-9a-f]{32}", each["HTTP_X_REQUEST_ID"])
        assert not [name for name, value in each.items() if "evil" in str(value)], each
        assert not {f"HTTP_{name}" for name in HOP_BY_HOP} & each.keys()


def goes_on(found: Edge) -> None:
    """The next request, over the connection that nginx has kept, has an answer of its own."""
    found.forget()
    assert found.say(found.plain, AFTER) == [404]
    assert [each["RAW_URI"] for each in found.seen] == ["/web/after"]


@pytest.mark.parametrize("name", ROWS)
def test_through_nginx_it_is_one_request_or_none(watched: Edge, name: str) -> None:
    row = ROWS[name]
    statuses = watched.say(watched.plain, row.raw.encode("latin-1"))
    holds(watched.seen, row.nginx)
    trusted(watched.seen, watched.plain, "http")
    assert len(statuses) <= 1, "what follows is no request"
    assert row.nginx or all(400 <= status < 600 for status in statuses)
    goes_on(watched)


@pytest.mark.parametrize("name", ROWS)
def test_gunicorn_alone_takes_it_for_one_request_or_none(watched: Edge, name: str) -> None:
    row = ROWS[name]
    watched.say(watched.gunicorn, row.raw.encode("latin-1"))
    holds(watched.seen, row.gunicorn)


@pytest.mark.parametrize("name", LIES)
def test_no_header_of_a_client_is_taken_for_nginxs(watched: Edge, name: str) -> None:
    raw = f"GET /web/front HTTP/1.1\r\n{HOST}{LIES[name]}\r\n"
    assert len(watched.say(watched.plain, raw.encode())) == 1
    holds(watched.seen, 1)
    trusted(watched.seen, watched.plain, "http")


@pytest.mark.parametrize("name", ROWS2)
def test_http_2_becomes_one_request_or_none(watched: Edge, name: str) -> None:
    row = ROWS2[name]
    said = http2.ask(watched.secure, str(watched.trust), row.headers, row.body)
    holds(watched.seen, row.seen)
    trusted(watched.seen, 443, "https")
    assert said.status or said.reset
    assert row.seen or said.reset or said.status >= 400
    goes_on(watched)


def test_two_requests_are_told_apart_where_there_are_two(watched: Edge) -> None:
    """Or the tests above would see nothing."""
    raw = f"POST /web/front HTTP/1.1\r\n{HOST}Content-Length: 0\r\n\r\n{SMUGGLED}".encode()
    for port in (watched.gunicorn, watched.plain):
        watched.forget()
        assert len(watched.say(port, raw)) == 2
        assert [each["RAW_URI"] for each in watched.seen] == ["/web/front", "/web/smuggled"]
