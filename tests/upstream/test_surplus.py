"""Bytes that nobody asked for are never the reply to the next request on the connection."""

import pytest

from bff.model.exchange import Reply

EVIL = b'HTTP/1.1 200 OK\r\nContent-Length: 18\r\n\r\n{"who":"attacker"}'


def serve(wire):
    while head := wire.head():
        if b"/evil" not in head:
            wire.reply(b'{"who":"bob"}')
        elif head.startswith(b"HEAD"):
            wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n" + EVIL)
        else:
            wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}" + EVIL)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_what_comes_after_a_reply_is_dropped_with_its_connection(serving, asking, method):
    made = asking(s=serving(serve).url)
    assert isinstance(made.ask("/evil", method=method), Reply)
    for _ in range(3):
        assert made.ask("/bob").body == b'{"who":"bob"}'
