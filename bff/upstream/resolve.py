"""Look-ups of names, on threads of their own: nothing can interrupt getaddrinfo(3).

Everybody who asks for a name that is being looked up waits for that one look-up, so that a name
that hangs holds one thread, whoever asks for it; and there may be a thread for each name, so that
names that hang do not hold up any other.
"""

import socket
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, Protocol

import httpcore

from bff.cache.single_flight import SingleFlight
from bff.upstream.ticket import Ticket
from bff.upstream.workers import Workers

Addresses = list[tuple[int, Any]]  # address family, socket address
Found = list[Any] | BaseException  # what getaddrinfo(3) gives
_Name = tuple[str, int]


class Waiter(Protocol):
    """Where the result of a look-up is left."""

    def put(self, found: Found, /) -> None:
        """Leave it, by any thread; never blocks."""


class Resolver:
    """Finds the addresses of names; starts no thread before it is asked.

    Args:
        names: how many there are at most.
    """

    def __init__(self, names: int) -> None:
        self._workers = Workers(names, "bff-resolver")
        self._flights: SingleFlight[Waiter] = SingleFlight(_deliver)

    def resolve(self, host: str, port: int, ticket: Ticket) -> Addresses:
        """The addresses of a name, by the deadline of `ticket`.

        Raises:
            Cancelled: the attempt was given up while it waited.
            httpcore.ConnectTimeout: not in time.
            httpcore.ConnectError: it has none.
        """
        mine: SimpleQueue[Found] = SimpleQueue()
        self.ask(host, port, mine)
        try:
            found = mine.get(timeout=ticket.block_on(lambda: mine.put([])))
        except Empty:
            raise httpcore.ConnectTimeout("the name was not found in time") from None
        finally:
            ticket.unblock()
            self.forget(host, port, mine)
        ticket.left()
        try:
            return addresses_in(found)
        except OSError as error:
            raise httpcore.ConnectError(str(error)) from None

    def ask(self, host: str, port: int, waiter: Waiter) -> None:
        """Have the addresses of a name left with `waiter`: of a literal address, at once."""
        name = (host, port)
        if _is_address(host):
            waiter.put(_look_up(name))  # nothing to wait for
        else:
            job = partial(self._workers.submit, partial(self._answer, name))
            self._flights.start(name, waiter, job, lambda error: error)

    def forget(self, host: str, port: int, waiter: Waiter) -> None:
        """Leave the result with `waiter` no more; the look-up goes on for others."""
        self._flights.leave((host, port), waiter)

    def close(self) -> None:
        """End the threads that can be ended."""
        self._workers.close()

    def _answer(self, name: _Name) -> None:
        self._flights.complete(name, _look_up(name))


def addresses_in(found: Found) -> Addresses:
    """The addresses that a look-up has come to.

    Raises:
        OSError: it has failed.
    """
    if isinstance(found, BaseException):
        raise OSError(str(found))
    return [(family, address) for family, _, _, _, address in found]


def _deliver(waiter: Waiter, found: Found, _first: bool) -> None:  # noqa: FBT001 - a callback
    waiter.put(found)


def _look_up(name: _Name) -> Found:
    try:
        return list(socket.getaddrinfo(*name, type=socket.SOCK_STREAM))
    except Exception as error:  # noqa: BLE001  (a name may be no name at all: UnicodeError)
        return error


def _is_address(host: str) -> bool:
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, host)
        except (OSError, ValueError):
            continue
        return True
    return False
