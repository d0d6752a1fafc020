"""Replies as llhttp and our framing take them, held against h11, which the pool reads with.

Whatever is accepted, h11 accepts too, with the same status, headers and body, and no connection is
kept that h11 would close. What is stricter than h11 is listed, and nothing else is.
"""

import re

import h11
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bff.errors import BadReply, BffError, MemoryReached, TooMany
from bff.upstream.memory import Memory
from bff.upstream.sockets.reply_parser import MOST_HEAD, ReplyParser

SLOW = [HealthCheck.too_slow]  # a busy machine
LIMIT = 1024 * 1024
OK = b"HTTP/1.1 200 OK\r\n"
REFUSED = ("refused",)
UNFINISHED = ("unfinished",)


def parse(parts, method="GET", *, ended=False, limit=LIMIT, memory=None):
    """What a reply comes to: its parts, and whether its connection is kept."""
    memory = memory or Memory()
    parser = ReplyParser(method, limit, memory, memory.lease())
    try:
        for number, part in enumerate(parts, 1):
            if part:
                parser.feed(part)
            if parser.complete:
                # what was not read yet lies in the socket, where it is found before the next use
                left = b"".join(parts[number:])
                return outcome(parser, surplus=parser.surplus or bool(left))
        if ended and parser.end():
            return outcome(parser, surplus=False)
    except BadReply:
        return REFUSED
    finally:
        parser.close()
    return UNFINISHED


def outcome(parser, *, surplus):
    kept = parser.keeps_connection and not surplus
    headers = tuple(  # h11 has this one in small letters
        (name, value.lower() if name == "transfer-encoding" else value)
        for name, value in parser.headers
    )
    return parser.status, headers, parser.body, kept


def parse_by_h11(parts, method="GET", *, ended=False):
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=MOST_HEAD)
    connection.send(h11.Request(method=method, target="/", headers=[("Host", "h")]))
    connection.send(h11.EndOfMessage())
    head, body = None, b""
    try:
        for part in [*(each for each in parts if each), *([b""] if ended else [])]:
            connection.receive_data(part)
            while True:
                event = connection.next_event()
                if isinstance(event, h11.Response):
                    head = event
                elif isinstance(event, h11.Data):
                    body += bytes(event.data)
                elif isinstance(event, h11.EndOfMessage):
                    return outcome_of(connection, head, body, was_open=bool(part))
                elif event is h11.NEED_DATA:
                    break
                elif event is h11.PAUSED or isinstance(event, h11.ConnectionClosed):
                    return REFUSED
    except h11.RemoteProtocolError:
        truncated = ended and head is not None
        return UNFINISHED if truncated else REFUSED
    return UNFINISHED


def outcome_of(connection, head, body, *, was_open):
    surplus = bool(connection.trailing_data[0])
    kept = connection.their_state is h11.DONE and connection.our_state is h11.DONE
    kept = kept and was_open and not surplus
    headers = tuple(
        (name.decode("latin-1"), value.decode("latin-1")) for name, value in head.headers
    )
    return head.status_code, headers, body, kept


# -- generated and mutated ------------------------------------------------------------------------

NAMES = ["X-A", "Content-Type", "Connection", "Date", "ETag", "Set-Cookie", "Keep-Alive", "Trailer"]
VALUES = ["", "a", "a b", "close", "Keep-Alive", "x, close", "\t padded \t", "é", "a\x01b", '"e"']
HEADERS = st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(VALUES)), max_size=4)
BODIES = st.binary(max_size=60) | st.just(b"x" * 300)
STATUSES = st.sampled_from([200, 201, 204, 206, 301, 304, 404, 500, 599, 999])
INTERIM = st.lists(st.sampled_from([100, 102, 103, 110]), max_size=2)
METHODS = st.sampled_from(["GET", "GET", "GET", "HEAD", "POST"])


