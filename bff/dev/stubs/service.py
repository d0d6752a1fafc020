"""One stub service: its port, its answerer, its latency and its faults."""

import socket
import sys
import traceback
from contextlib import suppress
from threading import Event, Lock
from typing import Literal, TypedDict

from bff.dev.recordings.message import Answerer, Fault, StubReply, StubRequest
from bff.dev.stubs.fault import FAULTS
from bff.dev.stubs.http import BadRequest, Connection, ConnectionClosed
from bff.dev.stubs.listener import Listener

State = Literal["up", "failing", "down"]


class ServiceStatus(TypedDict):
    """The status of a service: its state, the latency added to each reply, and its address.

    Args:
        fault: the fault in place of replies; None for none.
    """

    state: State
    latency_ms: float
    fault: Fault | None
    port: int


class StubService:
    """A service on one port, on loopback by default, with a state that can be changed."""

    def __init__(
        self,
        name: str,
        answer: Answerer,
        port: int = 0,
        *,
        keep: bool = False,
        host: str = "127.0.0.1",
    ) -> None:
        self.name = name
        self.port = port
        self._host = host
        self._answer = answer
        self._keep = keep
        self._asked: list[StubRequest] = []
        self._state: State = "up"
        self._latency = 0.0
        self._fault: Fault | None = None
        self._listener: Listener | None = None
        self._switching = Lock()  # one change of state at a time
        self._lock = Lock()  # guards the received requests

    def start(self) -> None:
        """Listen, unless it already does or is down. Raises OSError where the port is taken."""
        with self._switching:
            self._listen()

    def stop(self) -> None:
        """Close the listening socket and every connection; the port number is reused by `start`."""
        with self._switching:
            self._close()

    def set(
        self,
        *,
        latency: float | None = None,
        state: State | None = None,
        fault: Fault | Literal["none"] | None = None,
    ) -> None:
        """Change the latency (seconds, added to each reply), the state, or the fault."""
        with self._switching:
            if fault is not None:
                self._fault = None if fault == "none" else fault
            if latency is not None:
                self._latency = latency
            if state is not None:
                self._state = state
                if state == "down":
                    self._close()
                else:
                    self._listen()

    def status(self) -> ServiceStatus:
        """The status, as the control API returns it."""
        return {
            "state": self._state,
            "latency_ms": self._latency * 1000,
            "fault": self._fault,
            "port": self.port,
        }

    def requests(self) -> list[StubRequest]:
        """A copy of the received requests, if created with `keep`."""
        with self._lock:
            return list(self._asked)

    def forget(self) -> None:
        """Clear `requests()`."""
        with self._lock:
            self._asked.clear()

    def _listen(self) -> None:
        if self._listener is None and self._state != "down":
            try:
                self._listener = Listener(self.name, self.port, self._serve, self._host)
            except OSError as error:
                told = f"cannot listen on port {self.port} for {self.name}: {error.strerror}"
                raise OSError(error.errno, told) from error
            self.port = self._listener.port

    def _close(self) -> None:
        if self._listener is not None:
            self._listener.close()
            self._listener = None

    def _serve(self, sock: socket.socket, stopping: Event) -> None:
        with suppress(ConnectionClosed, OSError):  # peers may disconnect at any point
            connection = Connection(sock)
            while connection.keep_alive and not stopping.is_set():
                try:
                    request = connection.read(self.name)
                except BadRequest as bad:
                    connection.keep_alive = False
                    connection.send(StubReply.problem(400, "Bad request", detail=str(bad)))
                    return
                self._note(request)
                self._reply(connection, request, stopping)

    def _reply(self, connection: Connection, request: StubRequest, stopping: Event) -> None:
        reply = self._answered(request)
        delay = reply.delay + self._latency
        if delay > 0 and stopping.wait(delay):
            return
        fault = reply.fault or self._fault
        if fault is None:
            connection.send(reply, head_only=request.method == "HEAD")
        else:
            connection.keep_alive = False
            FAULTS[fault](connection.sock, reply, stopping)

    def _answered(self, request: StubRequest) -> StubReply:
        if self._state == "failing":
            return StubReply.problem(503, f"{self.name} was set to fail")
        try:
            return self._answer(request)
        except Exception as error:  # noqa: BLE001 - an answerer can raise anything; the client gets a 500
            traceback.print_exc(file=sys.stderr)
            return StubReply.problem(
                500, "The stub's answerer raised an exception", detail=repr(error)
            )

    def _note(self, request: StubRequest) -> None:
        if self._keep:
            with self._lock:
                self._asked.append(request)
