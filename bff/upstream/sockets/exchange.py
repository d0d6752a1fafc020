"""The fast exchange: non-blocking sockets, read by the thread that asks while it waits.

A request is written at once by the thread that conducts, to a connection that is idle, and its
reply is read by that thread in its mailbox (`PolledMailbox`). So a page wakes no other thread, and
the interpreter's lock changes hands only where there is something to wait for. Where a mailbox is
no asking thread's, the one `EventLoop` reads. httptools has to be installed (extra `fast`).
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Final
from weakref import finalize

from bff.errors import Unreachable
from bff.model.exchange import Deadline, Request
from bff.model.service import Service
from bff.upstream.exchange import Completion, Sink, Usage, reader_of
from bff.upstream.memory import Memory
from bff.upstream.pool import PoolExchange
from bff.upstream.resolve import Resolver
from bff.upstream.sockets.address import Address, address_of
from bff.upstream.sockets.attempt import Attempt
from bff.upstream.sockets.connection import Connection
from bff.upstream.sockets.event_loop import EventLoop
from bff.upstream.sockets.polled_mailbox import PollingClock
from bff.upstream.sockets.poller import Poller
from bff.upstream.sockets.slots import Slots
from bff.upstream.steps import Steps
from bff.upstream.stream import Incoming
from bff.upstream.tls import TlsContexts


class _Refused:
    """The ticket of a request that could not be begun; its completion has been put."""

    def cancel(self) -> None:
        """There is nothing to give up."""

    def withdraw(self) -> bool:
        """Nothing of it has been sent."""
        return True


_REFUSED: Final = _Refused()
Ticket = Attempt | _Refused


class SocketExchange:
    """Requests in flight on non-blocking connections.

    Args:
        services: where requests may go; nothing else is ever contacted.
        size: requests in flight at once; further ones wait in line, first come, first served.
        memory: what the replies may take of the process's memory.
        traced: whether completions say when what happened on the connection.

    Nothing is opened before the first request, so one may be made before a fork.
    """

    def __init__(
        self,
        services: Mapping[str, Service],
        size: int,
        *,
        memory: Memory | None = None,
        traced: bool = False,
    ) -> None:
        memory, contexts = memory or Memory(), TlsContexts()
        self._size, self._traced = size, traced
        self._first = {name: service.url for name, service in services.items()}
        self._addresses = {
            (name, url): address_of(service, url, contexts.of(service))
            for name, service in services.items()
            for url in service.urls
        }
        self._parts = _Parts(size, memory, self._addresses.values())
        # Streams and relays block their own thread, which nothing else waits for.
        self._blocking = PoolExchange(services, size, memory=memory)
        finalize(self, self._parts.close).atexit = False

    def start(self, request: Request, deadline: Deadline, attempt: int, mailbox: Sink) -> Ticket:
        """Send `request`, or have it wait in line where too many are in flight."""
        address = self._addresses[request.service, request.url or self._first[request.service]]
        steps = Steps() if self._traced else None
        asking, job = reader_of(mailbox), (request, deadline, attempt, mailbox)
        if asking is not None and asking.is_mine():
            made = Attempt(self._parts, address, asking, job, steps)
            if self._parts.slots.enter(made):
                made.begin()
            else:
                made.wait()
            return made
        try:
            loop = self._parts.loop.poller()
        except RuntimeError as error:
            mailbox.put(Completion(attempt, Unreachable(f"no thread: {error}", "connect")))
            return _REFUSED
        made = Attempt(self._parts, address, loop, job, steps)
        loop.post(made.begin if self._parts.slots.enter(made) else made.wait)
        return made

    def clock(self) -> PollingClock:
        """A clock whose mailboxes read while their thread waits."""
        return PollingClock()

    def stream(self, request: Request, body: Iterable[bytes] | None, idle: float) -> Incoming:
        """Send `request` on this very thread, and pass its bodies on piece by piece."""
        return self._blocking.stream(request, body, idle)

    def cancel(self, ticket: Ticket) -> None:
        """Give up an attempt; its connection is closed by the thread that it belongs to."""
        ticket.cancel()

    def withdraw(self, ticket: Ticket) -> bool:
        """Give up an attempt of which nothing was sent yet; see `Withdrawing`."""
        return ticket.withdraw()

    def unready(self) -> str:
        """Whether as many requests wait in line as may be in flight."""
        waiting = self.usage().waiting
        return f"{waiting} requests wait for a thread" if waiting >= self._size else ""

    def usage(self) -> Usage:
        """How full it is."""
        return self._parts.slots.usage()

    def close(self) -> None:
        """End the threads, and close the connections that are idle."""
        self._parts.close()
        self._blocking.close()


class _Parts:
    """What the attempts of an exchange share; see `Means`. It does not refer to the exchange."""

    def __init__(self, size: int, memory: Memory, addresses: Iterable[Address]) -> None:
        addresses = list(addresses)
        self.memory, self.slots = memory, Slots(size)
        self.resolver = Resolver(len(addresses))
        self.loop = EventLoop(address.idle for address in addresses)
        self._closed = False

    def returned(self, address: Address, connection: Connection) -> None:
        """Keep a connection for the next request; the loop closes it where none comes."""
        if self._closed or not self._sweeps():
            connection.close()
        else:
            address.idle.put(connection)

    def unpack(self, poller: Poller, size: int, work: Callable[[], None], *, coded: bool) -> None:
        """Have a body decoded and passed on: by the asking thread itself, if it is one."""
        if self._sweeps() and poller is self.loop.poller():
            self.loop.unpack(size, work, coded=coded)
        else:
            work()

    def close(self) -> None:
        """End the threads and close the idle connections."""
        self._closed = True
        self.loop.close()
        self.resolver.close()

    def _sweeps(self) -> bool:
        """Whether the thread runs that closes idle connections; it is started if it can be."""
        try:
            self.loop.poller()
        except RuntimeError:
            return False
        return True
