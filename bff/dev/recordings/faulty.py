"""An exchange in which some services fail, for the failure matrix."""

from collections.abc import Callable, Mapping
from typing import Final, Literal, get_args

from bff.dev.recordings.message import Fault
from bff.dev.recordings.replay import ReplayExchange
from bff.errors import BffError, Unreachable
from bff.model.exchange import Deadline, Reply, Request
from bff.upstream.exchange import Completion, Sink

Result = Reply | BffError | None  # None: no reply ever
Broken = Literal["timeout", "failing", "truncated", "empty"]
BROKEN: Final[tuple[Broken, ...]] = get_args(Broken)
_JSON: Final = (("content-type", "application/json"),)
_CUT: Final = Unreachable("the reply was cut short")
_CLOSED: Final = Unreachable("the connection was closed without a reply", "reset")
# The faults of the failure matrix.
CELLS: Final[Mapping[Broken, Result]] = {
    "timeout": None,
    "failing": Reply(503, _JSON, b'{"title": "Service Unavailable"}'),
    "truncated": _CUT,
    "empty": Reply(200, _JSON, b""),
}
# The result of a request to a stub with each fault, as the exchange over sockets reports it.
FAULTS: Final[Mapping[Fault, Result]] = {
    "reset": _CLOSED,
    "empty": _CLOSED,
    "truncated": _CUT,
    "dribble_headers": None,
    "dribble_body": None,
    "hang": None,
}


class FaultyExchange:
    """Replays recordings, except for services with a fixed result or none at all.

    Args:
        results: by service.
    """

    def __init__(self, replay: ReplayExchange, results: Mapping[str, Result]) -> None:
        self._replay, self._results = replay, results
        self.asked: list[Request] = []

    def start(
        self, request: Request, deadline: Deadline, attempt: int, mailbox: Sink
    ) -> Callable[[], None]:
        """Replay a request, or deliver the fault."""
        self.asked.append(request)
        if request.service not in self._results:
            return self._replay.start(request, deadline, attempt, mailbox)
        self._replay.entry(request)  # marks the entry as used
        result = self._results[request.service]
        if result is not None:
            mailbox.put(Completion(attempt, result))
        return _nothing

    def cancel(self, handle: Callable[[], None]) -> None:
        """Cancel an attempt."""
        handle()

    def unready(self) -> str:
        """The status of the replay."""
        return self._replay.unready()


def _nothing() -> None:
    """There is nothing to cancel."""
