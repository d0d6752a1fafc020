"""Requests that two readers may read differently, and what the app sees of each.

A row is what is sent, then how many requests the app sees of it through nginx, and from gunicorn
alone. `{smuggled}` is a request of its own to one who reads the end of the first elsewhere.
"""

from typing import NamedTuple

HOST = "Host: 127.0.0.1\r\n"
SMUGGLED = f"GET /web/smuggled HTTP/1.1\r\n{HOST}\r\n"
_GET = f"GET /web/front HTTP/1.1\r\n{HOST}"
_POST = f"POST /web/front HTTP/1.1\r\n{HOST}"
_READ = f"POST /web/read HTTP/1.1\r\n{HOST}"  # the app reads its body, which is `hello`
_CHUNKED = "Transfer-Encoding: chunked\r\n"
_NOTHING = "\r\n0\r\n\r\n"


class Row(NamedTuple):
    """What is sent, and how often the app is asked for it."""

    raw: str
    nginx: int = 0
    gunicorn: int = 0


def _post(headers: str, body: str = "\r\n") -> Row:
    """Refused by both: what follows is no request of anybody's."""
    return Row(f"{_POST}{headers}{body}{SMUGGLED}")


# RFC 9112, sections 6 and 11.2; CVE-2024-1135, CVE-2024-6827
LENGTHS = {
    "length and chunks": _post(f"Content-Length: 6\r\n{_CHUNKED}", _NOTHING),
    "chunks and length": _post(f"{_CHUNKED}Content-Length: 6\r\n", _NOTHING),
    "two lengths": _post("Content-Length: 0\r\nContent-Length: 60\r\n"),
    "one length twice": _post("Content-Length: 0\r\nContent-Length: 0\r\n"),
    "a list of lengths": _post("Content-Length: 0, 60\r\n"),
    "a signed length": _post("Content-Length: +0\r\n"),
    "a negative length": _post("Content-Length: -1\r\n"),
    "a length in hexadecimal": _post("Content-Length: 0x0\r\n"),
    "an empty length": _post("Content-Length: \r\n"),
    "a length with a vertical tab": _post("Content-Length: \x0b0\r\n"),
    "a length with a blank before the colon": _post("Content-Length : 60\r\n"),
    "a length that no number holds": Row(f"{_POST}Content-Length: {'9' * 20}\r\n\r\n", 0, 1),
    "a length with an underscore": Row(f"{_POST}Content_Length: 60\r\n\r\n", 1, 1),
    "a body that looks like a request": Row(
        f"{_GET}Content-Length: {len(SMUGGLED)}\r\n\r\n{SMUGGLED}", 1, 1
    ),
    "a body of a HEAD": Row(
        f"HEAD /web/front HTTP/1.1\r\n{HOST}Content-Length: {len(SMUGGLED)}\r\n\r\n{SMUGGLED}", 1, 1
    ),
}

CODINGS = {
    "xchunked": _post("Transfer-Encoding: xchunked\r\n", _NOTHING),
    "chunked, then not": _post("Transfer-Encoding: chunked, identity\r\n", _NOTHING),
    "identity": _post("Transfer-Encoding: identity\r\nContent-Length: 0\r\n"),
    "chunked twice": _post(_CHUNKED * 2, _NOTHING),
    "chunked twice in a list": _post("Transfer-Encoding: chunked, chunked\r\n", _NOTHING),
    "chunked, and another": _post(f"{_CHUNKED}Transfer-Encoding: x\r\n", _NOTHING),
    "another, and chunked": _post(f"Transfer-Encoding: x\r\n{_CHUNKED}", _NOTHING),
    "chunked with a parameter": _post("Transfer-Encoding: chunked;a=b\r\n", _NOTHING),
    "chunked in quotes": _post('Transfer-Encoding: "chunked"\r\n', _NOTHING),
    "a vertical tab before": _post("Transfer-Encoding: \x0bchunked\r\n", _NOTHING),
    "a vertical tab after": _post("Transfer-Encoding: chunked\x0b\r\n", _NOTHING),
    "a blank before the colon": _post("Transfer-Encoding : chunked\r\n", _NOTHING),
    "on the next line": _post("Transfer-Encoding:\r\n chunked\r\n", _NOTHING),
    "none at all": _post("Transfer-Encoding: \r\nContent-Length: 0\r\n"),
    "of HTTP/1.0": Row(f"POST /web/front HTTP/1.0\r\n{HOST}{_CHUNKED}{_NOTHING}{SMUGGLED}"),
    "in capitals": Row(f"{_READ}TRANSFER-ENCODING: CHUNKED\r\n\r\n5\r\nhello\r\n0\r\n\r\n", 1, 1),
    "with an underscore": Row(
        f"{_POST}Transfer_Encoding: chunked\r\nContent-Length: 0\r\n\r\n", 1, 1
    ),
}


