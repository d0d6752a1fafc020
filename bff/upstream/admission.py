"""The policies that may refuse a request to a service at once, before it is sent.

Each decides on its own, given the time; the guard of the service holds its lock meanwhile.
"""

from collections.abc import Sequence
from typing import Protocol

from bff.errors import CircuitOpen
from bff.model.policy import Policies
from bff.upstream.breaker import Breaker


class AdmissionPolicy(Protocol):
    """Decides whether a request may be sent, once for each request."""

    def admit(self, now: float) -> None:
        """Admit a request.

        Args:
            now: seconds on the guard's clock.

        Raises:
            UpstreamError: the request is refused.
        """


class OpenCircuits:
    """Refuses requests while the circuit breakers of all addresses are open.

    Args:
        breakers: of each address; None of one without.
    """

    def __init__(self, breakers: Sequence[Breaker | None]) -> None:
        self._breakers = breakers

    def admit(self, now: float) -> None:
        """Admit a request where an address may be asked.

        Raises:
            CircuitOpen: none may; it has the seconds until one may.
        """
        shut = [each.opens_in(now) for each in self._breakers if each and not each.admits(now)]
        if len(shut) == len(self._breakers):
            raise CircuitOpen("circuit breaker open", min(shut))


def admission_of(policies: Policies, circuits: OpenCircuits) -> tuple[AdmissionPolicy, ...]:
    """What a request to a service with these policies has to pass, in this order."""
    return (circuits,) if policies.breaker else ()
