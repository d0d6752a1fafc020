"""What observers hear: frozen records of what has happened."""

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from bff.model.exchange import Origin, Outcome, Why
from bff.model.trace import Trace

_log: Final = logging.getLogger("bff")


@dataclass(frozen=True, slots=True)
class Answered:
    """A request was answered, whatever the answer.

    Args:
        id: the request's id, which the client has as well.
        frontend: empty where no frontend was asked: at sign-in, or where nothing is.
        view: the view or the relay; empty where it was neither.
        took: seconds.
        outcomes: of the calls that were made for it, by this request or by one that it joined.
        kept: what the cache had to do with it: `hit`, `stale`, `error`, `miss`, `collapsed`; empty
            for nothing.
        method: the request's.
        route: as declared, with variables in braces; empty where there is none.
        late: whether the view's deadline had come before it was answered.
        trace: its place in a trace.
    """

    id: str
    frontend: str
    view: str
    status: int
    took: float
    outcomes: Mapping[str, Outcome]
    kept: str = ""
    method: str = "GET"
    route: str = ""
    late: bool = False
    trace: Trace | None = None


@dataclass(frozen=True, slots=True)
class Attempted:
    """A request to a service has ended, or was given up.

    Args:
        url: the service's address.
        why: it was sent.
        resends: how often it was sent before.
        status: the reply's; None where there was none.
        reason: why there was no reply, as one token.
        took: seconds.
        span: its id in the trace of its origin; empty where there is no trace.
        origin: what it was for; None where nobody said so.
    """

    service: str
    url: str
    method: str
    why: Why
    resends: int
    status: int | None
    reason: str
    took: float
    span: str = ""
    origin: Origin | None = None


@dataclass(frozen=True, slots=True)
class WorkerEnded:
    """A worker of gunicorn's has ended unexpectedly.

    Args:
        process: its id.
        reason: the name of the signal that ended it, `timeout` if it was stopped as stuck, or
            `exit` if it ended with an error of its own.
    """

    process: int
    reason: str


Audit = Literal["signed_in", "signed_out", "refreshed", "ended", "refused"]


@dataclass(frozen=True, slots=True)
class Audited:
    """Something happened to a session, or somebody was refused.

    Args:
        session: the hash of the session's id, which opens nothing.
        reason: why, as one token; for what is refused or ended.
        id: the request's id; empty where it did not happen in one.
        detail: why, in our words: which check failed, which address answered what.
    """

    what: Audit
    issuer: str = ""
    subject: str = ""
    session: str = ""
    provider: str = ""
    reason: str = ""
    id: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Refreshed:
    """A provider was asked for fresh tokens of a session.

    Args:
        outcome: `ok`; `ended`, where the provider has ended the session; `away`, where it could not
            be asked; `late`, where the session had ended meanwhile.
        detail: why, in our words; empty for `ok` and `late`.
    """

    provider: str
    outcome: Literal["ok", "ended", "away", "late"]
    detail: str = ""


@dataclass(frozen=True, slots=True)
class AddressChanged:
    """What is known of an address of a service has changed.

    Args:
        state: `closed`, `open` or `half_open`, of its circuit breaker; or `ejected`.
    """

    service: str
    url: str
    state: str


Part = Literal["call", "answer", "load", "effect", "refresh", "relay", "stream", "request"]


@dataclass(frozen=True, slots=True)
class Unforeseen:
    """An exception that no code expects was caught: a fault of this program's own.

    Args:
        part: what it ended. A `call` is one of a view's; an `answer` what was made of all of them;
            a `load` is a request whose reply is cached; an `effect` gets credentials or asks the
            shared cache; a `refresh` is of a stale entry; a `request` is all that a client asked.
        error: its message may hold a user's data.
        origin: what it was for; None where that is not known.
        id: the client's request's; empty where there is none.
    """

    part: Part
    error: Exception
    origin: Origin | None = None
    id: str = ""


Event = Answered | Attempted | Audited | Refreshed | AddressChanged | Unforeseen | WorkerEnded
Observer = Callable[[Event], None]


def told_to(observers: Iterable[Observer]) -> Observer:
    """One observer that tells all of these; one that raises is logged, and disturbs nobody."""
    told = tuple(observers)

    def tell(event: Event) -> None:
        for observer in told:
            try:
                observer(event)
            except Exception as error:  # noqa: BLE001 - whatever it is, nobody waits for it
                _log.warning("an observer failed: %s", type(error).__name__, exc_info=error)

    return tell
