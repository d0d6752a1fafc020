"""Connections whose reads and writes are bounded by the deadline of the current attempt.

httpx has timeouts for single reads only, so an upstream that sends one byte at a time holds a
thread without limit. Here the deadline covers the whole attempt, DNS lookups included, and another
thread can wake a blocked attempt.
"""

import select
import socket
import ssl
from collections.abc import Iterable
from contextlib import contextmanager, suppress
from functools import partial
from threading import local
from typing import Any, Final

import httpcore

from bff.upstream.attempt_handle import AttemptHandle
from bff.upstream.resolve import Resolver

_current = local()
_CHUNK: Final = 64 * 1024


@contextmanager
def bound_to(handle: AttemptHandle) -> Any:
    """Bind the connections that this thread uses to `handle` during the block."""
    _current.handle = handle
    try:
        yield
    finally:
        del _current.handle


def _handle() -> AttemptHandle:
    handle: AttemptHandle = _current.handle
    return handle


class Backend(httpcore.NetworkBackend):
    """Opens connections, as the network backend of httpcore."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ARG002  (the handle's deadline is what counts)
        local_address: str | None = None,  # noqa: ARG002 - nobody declares one
        socket_options: Iterable[Any] | None = None,  # noqa: ARG002 - likewise
    ) -> httpcore.NetworkStream:
        """Connect to the first address that accepts the connection.

        Raises:
            TimedOut: none does before the attempt's deadline.
            httpcore.ConnectError: none does.
        """
        failure: Exception | None = None
        _handle().reused = _handle().ragged = False
        addresses = self._resolver.resolve(host, port, _handle())
        for tried, (family, address) in enumerate(addresses):
            sock = socket.socket(family, socket.SOCK_STREAM)
            try:
                _connect(sock, address, share=len(addresses) - tried)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            except (OSError, httpcore.ConnectTimeout) as error:
                sock.close()
                failure = error
            except BaseException:
                sock.close()
                raise
            else:
                return Stream(sock)
        if isinstance(failure, httpcore.ConnectTimeout):
            raise failure
        raise httpcore.ConnectError(str(failure or "the name has no address"))


def _break(sock: socket.socket) -> None:
    """Wake the thread that is blocked on a socket."""
    with suppress(OSError):  # it may be closed already
        # not SSLSocket.shutdown(), which drops the TLS state that the other thread uses
        socket.socket.shutdown(sock, socket.SHUT_RDWR)


def _connect(sock: socket.socket, address: Any, share: int) -> None:
    """Connect within an equal share of the remaining time, so that others can be tried after."""
    handle = _handle()
    try:
        sock.settimeout(handle.block_on(partial(_break, sock)) / share)
        sock.connect(address)
    except TimeoutError as error:
        raise httpcore.ConnectTimeout(str(error)) from None
    finally:
        handle.unblock()


class Stream(httpcore.NetworkStream):
    """One connection, used by the attempt that its thread is bound to."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._break = partial(_break, sock)

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002 - likewise
        """Read available bytes, within the deadline of the attempt."""
        handle = _handle()
        try:
            self._socket.settimeout(handle.block_on(self._break))
            received = self._socket.recv(max_bytes)
        except ssl.SSLEOFError:
            received, handle.ragged = b"", True  # perhaps truncated: see require_length()
        except TimeoutError as error:
            raise httpcore.ReadTimeout(str(error)) from None
        except OSError as error:
            raise httpcore.ReadError(str(error)) from None
        finally:
            handle.unblock()
        handle.hung_up = not received
        handle.received = handle.received or bool(received)
        return received

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002 - likewise
        """Write all bytes, within the deadline of the attempt."""
        handle = _handle()
        if handle.reused is None:
            handle.reused = True  # not opened by this attempt: a reused connection
        rest = memoryview(buffer)
        try:
            while rest:
                self._socket.settimeout(handle.send_on(self._break))
                rest = rest[self._socket.send(rest[:_CHUNK]) :]
        except TimeoutError as error:
            raise httpcore.WriteTimeout(str(error)) from None
        except OSError as error:
            raise httpcore.WriteError(str(error)) from None
        finally:
            handle.unblock()

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002 - likewise: the handle's
    ) -> httpcore.NetworkStream:
        """Start TLS; CPython applies the socket's timeout to the whole handshake."""
        handle = _handle()
        try:
            self._socket.settimeout(handle.block_on(self._break))
            secured = ssl_context.wrap_socket(
                self._socket, server_hostname=server_hostname, suppress_ragged_eofs=False
            )
        except OSError as error:
            self.close()
            timed_out = isinstance(error, TimeoutError)
            kind = httpcore.ConnectTimeout if timed_out else httpcore.ConnectError
            raise kind(str(error)) from None
        except BaseException:
            self.close()
            raise
        finally:
            handle.unblock()
        return Stream(secured)

    def get_extra_info(self, info: str) -> Any:
        """Properties that httpcore reads: whether the socket is readable, and its TLS state."""
        if info == "is_readable":
            if self._socket.fileno() < 0:
                return True  # closed; httpcore then drops the connection
            poll = select.poll()
            poll.register(self._socket, select.POLLIN)
            return bool(poll.poll(0))
        if info == "ssl_object":
            return self._socket if isinstance(self._socket, ssl.SSLSocket) else None
        return self._socket if info == "socket" else None
