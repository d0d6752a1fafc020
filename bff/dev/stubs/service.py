"""One stub service: its port, its answerer, and the trouble that it is told to make."""

import socket
import sys
import traceback
from contextlib import suppress
from threading import Event, Lock
from typing import Literal, TypedDict

from bff.dev.recordings.message import Answerer, Fault, StubReply, StubRequest
from bff.dev.stubs.fault import FAULTS
from bff.dev.stubs.http import BadRequest, Connection, Gone
from bff.dev.stubs.listener import Listener

State = Literal["up", "failing", "down"]


class Status(TypedDict):
    """How a service is: its state, the latency added to each reply, and where it listens.

    Args:
        fault: what it does instead of replying; None where it replies.
    """

    state: State
    latency_ms: float
    fault: Fault | None
    port: int


class StubService:
    """Answers for one service on one port, on loopback unless said, as it was last set to."""

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
        self._lock = Lock()  # guards what was asked

    def start(self) -> None:
        """Listen, unless it does or is down. Raises OSError where the port is taken."""
        with self._switching:
            self._listen()

    def stop(self) -> None:
        """Close the listening socket and every connection; the port number is remembered."""
        with self._switching:
            self._close()

    def set(
        self,
        *,
        latency: float | None = None,
        state: State | None = None,
        fault: Fault | Literal["none"] | None = None,
    ) -> None:
        """Change the latency (seconds, added to each reply), the state, what it does to replies."""
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

    def status(self) -> Status:
        """The state, as the control port shows it."""
        return {
            "state": self._state,
            "latency_ms": self._latency * 1000,
            "fault": self._fault,
            "port": self.port,
        }

    def requests(self) -> list[StubRequest]:
        """What it was asked so far, if it was made with `keep`: a copy."""
        with self._lock:
            return list(self._asked)

    def forget(self) -> None:
        """Begin `requests()` anew."""
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
        with suppress(Gone, OSError):  # peers may leave at any point, and are tested for it
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
        except Exception as error:  # noqa: BLE001 - whatever an answerer raises, the client must hear
            traceback.print_exc(file=sys.stderr)
            return StubReply.problem(500, "The stub's answerer raised", detail=repr(error))

    def _note(self, request: StubRequest) -> None:
        if self._keep:
            with self._lock:
                self._asked.append(request)
