"""DNS lookups on separate threads, because getaddrinfo(3) cannot be interrupted.

Concurrent lookups of one name share a thread, and there is a thread for each name. So a lookup that
hangs occupies one thread, and does not delay the lookups of other names.
"""

import socket
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, Protocol

import httpcore

from bff.cache.single_flight import SingleFlight
from bff.upstream.attempt_handle import AttemptHandle
from bff.upstream.thread_pool import ThreadPool

Addresses = list[tuple[int, Any]]  # address family, socket address
Found = list[Any] | BaseException  # the result of getaddrinfo(3), or its error
_Name = tuple[str, int]


class Waiter(Protocol):
    """Receives the result of a lookup."""

    def put(self, found: Found, /) -> None:
        """Deliver the result, from any thread; never blocks."""


class Resolver:
    """Resolves names to addresses; its threads start with the first lookup.

    Args:
        names: the maximum number of names, and of threads.
    """

    def __init__(self, names: int) -> None:
        self._workers = ThreadPool(names, "bff-resolver")
        self._flights: SingleFlight[Waiter] = SingleFlight(_deliver)

    def resolve(self, host: str, port: int, handle: AttemptHandle) -> Addresses:
        """Resolve a name, within the deadline of `handle`.

        Raises:
            Cancelled: the attempt was cancelled meanwhile.
            httpcore.ConnectTimeout: the deadline passed.
            httpcore.ConnectError: the lookup failed.
        """
        mine: SimpleQueue[Found] = SimpleQueue()
        self.ask(host, port, mine)
        try:
            found = mine.get(timeout=handle.block_on(lambda: mine.put([])))
        except Empty:
            raise httpcore.ConnectTimeout("DNS lookup timed out") from None
        finally:
            handle.unblock()
            self.forget(host, port, mine)
        handle.left()
        try:
            return addresses_in(found)
        except OSError as error:
            raise httpcore.ConnectError(str(error)) from None

    def ask(self, host: str, port: int, waiter: Waiter) -> None:
        """Start a lookup whose result goes to `waiter`; at once for a literal IP address."""
        name = (host, port)
        if _is_address(host):
            waiter.put(_look_up(name))  # does not block
        else:
            job = partial(self._workers.submit, partial(self._answer, name))
            self._flights.start(name, waiter, job, lambda error: error)

    def forget(self, host: str, port: int, waiter: Waiter) -> None:
        """Stop waiting; the lookup continues for other waiters."""
        self._flights.leave((host, port), waiter)

    def close(self) -> None:
        """End the threads; one that is in a lookup ends after it."""
        self._workers.close()

    def _answer(self, name: _Name) -> None:
        self._flights.complete(name, _look_up(name))


def addresses_in(found: Found) -> Addresses:
    """The addresses in the result of a lookup.

    Raises:
        OSError: the lookup failed.
    """
    if isinstance(found, BaseException):
        raise OSError(str(found))
    return [(family, address) for family, _, _, _, address in found]


def _deliver(waiter: Waiter, found: Found, _first: bool) -> None:  # noqa: FBT001 - a callback
    waiter.put(found)


def _look_up(name: _Name) -> Found:
    try:
        return list(socket.getaddrinfo(*name, type=socket.SOCK_STREAM))
    except Exception as error:  # noqa: BLE001  (such as UnicodeError for an invalid name)
        return error


def _is_address(host: str) -> bool:
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, host)
        except (OSError, ValueError):
            continue
        return True
    return False
