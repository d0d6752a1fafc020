"""An exchange that records: it sends requests unchanged and notes each reply.

The mode decides which requests are sent to services and which are answered from recordings:
`once` sends those to services without a recording, `new` those that are not recorded, `all` every
request, `none` no request.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from threading import Lock
from time import monotonic
from typing import Any

from bff.cache.entry import CacheEntry
from bff.dev.recorded_exchange import RecordedExchange
from bff.dev.recordings.archive import Mode
from bff.dev.recordings.replay import ReplayExchange
from bff.errors import Unreachable
from bff.model.exchange import Deadline, Reply, Request
from bff.model.service import Service
from bff.upstream.connection_events import ConnectionEvents
from bff.upstream.exchange import (
    Completion,
    Exchange,
    Sink,
    StreamedReply,
    StreamingExchange,
    withdraw_unsent,
)


@dataclass(frozen=True, slots=True)
class _Handle:
    by: Exchange
    handle: Any


class Recorder:
    """Collects exchanges; thread-safe."""

    def __init__(self, services: Mapping[str, Service]) -> None:
        self._services = services
        self._lock = Lock()
        self._noted: list[RecordedExchange] = []
        self._failed: list[str] = []

    def note(self, request: Request, completion: Completion, started: float) -> None:
        """Add a completed exchange; one without a reply is only listed as failed."""
        ended, reply = monotonic(), completion.result
        if not isinstance(reply, Reply):
            with self._lock:
                self._failed.append(f"{request.method} {request.service}:{_path(request)}")
            return
        events = completion.events or ConnectionEvents()
        begun = datetime.now(UTC) - timedelta(seconds=ended - started)
        base = request.url or self._services[request.service].url
        self._add(RecordedExchange(request, reply, base, begun, events.timings(started, ended)))

    def hit(self, request: Request, entry: CacheEntry) -> None:
        """Add a request that was answered from the cache."""
        reply = Reply(entry.status, entry.headers, entry.body)
        base = self._services[request.service].url
        until = datetime.fromtimestamp(entry.stored + entry.fresh, UTC)
        self._add(RecordedExchange(request, reply, base, datetime.now(UTC), fresh_until=until))

    def noted(self) -> list[RecordedExchange]:
        """All recorded exchanges."""
        with self._lock:
            return list(self._noted)

    def failed(self) -> list[str]:
        """The requests without a reply."""
        with self._lock:
            return list(dict.fromkeys(self._failed))

    def _add(self, exchanged: RecordedExchange) -> None:
        with self._lock:
            self._noted.append(exchanged)


class RecordingExchange:
    """Sends requests to services, or answers them from recordings, depending on the mode.

    Args:
        live: sends requests, with the timings of each step.
        replay: answers from recordings.
    """

    def __init__(
        self, live: Exchange, replay: ReplayExchange, mode: Mode, recorder: Recorder
    ) -> None:
        self._live, self.replay, self._mode, self._recorder = live, replay, mode, recorder

    def start(self, request: Request, deadline: Deadline, attempt: int, mailbox: Sink) -> _Handle:
        """Send a request, or answer it from a recording."""
        if self._is_replayed(request):
            return _Handle(self.replay, self.replay.start(request, deadline, attempt, mailbox))
        started = monotonic()

        def on_completion(completion: Completion) -> None:
            self._recorder.note(request, completion, started)
            mailbox.put(completion)

        return _Handle(
            self._live, self._live.start(request, deadline, attempt, _CompletionTap(on_completion))
        )

    def cancel(self, handle: _Handle) -> None:
        """Cancel an attempt."""
        handle.by.cancel(handle.handle)

    def withdraw(self, handle: _Handle) -> bool:
        """Cancel an attempt that was not sent yet, if the exchange can tell."""
        return withdraw_unsent(handle.by, handle.handle)

    def stream(self, request: Request, body: Iterable[bytes] | None, idle: float) -> StreamedReply:
        """Stream a relayed request; streams are not recorded."""
        if self._mode == "none" or not isinstance(self._live, StreamingExchange):
            raise Unreachable("relays are not recorded")
        return self._live.stream(request, body, idle)

    def unready(self) -> str:
        """The status of the exchange that sends requests."""
        return self._live.unready()

    def _is_replayed(self, request: Request) -> bool:
        if self._mode == "once":
            return request.service in self.replay.cursors
        return self._mode == "none" or (self._mode == "new" and self.replay.has(request))


@dataclass(frozen=True, slots=True)
class _CompletionTap:
    on_completion: Callable[[Completion], None]

    def put(self, completion: Completion) -> None:
        """Report the completion, then deliver it."""
        self.on_completion(completion)


def _path(request: Request) -> str:
    return request.target.partition("?")[0]