@st.composite
def replies(draw):
    """A reply that is well formed, in all ways in which one may be framed."""
    status, body = draw(STATUSES), draw(BODIES)
    version = draw(st.sampled_from(["1.1", "1.1", "1.1", "1.0"]))
    reason = draw(st.sampled_from(["OK", "", "Not Found", "é"]))
    lines = [f"{name}: {value}" for name, value in draw(HEADERS)]
    framing = draw(st.sampled_from(["length", "chunked", "close", "none"]))
    if framing == "length":
        lines.insert(draw(st.integers(0, len(lines))), f"Content-Length: {len(body)}")
        payload = body
    elif framing == "chunked":
        lines.append(f"Transfer-Encoding: {draw(st.sampled_from(['chunked', 'Chunked']))}")
        payload = draw(chunks(body))
    else:
        payload = body if framing == "close" else b""
    head = "\r\n".join([f"HTTP/{version} {status} {reason}", *lines, "", ""])
    before = "".join(f"HTTP/1.1 {each} Early\r\nLink: </a>\r\n\r\n" for each in draw(INTERIM))
    return before.encode("latin-1") + head.encode("latin-1") + payload


@st.composite
def chunks(draw, body):
    size = draw(st.integers(1, 40))
    extension = draw(st.sampled_from(["", ";a", ";a=b", ';a="b"']))
    found = b""
    for at in range(0, len(body), size):
        piece = body[at : at + size]
        found += f"{len(piece):x}{extension}\r\n".encode() + piece + b"\r\n"
    trailers = draw(st.sampled_from([b"", b"X-Trailer: 1\r\n"]))
    return found + b"0\r\n" + trailers + b"\r\n"


SPLINTERS = [
    *(
        b"\r\n",
        b"\n",
        b"\r",
        b"\0",
        b" ",
        b"\t",
        b":",
        b"\x0b",
        b"\x80",
        b",",
        b";",
        b"0",
        b"-1",
        b"+5",
    ),
    *(b"\r\n ", b"\r\n\r\n", b"\n\n", b"Content-Length: 3\r\n", b"content-length: 3\r\n", b"close"),
    *(b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding: gzip\r\n", b"chunked", b"identity"),
    *(
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/2.0",
        b"HTTP/1.0",
        b"ICY 200 OK",
        b"204",
    ),
    *(b"101", b"Upgrade: h2c\r\nConnection: upgrade\r\n", b"f" * 20, b"9" * 25, b"1_0", b"0x1"),
]


@st.composite
def mutated(draw):
    """A reply that is broken somewhere, or has something after it."""
    found = draw(replies())
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(found)))
        until = min(len(found), at + draw(st.sampled_from([0, 0, 1, 2, 8])))
        found = found[:at] + draw(st.sampled_from([b"", *SPLINTERS])) + found[until:]
    return found


def cut(raw, places):
    """The pieces in which it arrives."""
    at = sorted({min(each, len(raw)) for each in places})
    return [raw[a:b] for a, b in zip([0, *at], [*at, len(raw)], strict=True)]


CUTS = st.lists(st.integers(0, 400), max_size=4)
STRICTER = [
    re.compile(pattern, re.DOTALL)
    for pattern in (
        rb"(?<!\r)\n",  # a line that ends with LF alone (RFC 9112, section 2.2)
        rb"\r(?!\n)",  # a CR that ends no line
        rb"\r\n[ \t]",  # a folded header (RFC 9112, section 5.2)
        rb"(?i)content-length.*(content-length|,)",  # two lengths, be they equal
        rb"(?i)content-length.*transfer-encoding|transfer-encoding.*content-length",
        rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]",  # control characters in a header
        rb"HTTP/(?!1\.[01])",  # another version
        rb"HTTP/1\.0 1\d\d",  # 1xx has no place in HTTP/1.0 (RFC 9110, section 15.2)
        rb"(?i)HTTP/1\.1 1\d\d(?:(?!\r\n\r\n).)*\r\nconnection",  # nor has its end
        rb"(?i)connection: *[^\r]*upgrade",
        rb"HTTP/1.1 1\d\d [^\r]*\r\n.*(?i:content-length|transfer-encoding)",  # 1xx with a body
        rb"\r\n[0-9a-fA-F]+[ \t;]",  # extensions of chunks, which h11 skips unread
        rb"\r\n0[^\r]*\r\n.+\r\n\r\n",  # trailers
    )
]


