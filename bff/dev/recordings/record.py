"""The exchange that records: it has requests carried as they are, and notes what came of them.

What is asked of a service and what is answered from its recording is for the mode to say:
`once` asks services that have no recording yet, `new` asks for what is not recorded, `all` asks for
everything, `none` for nothing.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from threading import Lock
from time import monotonic
from typing import Any

from bff.cache.entry import CacheEntry
from bff.dev.exchanged import Exchanged
from bff.dev.recordings.archive import Mode
from bff.dev.recordings.replay import ReplayExchange
from bff.errors import Unreachable
from bff.model.exchange import Deadline, Reply, Request
from bff.model.service import Service
from bff.upstream.exchange import Completion, Exchange, Sink, Streamed, StreamingExchange, withdrawn
from bff.upstream.steps import Steps


@dataclass(frozen=True, slots=True)
class _Ticket:
    by: Exchange
    ticket: Any


class Recorder:
    """What was exchanged since it was made; told by many threads."""

    def __init__(self, services: Mapping[str, Service]) -> None:
        self._services = services
        self._lock = Lock()
        self._noted: list[Exchanged] = []
        self._failed: list[str] = []

    def note(self, request: Request, completion: Completion, started: float) -> None:
        """An exchange has ended; one without a reply cannot be recorded."""
        ended, reply = monotonic(), completion.result
        if not isinstance(reply, Reply):
            with self._lock:
                self._failed.append(f"{request.method} {request.service}:{_path(request)}")
            return
        steps = completion.steps or Steps()
        begun = datetime.now(UTC) - timedelta(seconds=ended - started)
        base = request.url or self._services[request.service].url
        self._add(Exchanged(request, reply, base, begun, steps.timings(started, ended)))

    def hit(self, request: Request, entry: CacheEntry) -> None:
        """A request was answered from the cache."""
        reply = Reply(entry.status, entry.headers, entry.body)
        base = self._services[request.service].url
        until = datetime.fromtimestamp(entry.stored + entry.fresh, UTC)
        self._add(Exchanged(request, reply, base, datetime.now(UTC), fresh_until=until))

    def noted(self) -> list[Exchanged]:
        """All of them."""
        with self._lock:
            return list(self._noted)

    def failed(self) -> list[str]:
        """The requests that brought no reply."""
        with self._lock:
            return list(dict.fromkeys(self._failed))

    def _add(self, exchanged: Exchanged) -> None:
        with self._lock:
            self._noted.append(exchanged)


class RecordingExchange:
    """Carries requests to services, or answers them from recordings, as the mode says.

    Args:
        live: carries them, and traces them.
        replay: answers what is recorded.
    """

    def __init__(
        self, live: Exchange, replay: ReplayExchange, mode: Mode, recorder: Recorder
    ) -> None:
        self._live, self.replay, self._mode, self._recorder = live, replay, mode, recorder

    def start(self, request: Request, deadline: Deadline, attempt: int, mailbox: Sink) -> _Ticket:
        """Carry a request, or answer it."""
        if self._is_replayed(request):
            return _Ticket(self.replay, self.replay.start(request, deadline, attempt, mailbox))
        started = monotonic()

        def heard(completion: Completion) -> None:
            self._recorder.note(request, completion, started)
            mailbox.put(completion)

        return _Ticket(self._live, self._live.start(request, deadline, attempt, _Ear(heard)))

    def cancel(self, ticket: _Ticket) -> None:
        """Give up an attempt."""
        ticket.by.cancel(ticket.ticket)

    def withdraw(self, ticket: _Ticket) -> bool:
        """Give up an attempt that was not sent yet, where that is known."""
        return withdrawn(ticket.by, ticket.ticket)

    def stream(self, request: Request, body: Iterable[bytes] | None, idle: float) -> Streamed:
        """Carry what is passed on piece by piece, for a relay: it is not recorded."""
        if self._mode == "none" or not isinstance(self._live, StreamingExchange):
            raise Unreachable("nothing is recorded of relays")
        return self._live.stream(request, body, idle)

    def unready(self) -> str:
        """As the exchange that carries."""
        return self._live.unready()

    def _is_replayed(self, request: Request) -> bool:
        if self._mode == "once":
            return request.service in self.replay.tapes
        return self._mode == "none" or (self._mode == "new" and self.replay.has(request))


@dataclass(frozen=True, slots=True)
class _Ear:
    heard: Callable[[Completion], None]

    def put(self, completion: Completion) -> None:
        """Hear of it first."""
        self.heard(completion)


def _path(request: Request) -> str:
    return request.target.partition("?")[0]
