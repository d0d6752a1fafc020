"""Connections that are closed in stages: no longer held, and no more read, than is allowed."""

import selectors
import socket
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field

import pytest

from bff.server.linger import LONGEST, STALL, Lingering

PIECE = b"x" * 1000


@dataclass
class Worker:
    """The main loop of a worker, turn by turn, on a clock that the test sets."""

    now: float = 0.0
    closed: int = 0
    poller: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)

    def __post_init__(self) -> None:
        self.lingering = Lingering(self.poller, self.count, lambda: self.now)

    def count(self) -> None:
        self.closed += 1

    def turn(self, after: float = 0.0) -> None:
        self.now += after
        for key, _ in self.poller.select(0):
            key.data(key.fileobj)
        self.lingering.expire()


@pytest.fixture
def worker() -> Iterator[Worker]:
    made = Worker()
    with closing(made.poller):
        yield made


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """A connection as the worker and as the client have it."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = socket.create_connection(server.getsockname(), 5)
        own, _ = server.accept()
    with closing(client), closing(own):
        yield own, client


def test_the_client_can_read_the_answer_and_sees_its_end(worker, pair):
    own, client = pair
    client.sendall(PIECE)
    own.sendall(b"answer")
    worker.lingering.add(own, 10_000)
    assert client.recv(100) == b"answer"
    assert client.recv(100) == b""
    client.close()
    worker.turn()
    assert worker.closed == 1
    assert own.fileno() == -1


def test_a_client_that_has_closed_already_is_not_waited_for(worker, pair):
    own, client = pair
    client.close()
    worker.lingering.add(own, 10_000)
    assert worker.closed == 1
    assert worker.lingering.seconds_until_due() == float("inf")


def test_one_that_sends_nothing_is_closed_after_a_second(worker, pair):
    own, _ = pair
    worker.lingering.add(own, 10_000)
    assert worker.lingering.seconds_until_due() == STALL
    worker.turn(STALL - 0.01)
    assert not worker.closed
    worker.turn(0.01)
    assert worker.closed == 1


def test_one_that_dribbles_is_closed_when_its_time_is_up(worker, pair):
    own, client = pair
    worker.lingering.add(own, 10_000)
    while not worker.closed:
        assert worker.now < LONGEST + 0.5
        client.sendall(b"x")
        worker.turn(0.5)
    assert worker.now == LONGEST


def test_no_more_is_read_than_is_allowed(worker, pair):
    own, client = pair
    own.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 5000)
    worker.lingering.add(own, 1500)
    client.sendall(PIECE * 2)
    for _ in range(5):
        worker.turn()
    assert own.recv(10_000) == PIECE[:500]
    assert not worker.poller.get_map()
    assert worker.lingering.seconds_until_due() == STALL
    worker.turn(STALL)
    assert worker.closed == 1


def test_nothing_is_read_where_nothing_is_allowed_and_nothing_is_reset(worker, pair):
    own, client = pair
    client.sendall(PIECE)
    own.sendall(b"answer")
    worker.lingering.add(own, 0)
    worker.turn()
    assert not worker.closed
    assert client.recv(100) == b"answer"
    worker.turn(STALL)
    assert worker.closed == 1


@pytest.mark.parametrize("how", ["closed", "shut"])
def test_a_connection_that_is_no_more_counts_as_closed_once(worker, pair, how):
    own, client = pair
    if how == "closed":
        own.close()
    else:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        client.close()  # a reset
    worker.lingering.add(own, 10_000)
    worker.turn()
    assert worker.closed == 1


def test_each_of_many_is_closed_at_its_own_time(worker):
    with socket.create_server(("127.0.0.1", 0)) as server:
        clients = []
        for number in range(3):
            clients.append(socket.create_connection(server.getsockname(), 5))
            own, _ = server.accept()
            worker.lingering.add(own, 100)
            worker.turn(0.2)
            assert worker.closed == 0, number
        for expected in (1, 2, 3):
            worker.turn(worker.lingering.seconds_until_due())
            assert worker.closed == expected
        for client in clients:
            client.close()
