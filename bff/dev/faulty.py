"""An exchange in which one service does not do what it should."""

from collections.abc import Callable
from typing import Any, Final, Literal, get_args

from bff.dev.replay import ReplayExchange
from bff.errors import BffError, Unreachable
from bff.model.exchange import Deadline, Reply, Request
from bff.upstream.exchange import Completion, Sink

Broken = Literal["timeout", "failing", "truncated", "empty"]
BROKEN: Final[tuple[Broken, ...]] = get_args(Broken)
_JSON: Final = (("content-type", "application/json"),)
_RESULTS: Final[dict[Broken, Reply | BffError]] = {
    "failing": Reply(503, _JSON, b'{"title": "Service Unavailable"}'),
    "truncated": Unreachable("the reply was cut short"),
    "empty": Reply(200, _JSON, b""),
}


class FaultyExchange:
    """Replays, but for one service: it never answers, answers 503, half a reply, or nothing.

    Args:
        service: which; empty for none.
    """

    def __init__(self, replay: ReplayExchange, service: str, broken: Broken = "failing") -> None:
        self._replay, self._service, self._broken = replay, service, broken
        self.asked: list[str] = []

    def start(
        self, request: Request, deadline: Deadline, attempt: int, mailbox: Sink
    ) -> Callable[[], None]:
        """Replay, or break."""
        self.asked.append(request.service)
        if request.service != self._service:
            return self._replay.start(request, deadline, attempt, mailbox)
        result: Any = _RESULTS.get(self._broken)
        if result is not None:
            mailbox.put(Completion(attempt, result))
        return _nothing

    def cancel(self, ticket: Callable[[], None]) -> None:
        """Give up an attempt."""
        ticket()

    def unready(self) -> str:
        """As a recording."""
        return self._replay.unready()


def _nothing() -> None:
    """There is nothing to take back."""
