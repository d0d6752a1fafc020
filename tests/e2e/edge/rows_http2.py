"""Requests in HTTP/2 that would be two, or another's, in HTTP/1.1 (RFC 9113, section 10.3)."""

from typing import NamedTuple

Headers = list[tuple[str, str]]
_SMUGGLED = b"GET /web/smuggled HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


class Row2(NamedTuple):
    """What is sent, and how often the app is asked for it."""

    headers: Headers
    body: bytes = b""
    seen: int = 0


def _line(
    method: str = "GET",
    path: str = "/web/front",
    host: str = "127.0.0.1",
    scheme: str = "https",
) -> Headers:
    return [(":method", method), (":scheme", scheme), (":path", path), (":authority", host)]


def _get(*more: tuple[str, str], seen: int = 0) -> Row2:
    return Row2([*_line(), *more], b"", seen)


def _post(*more: tuple[str, str], body: bytes = b"hello", seen: int = 0) -> Row2:
    return Row2([*_line("POST", "/web/read"), *more], body, seen)


_NO_HOST = _line()[:3]
ROWS2 = {
    "nothing odd": _get(seen=1),
    "a body": _post(("content-length", "5"), seen=1),
    "a body without a length": _post(seen=1),
    "a length and chunks": _post(("content-length", "5"), ("transfer-encoding", "chunked")),
    "a length that is too short": _post(("content-length", "0"), body=_SMUGGLED),
    "a length that is too long": _post(("content-length", "500")),
    "two lengths": _post(("content-length", "5"), ("content-length", "0")),
    "chunks": Row2(
        [*_line("POST"), ("transfer-encoding", "chunked")], b"0\r\n\r\n" + _SMUGGLED, seen=1
    ),
    "lines in a value": _get(("x-a", "b\r\nTransfer-Encoding: chunked")),
    "a line feed in a value": _get(("x-a", "b\nX-Forwarded-For: evil")),
    "a carriage return in a value": _get(("x-a", "b\rc")),
    "a zero byte in a value": _get(("x-a", "b\0c")),
    "lines in a name": _get(("x-a: b\r\nx-b", "c")),
    "a header in a name": _get(("transfer-encoding: chunked\r\nx", "c")),
    "a colon in a name": _get(("x-a:b", "c")),
    "a blank in a name": _get(("x a", "c")),
    "an empty name": _get(("", "c")),
    "a name in capitals": _get(("X-Forwarded-For", "evil")),
    "an underscore": _get(("x_forwarded_for", "evil"), seen=1),
    "a request in the method": Row2(_line(f"{_SMUGGLED.decode()}GET")),
    "a blank in the method": Row2(_line("GET /web/smuggled")),
    "a method in small letters": Row2(_line("get")),
    "a blank in the path": Row2(_line(path="/web/front HTTP/1.1")),
    "a request in the path": Row2(_line(path=f"/web/a HTTP/1.1\r\n\r\n{_SMUGGLED.decode()}")),
    "a line feed in the path": Row2(_line(path="/web/front\n")),
    "a path without a slash": Row2(_line(path="web/front")),
    "an absolute path": Row2(_line(path="http://evil.example/web/front")),
    "an empty path": Row2(_line(path="")),
    "two paths": _get((":path", "/web/smuggled")),
    "no path": Row2([each for each in _line() if each[0] != ":path"]),
    "no method": Row2(_line()[1:]),
    "a scheme with a path": Row2(_line(scheme="https://evil.example/x?")),
    "http as the scheme": Row2(_line(scheme="http"), seen=1),
    "lines in the authority": Row2(_line(host="127.0.0.1\r\nX-Forwarded-For: evil")),
    "a user in the authority": Row2(_line(host="a@127.0.0.1")),
    "a path in the authority": Row2(_line(host="127.0.0.1/x")),
    "two authorities": _get((":authority", "evil.example")),
    "an authority and another host": _get(("host", "evil.example")),
    "two hosts": Row2([*_NO_HOST, ("host", "127.0.0.1"), ("host", "evil.example")]),
    "a host alone": Row2([*_NO_HOST, ("host", "127.0.0.1")], seen=1),
    "no host": Row2(_NO_HOST),
    "a pseudo-header that there is not": _get((":protocol", "websocket")),
    "CONNECT": Row2(_line("CONNECT")),
    "a connection": _get(("connection", "close, x-forwarded-for"), seen=1),
    "an upgrade": _get(("upgrade", "h2c"), seen=1),
    "te": _get(("te", "trailers"), seen=1),
    "what nginx says": _get(
        ("x-forwarded-for", "evil"),
        ("x-forwarded-for", "evil too"),
        ("x-forwarded-proto", "http"),
        ("x-request-id", "evilevilevil"),
        ("forwarded", "for=evil"),
        seen=1,
    ),
}
