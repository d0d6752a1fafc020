"""What observers hear."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bff.model.exchange import Outcome


@dataclass(frozen=True, slots=True)
class Answered:
    """A view was answered, whatever the answer.

    Args:
        id: the request's id, which the client has as well.
        took: seconds.
        kept: what the cache had to do with it: `hit`, `stale`, `miss`; empty for nothing.
    """

    id: str
    frontend: str
    view: str
    status: int
    took: float
    outcomes: Mapping[str, Outcome]
    kept: str = ""


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
Watcher = Callable[[AddressChanged], None]
