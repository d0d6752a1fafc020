"""Reply bodies: decoded as they were coded, and never larger than they may be."""

import gzip
import tracemalloc
import zlib
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bff.errors import BadReply, TooMany, Unreachable
from bff.model.exchange import Reply
from bff.upstream.body import read_body

LIMIT = 1000
TEXT = b'{"a": "b"}' * 20


def raw_deflate(data):
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


def named(value):
    """Ids of tests that are the same in every process: gzip holds the time."""
    return value.strip() if isinstance(value, str) else "body"


def pieces(data, size=7):
    return [data[at : at + size] for at in range(0, len(data), size)]


@pytest.mark.parametrize(
    ("coding", "coded"),
    [
        ("", TEXT),
        ("identity", TEXT),
        ("gzip", gzip.compress(TEXT)),
        ("GZip ", gzip.compress(TEXT)),
        ("x-gzip", gzip.compress(TEXT)),
        ("gzip", gzip.compress(TEXT[:50]) + gzip.compress(TEXT[50:])),
        ("gzip", gzip.compress(TEXT) + gzip.compress(b"")),
        ("gzip", gzip.compress(TEXT, compresslevel=0)),
        ("deflate", zlib.compress(TEXT)),
        ("deflate", raw_deflate(TEXT)),
        ("gzip, identity", gzip.compress(TEXT)),
        ("identity,gzip", gzip.compress(TEXT)),
        ("gzip,", gzip.compress(TEXT)),
        (" , identity", TEXT),
        ("deflate, gzip", gzip.compress(zlib.compress(TEXT))),
        ("gzip, deflate", raw_deflate(gzip.compress(TEXT))),
        ("gzip, gzip", gzip.compress(gzip.compress(TEXT))),
        ("utf-8", TEXT),
        ("none", TEXT),
        ("aws-chunked, gzip", gzip.compress(TEXT)),
        ("gzip", gzip.compress(TEXT) + b"rubbish"),
        ("gzip", gzip.compress(TEXT) + bytes(512)),
        ("gzip", gzip.compress(TEXT) + b"\x1f"),
        ("deflate", zlib.compress(TEXT) + b"rubbish"),
        ("deflate", raw_deflate(TEXT) + b"\r\n"),
    ],
    ids=named,
)
def test_codings(coding, coded):
    assert read_body(pieces(coded), coding, LIMIT) == TEXT


@pytest.mark.parametrize("coding", ["", "gzip", "deflate", "identity"])
def test_an_empty_body_is_empty_however_it_is_coded(coding):
    assert read_body([], coding, LIMIT) == b""


@pytest.mark.parametrize(
    "coding",
    ["br", "zstd", "compress", "gzip, gzip", "gzip, br", "Zstd, gzip", ",".join(["gzip"] * 6)],
)
def test_a_coding_that_was_not_accepted_is_a_bad_reply(coding):
    with pytest.raises(BadReply):
        read_body([TEXT], coding, LIMIT)


@pytest.mark.parametrize(
    ("coding", "coded"),
    [
        ("gzip", TEXT),
        ("gzip", b"\x1f\x8b"),
        ("gzip", gzip.compress(TEXT)[:-1]),
        ("gzip", gzip.compress(TEXT)[:-8]),
        ("gzip", gzip.compress(TEXT)[:-9] + b"\0" * 9),
        ("gzip", gzip.compress(TEXT) + gzip.compress(TEXT)[:-1]),
        ("gzip", gzip.compress(TEXT) + b"\x1f\x8brubbish"),
        ("gzip, identity", gzip.compress(TEXT)[:-1]),
        ("deflate, gzip", gzip.compress(zlib.compress(TEXT)[:-1])),
        ("deflate", TEXT),
        ("deflate", zlib.compress(TEXT)[:-1]),
        ("deflate", raw_deflate(TEXT)[:-1]),
    ],
    ids=named,
)
def test_what_is_cut_or_broken_is_a_bad_reply(coding, coded):
    with pytest.raises(BadReply):
        read_body(pieces(coded), coding, LIMIT)


@pytest.mark.parametrize("pack", [lambda data: data, gzip.compress, zlib.compress, raw_deflate])
def test_the_limit_is_exact(pack):
    coding = {zlib.compress: "deflate", raw_deflate: "deflate", gzip.compress: "gzip"}.get(pack, "")
    assert len(read_body([pack(b"a" * LIMIT)], coding, LIMIT)) == LIMIT
    with pytest.raises(TooMany):
        read_body([pack(b"a" * (LIMIT + 1))], coding, LIMIT)