def check(raw, method, places, ended):
    parts = cut(raw, places)
    ours, theirs = parse(parts, method, ended=ended), parse_by_h11(parts, method, ended=ended)
    if ours in (REFUSED, UNFINISHED):
        if theirs not in (REFUSED, UNFINISHED):
            assert any(each.search(raw) for each in STRICTER), (raw, ours, theirs)
        return
    assert theirs not in (REFUSED, UNFINISHED), (raw, ours, theirs)
    assert ours[:3] == theirs[:3], (raw, ours, theirs)
    assert theirs[3] or not ours[3], ("kept, where h11 closes", raw)


@settings(max_examples=400, deadline=None, suppress_health_check=SLOW)
@given(replies(), METHODS, CUTS)
def test_what_is_well_formed_is_read_alike(raw, method, places):
    parts = cut(raw, places)
    ours, theirs = parse(parts, method, ended=True), parse_by_h11(parts, method, ended=True)
    if ours != REFUSED or not any(each.search(raw) for each in STRICTER):
        assert ours[:3] == theirs[:3]
        in_doubt = places and b"hunked" in raw
        assert ours[3:] == theirs[3:] or (in_doubt and not ours[3])


@settings(max_examples=700, deadline=None, suppress_health_check=SLOW)
@given(mutated(), METHODS, CUTS, st.booleans())
@example(raw=OK + b"Content-Length: 5\r\n\r\nhello\r\n", method="GET", places=[], ended=False)
@example(raw=b"\r\n" + OK + b"Content-Length: 0\r\n\r\n", method="GET", places=[], ended=False)
def test_what_is_broken_is_never_read_more_loosely(raw, method, places, ended):
    check(raw, method, places, ended)


@pytest.mark.large
@settings(max_examples=20_000, deadline=None, suppress_health_check=SLOW)
@given(mutated(), METHODS, CUTS, st.booleans())
def test_what_is_broken_is_never_read_more_loosely_at_length(raw, method, places, ended):
    check(raw, method, places, ended)


# -- what is refused, and where replies end -------------------------------------------------------


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
        OK + b"X-A: a\r\n b\r\nContent-Length: 0\r\n\r\n",
        OK + b"X-A: a\0b\r\nContent-Length: 0\r\n\r\n",
        OK + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
        OK + b"Content-Length: 2, 2\r\n\r\n{}",
        OK + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        OK + b"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        OK + b"Transfer-Encoding: gzip\r\n\r\n",
        OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        OK + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        OK + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\n-2\r\n{}\r\n0\r\n\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\n0x2\r\n{}\r\n0\r\n\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}0\r\n\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
        OK + b"Content-Length: -1\r\n\r\n",
        OK + b"Content-Length: +1\r\n\r\n1",
        OK + b"Content-Length: 1 1\r\n\r\n1",
        OK + b"Content-Length : 1\r\n\r\n1",
        OK + b"Content-Length: 99999999999999999999999\r\n\r\n",
        OK + b": a\r\n\r\n",
        OK + b"no colon\r\n\r\n",
        b"\r\n" + OK + b"Content-Length: 0\r\n\r\n",
        b"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/0.9 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 099 Low\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n",
        b"HTTP/1.1 103 Early\r\nContent-Length: 2\r\n\r\n{}" + OK + b"Content-Length: 0\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\n\r\n",
        b"SSH-2.0-OpenSSH\r\n",
        b"<html>",
    ],
)
@pytest.mark.parametrize("size", [1, 10_000])
def test_what_is_refused(raw, size):
    parts = [raw[at : at + size] for at in range(0, len(raw), size)]
    assert parse(parts, ended=True) == REFUSED


