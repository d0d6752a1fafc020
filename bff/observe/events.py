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
    """

    id: str
    frontend: str
    view: str
    status: int
    took: float
    outcomes: Mapping[str, Outcome]


Listener = Callable[[Answered], None]