def test_a_reply_that_is_too_large_is_not_read_to_its_end():
    def endless():
        while True:
            yield b"x" * 100

    with pytest.raises(TooMany):
        read_body(endless(), "", LIMIT)
    with pytest.raises(TooMany):
        read_body(endless(), "gzip", LIMIT)


@given(st.binary(max_size=200), st.integers(1, 50))
def test_any_bytes_are_read_or_refused(data, size):
    for coding in ("gzip", "deflate", "", "x"):
        with suppress(BadReply, TooMany):
            assert len(read_body(pieces(data, size), coding, LIMIT)) <= LIMIT
    assert read_body(pieces(gzip.compress(data), size), "gzip", LIMIT) == data
    assert read_body(pieces(raw_deflate(data), size), "deflate", LIMIT) == data


BOMB = gzip.compress(b"\0" * 96 * 1024 * 1024, compresslevel=9)


@pytest.mark.parametrize(
    "bomb", [BOMB, gzip.compress(BOMB), BOMB[: len(BOMB) // 2]], ids=["whole", "twice", "half"]
)
def test_a_bomb_is_refused_within_bounds(serving, asking, bomb):
    assert len(bomb) < 100_000
    server = serving(
        lambda wire: wire.head() and wire.reply(bomb, headers=[b"Content-Encoding: gzip"])
    )
    made = asking(s=server.url)
    tracemalloc.start()
    try:
        result = made.ask("/", max_reply=1024 * 1024)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    if len(bomb) > 1000:  # compressed twice it is small, once it is unpacked
        assert isinstance(result, TooMany)
    assert peak < 8 * 1024 * 1024


def test_many_empty_members_take_no_endless_time():
    many = gzip.compress(b"") * 20_000  # 400 KB that decode to nothing
    with pytest.raises(TooMany):
        read_body([many], "gzip", 1024 * 1024)
    assert read_body([gzip.compress(b"a") * 50], "gzip", 4096) == b"a" * 50


REPLIES = {
    "/length": b"Content-Length: 4\r\n\r\n1234",
    "/chunked": b"Transfer-Encoding: chunked\r\n\r\n"
    b"2\r\n12\r\n2;x=y\r\n34\r\n0\r\nX-Trailer: 1\r\n\r\n",
    "/closed": b"Connection: close\r\n\r\n1234",
    "/short": b"Content-Length: 9\r\n\r\n1234",
    "/badchunk": b"Transfer-Encoding: chunked\r\n\r\nzz\r\n12\r\n0\r\n\r\n",
    "/cutchunk": b"Transfer-Encoding: chunked\r\n\r\n9\r\n12",
    "/large": b"Content-Length: 5000\r\n\r\n" + b"x" * 5000,
    "/largechunked": b"Transfer-Encoding: chunked\r\n\r\n1388\r\n" + b"x" * 5000 + b"\r\n0\r\n\r\n",
    "/twolengths": b"Content-Length: 4\r\nContent-Length: 5\r\n\r\n12345",
    "/notlength": b"Content-Length: four\r\n\r\n1234",
}


@pytest.mark.parametrize(
    ("target", "comes_to"),
    [
        ("/length", Reply),
        ("/chunked", Reply),
        ("/closed", Reply),
        ("/short", Unreachable),
        ("/badchunk", BadReply),
        ("/cutchunk", Unreachable),
        ("/large", TooMany),
        ("/largechunked", TooMany),
        ("/twolengths", BadReply),
        ("/notlength", BadReply),
    ],
)
def test_framing(serving, asking, target, comes_to):
    def serve(wire):
        wire.send(b"HTTP/1.1 200 OK\r\n" + REPLIES[wire.head().split(b" ")[1].decode()])

    result = asking(s=serving(serve).url).ask(target, max_reply=1000)
    assert isinstance(result, comes_to), result
    if comes_to is Reply:
        assert result.body == b"1234"


@pytest.mark.parametrize(
    "head", [b"rubbish\r\n\r\n", b"HTTP/1.1 abc\r\n\r\n", b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n"]
)
def test_what_is_no_http_is_a_bad_reply(serving, asking, head):
    server = serving(lambda wire: wire.head() and wire.send(head))
    assert isinstance(asking(s=server.url).ask("/"), BadReply)


def test_endless_headers_are_a_bad_reply(serving, asking):
    def serve(wire):
        wire.head()
        wire.send(b"HTTP/1.1 200 OK\r\n")
        while True:
            wire.send(b"X-More: " + b"a" * 1000 + b"\r\n")

    assert isinstance(asking(s=serving(serve).url).ask("/", seconds=5), BadReply)
