"""Connections whose every read and write is clamped to the deadline of the attempt they serve.

httpx has time-outs per read only: an upstream that sends a byte now and then holds a thread for as
long as it likes. Here the total is kept, look-ups included, and a blocked attempt can be woken.
"""

import select
import socket
import ssl
from collections.abc import Iterable
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from threading import local
from typing import Any, Final

import httpcore

from bff.upstream.ticket import Ticket
from bff.upstream.workers import Workers

_current = local()
_CHUNK: Final = 64 * 1024


@contextmanager
def carrying(ticket: Ticket) -> Any:
    """Within this block the connections that this thread uses serve `ticket`."""
    _current.ticket = ticket
    try:
        yield
    finally:
        del _current.ticket


def _ticket() -> Ticket:
    ticket: Ticket = _current.ticket
    return ticket


class Backend(httpcore.NetworkBackend):
    """Opens the connections of a pool; look-ups of names run on threads of their own.

    Nothing can interrupt getaddrinfo(3), so a look-up that hangs holds only one of these.
    """

    def __init__(self, resolvers: Workers) -> None:
        self._resolvers = resolvers

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ARG002  (the ticket's deadline is what counts)
        local_address: str | None = None,  # noqa: ARG002
        socket_options: Iterable[Any] | None = None,  # noqa: ARG002
    ) -> httpcore.NetworkStream:
        """Connect to the first address that answers.

        Raises:
            TimedOut: not before the attempt's deadline.
            httpcore.ConnectError: no address does.
        """
        failure: Exception | None = None
        for family, address in self._resolve(host, port):
            sock = socket.socket(family, socket.SOCK_STREAM)
            try:
                _connect(sock, address)
            except OSError as error:
                sock.close()
                failure = error
            except BaseException:
                sock.close()
                raise
            else:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return Stream(sock)
        raise httpcore.ConnectError(str(failure or "the name has no address"))

    def _resolve(self, host: str, port: int) -> list[tuple[int, Any]]:
        answers: SimpleQueue[Any] = SimpleQueue()

        def look_up() -> None:
            try:
                answers.put(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
            except OSError as error:
                answers.put(error)

        try:
            socket.inet_aton(host)
        except OSError:
            self._resolvers.submit(look_up)
        else:
            look_up()  # an address: nothing to wait for
        try:
            found = answers.get(timeout=_ticket().left())
        except Empty:
            raise httpcore.ConnectTimeout("the name was not found in time") from None
        if isinstance(found, OSError):
            raise httpcore.ConnectError(str(found))
        return [(family, address) for family, _, _, _, address in found]


def _connect(sock: socket.socket, address: Any) -> None:
    ticket = _ticket()
    try:
        sock.settimeout(ticket.block_on(sock))
        sock.connect(address)
    except TimeoutError as error:
        raise httpcore.ConnectTimeout(str(error)) from None
    finally:
        ticket.unblock()


class Stream(httpcore.NetworkStream):
    """One connection, in use by whichever attempt its thread carries."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002
        """Read what is there, for as long as the attempt may take."""
        ticket = _ticket()
        try:
            self._socket.settimeout(ticket.block_on(self._socket))
            return self._socket.recv(max_bytes)
        except TimeoutError as error:
            raise httpcore.ReadTimeout(str(error)) from None
        except OSError as error:
            raise httpcore.ReadError(str(error)) from None
        finally:
            ticket.unblock()

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002
        """Write everything, within the attempt's time."""
        ticket = _ticket()
        rest = memoryview(buffer)
        try:
            while rest:
                self._socket.settimeout(ticket.block_on(self._socket))
                rest = rest[self._socket.send(rest[:_CHUNK]) :]
        except TimeoutError as error:
            raise httpcore.WriteTimeout(str(error)) from None
        except OSError as error:
            raise httpcore.WriteError(str(error)) from None
        finally:
            ticket.unblock()

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002
    ) -> httpcore.NetworkStream:
        """Begin TLS; CPython bounds the whole handshake by the socket's time-out."""
        ticket = _ticket()
        try:
            self._socket.settimeout(ticket.block_on(self._socket))
            secured = ssl_context.wrap_socket(self._socket, server_hostname=server_hostname)
        except OSError as error:
            self.close()
            timed_out = isinstance(error, TimeoutError)
            kind = httpcore.ConnectTimeout if timed_out else httpcore.ConnectError
            raise kind(str(error)) from None
        finally:
            ticket.unblock()
        return Stream(secured)

    def get_extra_info(self, info: str) -> Any:
        """What httpcore asks of a connection: whether it is still good, and its TLS state."""
        if info == "is_readable":
            poll = select.poll()
            poll.register(self._socket, select.POLLIN)
            return bool(poll.poll(0))
        if info == "ssl_object":
            return self._socket if isinstance(self._socket, ssl.SSLSocket) else None
        return self._socket if info == "socket" else None
