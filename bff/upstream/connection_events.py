"""The times of events on a connection, and HAR timings derived from them."""

from dataclasses import dataclass
from time import monotonic
from typing import Any, Final

_CONNECT: Final = "connection.connect_tcp"
_TLS: Final = "connection.start_tls"
_SENT: Final = ("send_request_headers", "send_request_body")


@dataclass(frozen=True, slots=True)
class Timings:
    """The durations of the steps of one exchange in seconds; None for a step that did not occur.

    Args:
        blocked: until the first byte was sent, or a connection started.
        connect: time to connect, `tls` included.
    """

    blocked: float
    connect: float | None
    tls: float | None
    send: float
    wait: float
    receive: float

    @property
    def total(self) -> float:
        """The sum of all steps."""
        return self.blocked + (self.connect or 0.0) + self.send + self.wait + self.receive


class ConnectionEvents:
    """Records the events of httpcore's `trace` extension for one request."""

    __slots__ = ("_at",)

    def __init__(self) -> None:
        self._at: dict[str, float] = {}

    def record(self, name: str, _info: dict[str, Any]) -> None:
        """Record an event, such as `http11.send_request_headers.started`."""
        self._at[name.removeprefix("http11.")] = monotonic()

    def timings(self, started: float, ended: float) -> Timings:
        """The duration of each step.

        Args:
            started: when the request was started, in seconds of the monotonic clock.
            ended: when its reply was complete.
        """
        at = self._at
        connect, tls = self._took(_CONNECT), self._took(_TLS)
        sending = at.get(f"{_SENT[0]}.started", started)
        sent = max((at.get(f"{name}.complete", sending) for name in _SENT), default=sending)
        heard = at.get("receive_response_headers.complete", ended)
        whole = None if connect is None else connect + (tls or 0.0)
        blocked = at.get(f"{_CONNECT}.started", sending) - started
        return Timings(
            max(0.0, blocked), whole, tls, sent - sending, max(0.0, heard - sent), ended - heard
        )

    def _took(self, name: str) -> float | None:
        begun, ended = self._at.get(f"{name}.started"), self._at.get(f"{name}.complete")
        return None if begun is None or ended is None else ended - begun
