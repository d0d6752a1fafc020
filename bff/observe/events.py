"""The events that observers receive: immutable records of what happened."""

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from bff.model.exchange import Origin, Outcome, Why
from bff.model.trace import Trace

_log: Final = logging.getLogger("bff")


@dataclass(frozen=True, slots=True)
class Answered:
    """A request of a client was answered.

    Args:
        id: the request id, which the response has as well.
        frontend: empty if the request is of none: at sign-in, or for an unknown path.
        view: the name of the view or relay; empty if it was neither.
        took: seconds.
        outcomes: of its calls, by name; also of those of a request that it was collapsed with.
        cache: the result of the lookup: `hit`, `stale`, `error`, `miss`, `collapsed`; empty
            without one.
        method: the HTTP method.
        route: as declared, with variables in braces; empty if there is none.
        late: whether the view's deadline was exceeded.
        trace: its trace context (W3C).
    """

    id: str
    frontend: str
    view: str
    status: int
    took: float
    outcomes: Mapping[str, Outcome]
    cache: str = ""
    method: str = "GET"
    route: str = ""
    late: bool = False
    trace: Trace | None = None


@dataclass(frozen=True, slots=True)
class Attempted:
    """A request to a service has ended, or was cancelled.

    Args:
        url: the address of the service.
        why: the kind of attempt: the first, a retry, a hedge.
        resends: the number of attempts before it.
        status: of the reply; None if there was none.
        reason: why there was no reply, as one token.
        took: seconds.
        span: its span id in the trace of its origin; empty without a trace.
        origin: the call that it was made for; None if that is not known.
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
    """A gunicorn worker has ended unexpectedly.

    Args:
        process: its id.
        reason: the name of the signal that ended it, `timeout` if gunicorn stopped it after its
            time-out, or `exit` if it exited with an error code.
    """

    process: int
    reason: str


Audit = Literal["signed_in", "signed_out", "refreshed", "ended", "refused"]


@dataclass(frozen=True, slots=True)
class Audited:
    """An audit event: a session changed, or a request was refused.

    Args:
        session: the hash of the session id, which does not give access.
        reason: why it was refused or ended, as one token.
        id: the request id; empty if it did not happen in a request.
        detail: the failed check, or the reply of the provider, without personal data.
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
    """The tokens of a session were refreshed, or that failed.

    Args:
        outcome: `ok`; `ended`, if the provider has ended the session; `away`, if it could not be
            reached; `late`, if the session ended in the meantime.
        detail: the reason; empty for `ok` and `late`.
    """

    provider: str
    outcome: Literal["ok", "ended", "away", "late"]
    detail: str = ""


@dataclass(frozen=True, slots=True)
class AddressChanged:
    """The state of an address of a service has changed.

    Args:
        state: of its circuit breaker (`closed`, `open`, `half_open`); or `ejected`, as an outlier.
    """

    service: str
    url: str
    state: str


Part = Literal["call", "answer", "load", "effect", "refresh", "relay", "stream", "request"]


@dataclass(frozen=True, slots=True)
class UnexpectedError:
    """An unexpected exception was caught: a bug in this program or in Python views.

    Args:
        part: what failed. `call`: one call of a view; `answer`: the response made of the calls;
            `load`: a request whose reply is cached; `effect`: fetching credentials or asking the
            shared cache; `refresh`: refreshing a stale entry; `request`: the whole request.
        error: its message may contain personal data.
        origin: the call that it was raised for; None if that is not known.
        id: the request id; empty if there is none.
    """

    part: Part
    error: Exception
    origin: Origin | None = None
    id: str = ""


Event = Answered | Attempted | Audited | Refreshed | AddressChanged | UnexpectedError | WorkerEnded
Observer = Callable[[Event], None]


def notify_all(observers: Iterable[Observer]) -> Observer:
    """One observer that calls all of these; an exception in one is logged, and the others go on."""
    targets = tuple(observers)

    def notify(event: Event) -> None:
        for observer in targets:
            try:
                observer(event)
            except Exception as error:  # noqa: BLE001 - an observer must not fail a request
                _log.warning("an observer failed: %s", type(error).__name__, exc_info=error)

    return notify
