"""What goes into the conductor, and what comes out of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bff.engine.compile import CompiledCall
from bff.errors import BffError
from bff.model.exchange import Headers, Outcome
from bff.model.principal import Principal


@dataclass(frozen=True, slots=True)
class Asked:
    """What a client's request brings to a plan.

    Args:
        scope: the values of the reserved root names.
        headers: the client's headers by lower-case name, those that may be forwarded.
    """

    scope: Mapping[str, Any]
    headers: Mapping[str, str]
    principal: Principal


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a view has no answer: the required call that failed."""

    call: CompiledCall
    error: BffError
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a request: a value or a failure, and every call's outcome."""

    value: Any
    outcomes: Mapping[str, Outcome]
    respond: Headers = ()
    failure: Failure | None = None
    faults: tuple[str, ...] = ()
