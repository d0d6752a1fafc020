"""What observers hear."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from bff.model.exchange import Outcome


@dataclass(frozen=True, slots=True)
class Answered:
    """A view was answered, whatever the answer.

    Args:
        id: the request's id, which the client has as well.
        took: seconds.
    """

    id: str
    frontend: str
    view: str
    status: int
    took: float
    outcomes: Mapping[str, Outcome]


Audit = Literal["signed_in", "signed_out", "refreshed", "ended", "refused"]


@dataclass(frozen=True, slots=True)
class Audited:
    """Something happened to a session, or somebody was refused.

    Args:
        session: the hash of the session's id, which opens nothing.
        reason: why, as one token; for what is refused or ended.
        id: the request's id; empty where it did not happen in one.
    """

    what: Audit
    issuer: str = ""
    subject: str = ""
    session: str = ""
    provider: str = ""
    reason: str = ""
    id: str = ""


@dataclass(frozen=True, slots=True)
class AddressChanged:
    """What is known of an address of a service has changed.

    Args:
        state: `closed`, `open` or `half_open`, of its circuit breaker; or `ejected`.
    """

    service: str
    url: str
    state: str


Listener = Callable[[Answered], None]
AuditListener = Callable[[Audited], None]
Watcher = Callable[[AddressChanged], None]
