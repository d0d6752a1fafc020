"""Opens one connection without blocking: DNS lookup, connect to each address in turn, TLS."""

import errno
import os
import socket
import ssl
from functools import partial
from time import monotonic
from typing import Final, Protocol

from bff.errors import BffError, TimedOut, Unreachable
from bff.upstream.connection_events import ConnectionEvents
from bff.upstream.resolve import Addresses, Found, Resolver, addresses_in
from bff.upstream.sockets.address import Address
from bff.upstream.sockets.connection import Connection
from bff.upstream.sockets.poller import READ, WRITE, Poller, Watched

_UNDER_WAY: Final = frozenset({errno.EINPROGRESS, errno.EWOULDBLOCK})


class Caller(Watched, Protocol):
    """Receives the connection; an `Attempt`."""

    def step(self, work: "partial[None]") -> None:
        """Run `work`; an exception ends the caller."""

    def connected(self, connection: Connection) -> None:
        """Receive the open connection."""


class Dial:
    """A connection being opened. Only `put` may be called on other threads than the poller's.

    Args:
        until: the deadline, on the monotonic clock.

    Every method may raise an UpstreamError if the connection cannot be opened.
    """

    def __init__(
        self,
        caller: Caller,
        address: Address,
        poller: Poller,
        resolver: Resolver,
        until: float,
        events: ConnectionEvents | None,
    ) -> None:
        self._caller, self._address, self._poller = caller, address, poller
        self._resolver, self._until, self._events = resolver, until, events
        self._socket: socket.socket | None = None
        self._left: Addresses = []
        self._failure: BffError | None = None
        self._handshaking = False

    def begin(self) -> None:
        """Start the DNS lookup; a literal IP address is resolved at once."""
        self._note("connection.connect_tcp.started")
        self._resolver.ask(self._address.host, self._address.port, self)

    def put(self, found: Found) -> None:
        """Receive the result of the DNS lookup, on any thread."""
        work = partial(self._resolved, found)
        if self._poller.is_mine():
            self._caller.step(work)
        else:
            self._poller.post(partial(self._caller.step, work))

    def ready(self) -> None:
        """Continue: the socket is ready."""
        if self._handshaking:
            self._handshake()
            return
        if self._socket is None:
            return
        number = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if number:
            self._failed(Unreachable(f"ConnectError: {os.strerror(number)}", "connect"))
        else:
            self._reached(self._socket)

    def expire(self) -> None:
        """Try the next address if this one timed out; raise TimedOut at the deadline."""
        if self._socket is not None and not self._handshaking and monotonic() < self._until:
            self._failed(TimedOut("ConnectTimeout: timed out"))
        else:
            raise TimedOut("ConnectTimeout: deadline exceeded")

    def abandon(self) -> None:
        """Cancel the lookup, and close the socket."""
        self._resolver.forget(self._address.host, self._address.port, self)
        self._left = []
        self._close()

    def _resolved(self, found: Found) -> None:
        try:
            self._left = addresses_in(found)
        except OSError as error:
            raise Unreachable(f"ConnectError: {error}", "connect") from None
        self._next()

    def _next(self) -> None:
        """Connect to the next address, within an equal share of the remaining time."""
        while self._left:
            family, address = self._left.pop(0)
            try:
                sock = self._socket = socket.socket(family, socket.SOCK_STREAM)
                sock.setblocking(False)  # noqa: FBT003 - it has no name in Python
                number = sock.connect_ex(address)
            except OSError as error:  # no file descriptor, or an unsupported address family
                self._failure = Unreachable(f"ConnectError: {error}", "connect")
                self._close()
                continue
            if number == 0:
                self._reached(sock)
                return
            if number in _UNDER_WAY:
                share = (self._until - (now := monotonic())) / (len(self._left) + 1)
                self._caller.due = now + share
                self._poller.register(sock.fileno(), self._caller, WRITE)
                return
            self._failure = Unreachable(f"ConnectError: {os.strerror(number)}", "connect")
            self._close()
        raise self._failure or Unreachable("ConnectError: the name has no address", "connect")

    def _failed(self, error: BffError) -> None:
        self._failure = error
        self._close()
        self._next()

    def _reached(self, sock: socket.socket) -> None:
        """Continue with TLS, if declared, after the TCP connection is established."""
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._caller.due = self._until
        self._note("connection.connect_tcp.complete")
        if self._address.tls is None:
            self._done(sock)
            return
        self._note("connection.start_tls.started")
        self._poller.unregister(sock.fileno())
        try:
            self._socket = self._address.tls.wrap_socket(
                sock,
                server_hostname=self._address.host,
                do_handshake_on_connect=False,
                suppress_ragged_eofs=False,
            )
        except (OSError, ValueError) as error:
            raise Unreachable(f"ConnectError: {error}", "connect") from None
        self._handshaking = True
        self._handshake()

    def _handshake(self) -> None:
        sock = self._socket
        if not isinstance(sock, ssl.SSLSocket):
            return
        try:
            sock.do_handshake()
        except ssl.SSLWantReadError:
            self._poller.register(sock.fileno(), self._caller, READ)
        except ssl.SSLWantWriteError:
            self._poller.register(sock.fileno(), self._caller, WRITE)
        except (OSError, ValueError) as error:
            raise Unreachable(f"ConnectError: {error}", "connect") from None
        else:
            self._note("connection.start_tls.complete")
            self._done(sock)

    def _done(self, sock: socket.socket) -> None:
        self._poller.unregister(sock.fileno())
        self._socket = None
        self._caller.connected(Connection(sock, monotonic() + self._address.renew))

    def _close(self) -> None:
        if self._socket is not None:
            self._poller.unregister(self._socket.fileno())
            self._socket.close()
            self._socket = None

    def _note(self, name: str) -> None:
        if self._events is not None:
            self._events.record(name, {})
