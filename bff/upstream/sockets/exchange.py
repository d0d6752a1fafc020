"""The socket exchange: non-blocking sockets, read by the requesting thread while it waits.

The conductor's thread writes a request to an idle connection, and reads the reply while it waits
in its mailbox (`PolledMailbox`). So no other thread is woken, and the GIL is released only to wait
for I/O. For mailboxes without a poller, the `EventLoop` does the I/O. It needs httptools (extra
`fast`).
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Final
from weakref import finalize

from bff.errors import Unreachable
from bff.model.exchange import Deadline, Request
from bff.model.service import Service
from bff.upstream.connection_events import ConnectionEvents
from bff.upstream.exchange import Completion, Sink, Usage, poller_of
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
from bff.upstream.stream import HttpxStreamedReply
from bff.upstream.tls import TlsContexts


class _Refused:
    """The handle of a request that could not be started; its completion has been put."""

    def cancel(self) -> None:
        """Do nothing: the request has ended."""

    def withdraw(self) -> bool:
        """True: nothing of the request has been sent."""
        return True


_REFUSED: Final = _Refused()
Handle = Attempt | _Refused


class SocketExchange:
    """Sends requests over non-blocking connections.

    Args:
        services: the services, by name; no other host is ever contacted.
        size: the maximum of requests in flight; further ones are queued in FIFO order.
        memory: the memory budget for replies.
        traced: whether completions have the times of events on the connection.

    Nothing is opened before the first request, so an instance can be created before a fork.
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
        self._shared = _SharedState(size, memory, self._addresses.values())
        # Streams block the thread of their client's request, so blocking I/O costs nothing more.
        self._blocking = PoolExchange(services, size, memory=memory)
        finalize(self, self._shared.close).atexit = False

    def start(self, request: Request, deadline: Deadline, attempt: int, mailbox: Sink) -> Handle:
        """Send `request`, or queue it if the maximum of requests is in flight."""
        address = self._addresses[request.service, request.url or self._first[request.service]]
        events = ConnectionEvents() if self._traced else None
        poller, job = poller_of(mailbox), (request, deadline, attempt, mailbox)
        if poller is not None and poller.is_mine():
            made = Attempt(self._shared, address, poller, job, events)
            if self._shared.slots.acquire(made):
                made.begin()
            else:
                made.wait()
            return made
        try:
            loop = self._shared.loop.poller()
        except RuntimeError as error:
            mailbox.put(Completion(attempt, Unreachable(f"no thread: {error}", "connect")))
            return _REFUSED
        made = Attempt(self._shared, address, loop, job, events)
        loop.post(made.begin if self._shared.slots.acquire(made) else made.wait)
        return made

    def clock(self) -> PollingClock:
        """A clock whose mailboxes read connections while their thread waits."""
        return PollingClock()

    def stream(
        self, request: Request, body: Iterable[bytes] | None, idle: float
    ) -> HttpxStreamedReply:
        """Send `request` on the calling thread, and stream its bodies."""
        return self._blocking.stream(request, body, idle)

    def cancel(self, handle: Handle) -> None:
        """Cancel an attempt; the thread of its poller closes its connection."""
        handle.cancel()

    def withdraw(self, handle: Handle) -> bool:
        """Cancel an attempt that has not been sent; see `WithdrawingExchange`."""
        return handle.withdraw()

    def unready(self) -> str:
        """The reason if at least as many requests are queued as may be in flight; else empty."""
        waiting = self.usage().waiting
        return f"{waiting} requests wait for a thread" if waiting >= self._size else ""

    def usage(self) -> Usage:
        """Its current utilization."""
        return self._shared.slots.usage()

    def close(self) -> None:
        """End the threads, and close the idle connections."""
        self._shared.close()
        self._blocking.close()


class _SharedState:
    """The `AttemptContext` of an exchange; it does not refer to the exchange."""

    def __init__(self, size: int, memory: Memory, addresses: Iterable[Address]) -> None:
        addresses = list(addresses)
        self.memory, self.slots = memory, Slots(size)
        self.resolver = Resolver(len(addresses))
        self.loop = EventLoop(address.idle for address in addresses)
        self._closed = False

    def return_connection(self, address: Address, connection: Connection) -> None:
        """Return a connection for reuse; the event loop closes it when it expires."""
        if self._closed or not self._sweeps():
            connection.close()
        else:
            address.idle.put(connection)

    def decode(self, poller: Poller, size: int, work: Callable[[], None], *, coded: bool) -> None:
        """Run `work`, which decodes a body, on the requesting thread or by the event loop."""
        if self._sweeps() and poller is self.loop.poller():
            self.loop.decode(size, work, coded=coded)
        else:
            work()

    def close(self) -> None:
        """End the threads and close the idle connections."""
        self._closed = True
        self.loop.close()
        self.resolver.close()

    def _sweeps(self) -> bool:
        """Start the thread that closes idle connections; False if that fails."""
        try:
            self.loop.poller()
        except RuntimeError:
            return False
        return True
