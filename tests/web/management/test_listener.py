"""The management listener: its threads are bounded, and none is lost."""

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress

import pytest

from bff.web.management.listener import MAX_CONNECTIONS, ManagementServer, _ManagementHandler
from tests.faults.deployed import until


@pytest.fixture
def operators() -> Iterator[tuple[ManagementServer, int]]:
    """A listener, and its port."""

    def app(_environ, start_response):
        start_response("200 OK", [("Content-Length", "2")])
        return [b"ok"]

    with socket.create_server(("127.0.0.1", 0)) as server:
        made = ManagementServer(server, app)
        made.start()
        yield made, server.getsockname()[1]
        made.shutdown()


def threads() -> int:
    return sum("process_request_thread" in each.name for each in threading.enumerate())


def answer(port: int) -> bytes:
    told = b""
    with socket.create_connection(("127.0.0.1", port), 20) as line:
        line.sendall(b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n")
        while some := line.recv(65536):
            told += some
    return told


def test_as_many_connections_as_there_is_room_for_have_threads(operators) -> None:
    _, port = operators
    before = threads()
    with ExitStack() as stack:
        for _ in range(2 * MAX_CONNECTIONS):
            line = stack.enter_context(closing(socket.create_connection(("127.0.0.1", port), 20)))
            line.sendall(b"GET /liv")
        until("all places are taken", lambda: threads() == before + MAX_CONNECTIONS)
        late = threading.Thread(target=answer, args=[port])
        late.start()
        late.join(0.2)
        assert threads() == before + MAX_CONNECTIONS
    late.join(20)
    assert not late.is_alive()
    assert answer(port).endswith(b"ok")


def test_clients_that_send_byte_by_byte_hold_no_places(operators, monkeypatch, capsys) -> None:
    """Each byte used to put the end off: sixteen such clients held all places for good."""
    monkeypatch.setattr(_ManagementHandler, "timeout", 1.0)
    _, port = operators
    with ExitStack() as stack:
        lines = [
            stack.enter_context(closing(socket.create_connection(("127.0.0.1", port), 20)))
            for _ in range(MAX_CONNECTIONS)
        ]
        late = threading.Thread(target=answer, args=[port])
        late.start()

        def dribbled() -> bool:
            for line in lines:
                with suppress(OSError):
                    line.sendall(b"G")
            late.join(0.05)
            return not late.is_alive()

        until("another client is answered", dribbled)
    assert "Traceback" not in capsys.readouterr().err


def test_a_thread_that_cannot_be_started_leaves_its_place(operators, monkeypatch) -> None:
    made, port = operators

    def fails(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(made, "process_request", fails)
        patch.setattr(made, "handle_error", lambda *_: None)
        for _ in range(2 * MAX_CONNECTIONS):
            assert answer(port) == b""
    assert answer(port).endswith(b"ok")
