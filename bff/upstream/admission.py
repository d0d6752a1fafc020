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
        breakers: the circuit breaker of each address; None for an address without one.
    """

    def __init__(self, breakers: Sequence[Breaker | None]) -> None:
        self._breakers = breakers

    def admit(self, now: float) -> None:
        """Admit a request if the circuit breaker of any address allows it.

        Raises:
            CircuitOpen: none does; has the seconds until one does.
        """
        shut = [each.opens_in(now) for each in self._breakers if each and not each.admits(now)]
        if len(shut) == len(self._breakers):
            raise CircuitOpen("circuit breaker open", min(shut))


def admission_of(policies: Policies, circuits: OpenCircuits) -> tuple[AdmissionPolicy, ...]:
    """The admission policies of a service, in the order in which they apply."""
    return (circuits,) if policies.breaker else ()