def _chunks(body: str, nginx: int = 0, gunicorn: int = 0, path: str = _READ) -> Row:
    return Row(f"{path}{_CHUNKED}\r\n{body}", nginx, gunicorn)


# nginx reads chunks and sends a length. gunicorn may have asked the app when it finds a bad one.
CHUNKS = {
    "an extension": _chunks("5;a=b\r\nhello\r\n0\r\n\r\n", 1, 1),
    "an open quote in one": _chunks('5;a="\r\nhello\r\n0\r\n\r\n', 1),
    "an extension that a line feed ends": _chunks("5;\nhello\r\n0\r\n\r\n", 1),
    "an extension with a carriage return": _chunks("5;\ra\r\nhello\r\n0\r\n\r\n"),
    "a blank after the size": _chunks("5 \r\nhello\r\n0\r\n\r\n", 1),
    "a blank before it": _chunks(" 5\r\nhello\r\n0\r\n\r\n"),
    "0x5": _chunks("0x5\r\nhello\r\n0\r\n\r\n"),
    "+5": _chunks("+5\r\nhello\r\n0\r\n\r\n"),
    "-1": _chunks("-1\r\nhello\r\n0\r\n\r\n"),
    "0_5": _chunks("0_5\r\nhello\r\n0\r\n\r\n"),
    "a size that no number holds": _chunks(f"{'f' * 17}1\r\nhello\r\n0\r\n\r\n", 0, 1, _POST),
    "more than its size": _chunks("2\r\nhello\r\n0\r\n\r\n"),
    "a trailer that names us": _chunks(
        "5\r\nhello\r\n0\r\nX-Forwarded-For: 6.6.6.6\r\nContent-Length: 0\r\n\r\n", 1
    ),
}

# RFC 9112, sections 2.2 and 5
LINES = {
    "a folded header": Row(f"{_GET}X-A: b\r\n c\r\n\r\n"),
    "a folded length": _post("X-A: b\r\n Content-Length: 60\r\nContent-Length: 0\r\n"),
    "a blank before the first header": Row(f"GET /web/front HTTP/1.1\r\n X: y\r\n{HOST}\r\n"),
    "line feeds alone": Row(f"{_GET}\r\n".replace("\r\n", "\n"), 1),
    "a line feed between headers": Row(f"{_GET}X-A: b\nContent-Length: 0\r\n\r\n", 1),
    "a carriage return in a value": _post("X-A: b\rContent-Length: 60\r\nContent-Length: 0\r\n"),
    "a zero byte in a value": Row(f"{_GET}X-A: b\0c\r\n\r\n"),
    "lines before the first": Row(f"\r\n\r\n{_GET}\r\n", 1),
    "a header without a name": Row(f"{_GET}: x\r\n\r\n"),
    "a header without a colon": Row(f"{_GET}X-A\r\n\r\n", 1),
    "a name with a bracket": Row(f"{_GET}X(A): y\r\n\r\n", 1),
    "a name that is not ASCII": Row(f"{_GET}X-\xe4: y\r\n\r\n", 1),
    "the PROXY protocol": Row(f"PROXY TCP4 6.6.6.6 127.0.0.1 1 2\r\n{_GET}\r\n"),
}


def _target(line: str, nginx: int = 0, gunicorn: int = 0) -> Row:
    return Row(f"{line}\r\n{HOST}\r\n", nginx, gunicorn)


