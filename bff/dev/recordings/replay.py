"""The exchange that answers from recordings, inside the app: no port, no server, no service.

A request that is not recorded fails its view, whatever the view makes of a call that fails: see
`Missed`, and who asks for it in `bff/dev/recordings/unmatched.py`.
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
from bff.dev.recordings.loosen import hide_target
from bff.dev.recordings.match import Asked, Near
from bff.dev.recordings.recording import Entry
from bff.dev.recordings.tape import Tape
from bff.errors import BadReply, BffError, Unreachable
from bff.model.exchange import Deadline, Reply, Request
from bff.model.service import Service
from bff.upstream.exchange import Completion, Sink

_MOST_MISSED: Final = 1000


@dataclass(frozen=True, slots=True)
class Missed:
    """A request for which nothing is recorded.

    Args:
        file: the recording in which it was looked for; None where the service has none.
        nearest: the entries that come nearest.
        shown: its method and target, without what is secret in it.
    """

    request: Request
    file: Path | None
    nearest: tuple[Near, ...]
    shown: str


class ReplayExchange:
    """Answers what is recorded.

    Args:
        tapes: by service.
        services: where a service's address has a path, that is a part of what was recorded.
        latency: seconds that an entry's reply takes.
        after: how time passes until then.
    """

    def __init__(
        self,
        tapes: Mapping[str, Tape],
        services: Mapping[str, Service],
        latency: Latency = lambda _: 0.0,
        after: After | None = None,
    ) -> None:
        self.tapes = tapes
        self._latency = latency
        self._after = after or Delays().after
        self._bases = {name: urlsplit(each.url).path for name, each in services.items()}
        self._lock = Lock()
        self._missed: list[Missed] = []

    def start(
        self, request: Request, deadline: Deadline, attempt: int, mailbox: Sink
    ) -> Callable[[], None]:
        """Answer, or note what nobody can answer."""
        del deadline  # the conductor's own timers keep it
        entry = self.entry(request)
        if entry is None:
            error = Unreachable("nothing is recorded for it", "connect")
            self._note(request)
            return self._after(0.0, partial(mailbox.put, Completion(attempt, error)))
        completion = Completion(attempt, reply_of(entry, request))
        return self._after(self._latency(entry), partial(mailbox.put, completion))

    def cancel(self, ticket: Callable[[], None]) -> None:
        """Nobody waits for the reply any more."""
        ticket()

    def unready(self) -> str:
        """A recording is always ready."""
        return ""

    def has(self, request: Request) -> bool:
        """Whether a request is recorded."""
        tape = self.tapes.get(request.service)
        return tape is not None and any(map(tape.has, self._forms(request)))

    def entry(self, request: Request) -> Entry | None:
        """What answers a request this time."""
        tape = self.tapes.get(request.service)
        found = (tape.next(asked) for asked in self._forms(request)) if tape else ()
        return next((entry for entry in found if entry), None)

    def missed(self, request_id: str | None = None) -> list[Missed]:
        """What was not recorded, and was asked for one request of a client, or for any; taken."""
        with self._lock:
            taken = [each for each in self._missed if request_id in {None, _id(each)}]
            self._missed = [each for each in self._missed if each not in taken]
        return taken

    def unused(self) -> Mapping[str, list[Entry]]:
        """The entries that have answered nothing, by service."""
        return {name: left for name, tape in self.tapes.items() if (left := tape.unused())}

    def _forms(self, request: Request) -> list[Asked]:
        base = self._bases.get(request.service, "")
        targets = dict.fromkeys([base + request.target, request.target])
        return [Asked.target(request.method, each, request.body) for each in targets]

    def _note(self, request: Request) -> None:
        tape = self.tapes.get(request.service)
        asked = self._forms(request)[0]
        nearest = tape.nearest(asked) if tape else ()
        file = tape.recording.file if tape else None
        missed = Missed(request, file, tuple(nearest), _shown(request))
        with self._lock:
            self._missed = [*self._missed[-_MOST_MISSED:], missed]


def reply_of(entry: Entry, request: Request) -> Reply | BffError:
    """The reply that an entry is, as an exchange would give it."""
    if len(entry.content) > request.max_reply:
        return BadReply("the reply is too large")
    headers = tuple((name.lower(), value) for name, value in entry.headers if is_replayed(name))
    body = b"" if request.method == "HEAD" else entry.content
    return Reply(entry.status, headers, body)


def _shown(request: Request) -> str:
    return f"{request.method} {hide_target(request.target)}"


def _id(missed: Missed) -> Any:
    return missed.request.origin.id if missed.request.origin else ""
