"""An exchange that answers from recordings inside the app, without a port or a server.

A request that is not recorded fails its view even if the view handles failed calls: the exchange
notes it (`UnmatchedRequest`), and `bff/dev/recordings/unmatched.py` replaces the answer by a 501.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any, Final
from urllib.parse import urlsplit

from bff.dev.recordings.answerer import Latency, is_replayed
from bff.dev.recordings.delays import After, Delays
from bff.dev.recordings.match import Candidate, RequestKey
from bff.dev.recordings.normalize import mask_target
from bff.dev.recordings.recording import RecordedEntry
from bff.dev.recordings.replay_cursor import ReplayCursor
from bff.errors import BadReply, BffError, Unreachable
from bff.model.exchange import Deadline, Reply, Request
from bff.model.service import Service
from bff.upstream.exchange import Completion, Sink

_MOST_MISSED: Final = 1000


@dataclass(frozen=True, slots=True)
class UnmatchedRequest:
    """A request without a recorded reply.

    Args:
        file: the recording that was searched; None where the service has none.
        nearest: the most similar entries, with their differences.
        shown: its method and target, with secrets masked.
    """

    request: Request
    file: Path | None
    nearest: tuple[Candidate, ...]
    shown: str


class ReplayExchange:
    """Answers requests from recordings.

    Args:
        cursors: by service.
        services: the path of a service's URL is part of the recorded request targets.
        latency: seconds until the reply of an entry arrives.
        after: schedules an action some seconds later.
    """

    def __init__(
        self,
        cursors: Mapping[str, ReplayCursor],
        services: Mapping[str, Service],
        latency: Latency = lambda _: 0.0,
        after: After | None = None,
    ) -> None:
        self.cursors = cursors
        self._latency = latency
        self._after = after or Delays().after
        self._bases = {name: urlsplit(each.url).path for name, each in services.items()}
        self._lock = Lock()
        self._missed: list[UnmatchedRequest] = []

    def start(
        self, request: Request, deadline: Deadline, attempt: int, mailbox: Sink
    ) -> Callable[[], None]:
        """Deliver the recorded reply, or note the request as unmatched."""
        del deadline  # enforced by the timers of the conductor
        entry = self.entry(request)
        if entry is None:
            error = Unreachable("no recorded reply matches", "connect")
            self._note(request)
            return self._after(0.0, partial(mailbox.put, Completion(attempt, error)))
        completion = Completion(attempt, reply_of(entry, request))
        return self._after(self._latency(entry), partial(mailbox.put, completion))

    def cancel(self, handle: Callable[[], None]) -> None:
        """Cancel an attempt whose reply is no longer needed."""
        handle()

    def unready(self) -> str:
        """Always empty: a recording is always ready."""
        return ""

    def has(self, request: Request) -> bool:
        """True if a reply to a request is recorded."""
        cursor = self.cursors.get(request.service)
        return cursor is not None and any(map(cursor.has, self._forms(request)))

    def entry(self, request: Request) -> RecordedEntry | None:
        """The entry that answers a request this time; None where no entry matches."""
        cursor = self.cursors.get(request.service)
        found = (cursor.next(asked) for asked in self._forms(request)) if cursor else ()
        return next((entry for entry in found if entry), None)

    def missed(self, request_id: str | None = None) -> list[UnmatchedRequest]:
        """Return and remove the unmatched requests of one client request, or of all.

        Args:
            request_id: the id of the client request; None for all.
        """
        with self._lock:
            taken = [each for each in self._missed if request_id in {None, _id(each)}]
            self._missed = [each for each in self._missed if each not in taken]
        return taken

    def unused(self) -> Mapping[str, list[RecordedEntry]]:
        """The entries that have not answered any request, by service."""
        return {name: left for name, cursor in self.cursors.items() if (left := cursor.unused())}

    def _forms(self, request: Request) -> list[RequestKey]:
        base = self._bases.get(request.service, "")
        targets = dict.fromkeys([base + request.target, request.target])
        return [RequestKey.target(request.method, each, request.body) for each in targets]

    def _note(self, request: Request) -> None:
        cursor = self.cursors.get(request.service)
        asked = self._forms(request)[0]
        nearest = cursor.nearest(asked) if cursor else ()
        file = cursor.recording.file if cursor else None
        missed = UnmatchedRequest(request, file, tuple(nearest), _shown(request))
        with self._lock:
            self._missed = [*self._missed[-_MOST_MISSED:], missed]


def reply_of(entry: RecordedEntry, request: Request) -> Reply | BffError:
    """The reply that an entry holds, or BadReply where it is larger than the request accepts."""
    if len(entry.content) > request.max_reply:
        return BadReply("the reply is too large")
    headers = tuple((name.lower(), value) for name, value in entry.headers if is_replayed(name))
    body = b"" if request.method == "HEAD" else entry.content
    return Reply(entry.status, headers, body)


def _shown(request: Request) -> str:
    return f"{request.method} {mask_target(request.target)}"


def _id(missed: UnmatchedRequest) -> Any:
    return missed.request.origin.id if missed.request.origin else ""