# RFC 9112, section 3
TARGETS = {
    "absolute, of our host": _target("GET http://127.0.0.1/web/front HTTP/1.1", 1, 1),
    "absolute, of another": _target("GET http://evil.example/web/front HTTP/1.1", 0, 1),
    "absolute, with a user": _target("GET http://a@127.0.0.1/web/front HTTP/1.1", 0, 1),
    "of CONNECT": _target("CONNECT evil.example:443 HTTP/1.1", 0, 1),
    "of TRACE": _target("TRACE /web/front HTTP/1.1", 0, 1),
    "an asterisk": _target("OPTIONS * HTTP/1.1", 0, 1),
    "with a blank in it": _target("GET /web/front HTTP/1.1 HTTP/1.1"),
    "with tabs around it": _target("GET\t/web/front\tHTTP/1.1"),
    "with a zero byte": _target("GET /web/front\0 HTTP/1.1"),
    "that is not ASCII": _target("GET /web/front\xc3\xa4 HTTP/1.1"),
    "without a slash": _target("GET web/front HTTP/1.1"),
    "two blanks before it": _target("GET  /web/front HTTP/1.1", 1),
    "of HTTP/0.9": Row("GET /web/front\r\n"),
    "of HTTP/2.0 in a line": _target("GET /web/front HTTP/2.0"),
    "of http/1.1": _target("GET /web/front http/1.1"),
    "the preface of HTTP/2": Row("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    "a method in small letters": _target("get /web/front HTTP/1.1"),
    "a method with a bracket": _target("G(T /web/front HTTP/1.1"),
}


def _host(headers: str, nginx: int = 0, gunicorn: int = 0) -> Row:
    return Row(f"GET /web/front HTTP/1.1\r\n{headers}\r\n", nginx, gunicorn)


# RFC 9112, section 3.2; what gunicorn lets through the app refuses with 421
HOSTS = {
    "two": _host(f"{HOST}Host: evil.example\r\n"),
    "one twice": _host(HOST * 2),
    "none": _host("", 0, 1),
    "an empty one": _host("Host: \r\n", 0, 1),
    "a list": _host("Host: 127.0.0.1, evil.example\r\n", 0, 1),
    "with a user": _host("Host: 127.0.0.1@evil.example\r\n", 0, 1),
    "with a path": _host("Host: 127.0.0.1/evil\r\n", 0, 1),
    "with a port that is none": _host("Host: 127.0.0.1:evil\r\n", 0, 1),
    "a blank before the colon": _host(f"{HOST}Host : evil.example\r\n"),
    "with an underscore": _host(f"{HOST}Ho_st: evil.example\r\nX_Host: evil.example\r\n", 1, 1),
}

ROWS = {
    f"{kind}: {name}": row
    for kind, rows in (
        ("length", LENGTHS),
        ("coding", CODINGS),
        ("chunk", CHUNKS),
        ("line", LINES),
        ("target", TARGETS),
        ("host", HOSTS),
    )
    for name, row in rows.items()
}

_H2C = "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n"
_OURS = ("X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Port")
_OURS += ("X-Real-IP", "X-Request-Id", "X-Original-URI")
_FOREIGN = ("Forwarded", "X-Forwarded-Prefix", "X-Forwarded-Ssl", "X-Forwarded-Scheme")
_FOREIGN += ("X-Forwarded-Server", "X-Forwarded-User", "X-Forwarded-Uri", "X-Forwarded-Method")
_FOREIGN += ("Remote-User", "X-Remote-User", "X-Client-IP", "X-Cluster-Client-IP", "True-Client-IP")
_FOREIGN += ("X-Original-Url", "X-Original-Host", "X-Rewrite-Url", "X-Http-Method-Override")
_FOREIGN += ("X-Url-Scheme", "X-Scheme", "Front-End-Https", "BFF-Subject", "Proxy")
LIES = {  # headers that a client may send to be taken for somebody else
    **{name: f"{name}: evil\r\n" for name in _OURS + _FOREIGN},
    "twice": "".join(f"{name}: {each}\r\n" for name in _OURS for each in ("evil", "evil too")),
    "underscores": "".join(f"{name.replace('-', '_')}: evil\r\n" for name in _OURS + _FOREIGN),
    "one underscore": "X-Forwarded_For: evil\r\nX_Forwarded-Proto: https\r\n",
    "dots": "".join(f"{name.replace('-', '.')}: evil\r\n" for name in _OURS),
    "small letters": "".join(f"{name.lower()}: evil\r\n" for name in _OURS + _FOREIGN),
    "empty": "".join(f"{name}:\r\n" for name in _OURS),
    "https": "X-Forwarded-Proto: https\r\nForwarded: proto=https;host=evil;for=evil\r\n",
    "named by Connection": f"Connection: close, {', '.join(_OURS)}\r\nX-Forwarded-For: evil\r\n",
    "Connection: close": "Connection: close\r\nX-Request-Id: evil\r\n",
    "Connection: keep-alive": "Connection: keep-alive\r\nKeep-Alive: timeout=9\r\n",
    "an upgrade to HTTP/2": f"Connection: Upgrade, HTTP2-Settings\r\n{_H2C}",
    "an upgrade to a WebSocket": "Connection: Upgrade\r\nUpgrade: websocket\r\n",
    "an expectation": "Expect: 100-continue\r\n",
    "an expectation of what there is not": "Expect: the-unexpected\r\n",
    "WSGI's own": "SCRIPT_NAME: /evil\r\nPATH_INFO: /evil\r\nREMOTE_USER: evil\r\n",
}