@pytest.mark.parametrize(
    ("raw", "method", "kept"),
    [
        (OK + b"Content-Length: 5\r\n\r\nhello", "GET", True),
        (OK + b"Content-Length: 5\r\n\r\nhelloHTTP", "GET", False),
        (OK + b"Content-Length: 5\r\n\r\nhello" + OK + b"\r\n", "GET", False),
        (OK + b"Connection: close\r\nContent-Length: 5\r\n\r\nhello", "GET", False),
        (OK + b"Connection: x, Close\r\nContent-Length: 5\r\n\r\nhello", "GET", False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", "GET", False),
        (OK + b"Content-Length: 5\r\n\r\n", "HEAD", True),
        (OK + b"Content-Length: 5\r\n\r\nhello", "HEAD", False),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n", "HEAD", True),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "HEAD", False),
        (OK + b"\r\n", "HEAD", True),
        (b"HTTP/1.1 204 No Content\r\n\r\n", "GET", True),
        (b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", "GET", True),
        (b"HTTP/1.1 204 No Content\r\n\r\nhello", "GET", False),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", "GET", True),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX: 1\r\n\r\n", "GET", True),
    ],
)
def test_where_a_reply_ends(raw, method, kept):
    status, headers, body, is_reused = parse([raw], method)
    assert is_reused == kept
    assert body == (b"hello" if status == 200 and method == "GET" else b"")
    assert "x" not in dict(headers), "trailers are dropped"


def test_informational_replies_come_before_the_real_one():
    early = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    found = parse([early + OK + b"X-A: 1\r\nContent-Length: 2\r\n\r\n{}"])
    assert found == (200, (("x-a", "1"), ("content-length", "2")), b"{}", True)


@pytest.mark.parametrize("ended", [False, True])
def test_only_the_end_of_its_connection_ends_a_reply_that_says_no_length(ended):
    found = parse([OK + b"\r\nhel", b"lo"], ended=ended)
    assert found == ((200, (), b"hello", False) if ended else UNFINISHED)


@pytest.mark.parametrize(
    "raw",
    [OK + b"Content-Length: 9\r\n\r\nhello", OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhe"],
)
def test_what_breaks_off_is_not_whole(raw):
    assert parse([raw], ended=True) == UNFINISHED


@pytest.mark.parametrize(
    "parts",
    [
        [OK + b"X-A: ", *[b"a" * 50_000] * 4],
        [OK, *[b"X-A: " + b"a" * 5_000 + b"\r\n"] * 40],
        [OK + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-A: ", *[b"a" * 50_000] * 4],
        [OK + b"Transfer-Encoding: chunked\r\n\r\n1;a=", *[b"a" * 50_000] * 4],
        [b"HTTP/1.1 103 Early\r\nX-A: ", *[b"a" * 50_000] * 4],
    ],
    ids=["value", "headers", "trailers", "chunk extension", "informational"],
)
def test_heads_and_what_surrounds_a_body_have_a_bound(parts):
    assert parse(parts) == REFUSED


def test_a_body_has_a_bound_however_it_comes():
    chunk = b"4000\r\n" + b"x" * 0x4000 + b"\r\n"
    for head in (b"Transfer-Encoding: chunked\r\n\r\n", b"Content-Length: 1048577\r\n\r\n"):
        with pytest.raises(TooMany):
            parse([OK + head, *[chunk] * 100])
    with pytest.raises(TooMany):
        parse([OK + b"\r\n", *[chunk] * 100])


def test_a_body_takes_memory_as_it_comes_and_gives_it_back():
    memory = Memory(100_000)
    with pytest.raises(MemoryReached):
        parse([OK + b"\r\n", *[b"x" * 20_000] * 10], memory=memory)
    assert memory.taken == 0


@settings(max_examples=200, deadline=None, suppress_health_check=SLOW)
@given(st.binary(max_size=200))
def test_it_raises_errors_of_ours_only(raw):
    try:
        parse([b"H" + raw], ended=True)
    except BffError as error:
        pytest.fail(f"{error!r} of {raw!r}")
