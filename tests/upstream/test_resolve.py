"""Names that hang: each holds up those who ask for it, and nobody else."""

import socket
from queue import SimpleQueue
from threading import Event, Thread
from time import monotonic

import httpcore
import pytest

from bff.model.exchange import Deadline, Request
from bff.upstream.attempt_handle import AttemptHandle
from bff.upstream.resolve import Resolver

HANGING = 20


def handle(seconds: float) -> AttemptHandle:
    return AttemptHandle(
        Request("s", "GET", "/"), Deadline(monotonic() + seconds), 0, SimpleQueue()
    )


@pytest.mark.parametrize("asked", [1, 5])
def test_names_that_hang_hold_up_no_other(monkeypatch: pytest.MonkeyPatch, asked: int):
    go_on, hung = Event(), [0]

    def look_up(name, port, **_):
        if name.startswith("hanging"):
            hung[0] += 1
            go_on.wait(20)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    resolver = Resolver(HANGING + 1)
    late: list[Exception] = []

    def ask(name: str) -> None:
        try:
            resolver.resolve(name, 80, handle(1.0))
        except httpcore.ConnectTimeout as error:
            late.append(error)

    names = [f"hanging{number}.test" for number in range(HANGING)] * asked
    askers = [Thread(target=ask, args=(name,)) for name in names]
    for each in askers:
        each.start()
    while hung[0] < HANGING:
        assert any(each.is_alive() for each in askers)
    assert resolver.resolve("well.test", 80, handle(5.0)) == [(socket.AF_INET, ("127.0.0.1", 80))]
    for each in askers:
        each.join(10)
    assert len(late) == HANGING * asked
    assert hung[0] == HANGING, "one look-up for all who ask for a name"
    go_on.set()
    resolver.close()
