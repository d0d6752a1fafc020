"""One non-blocking connection, with the same interface for plain TCP and TLS."""

import socket
import ssl
from contextlib import suppress
from typing import Final

from bff.upstream.sockets.poller import READ, WRITE

CHUNK: Final = 64 * 1024


class Connection:
    """A connected socket, in use by one attempt at a time, or idle.

    Attributes:
        waits_for: the poll event to wait for after a send or receive that would have blocked.
        ragged: TLS ended without close_notify, so the data may be truncated.
        serves_until: when it becomes too old for another request, on the monotonic clock.
        idle_since: when it was return_connection to the idle connections.
    """

    __slots__ = ("_socket", "_tls", "idle_since", "ragged", "serves_until", "waits_for")

    def __init__(self, sock: socket.socket, serves_until: float) -> None:
        self._socket, self._tls = sock, isinstance(sock, ssl.SSLSocket)
        self.serves_until, self.idle_since = serves_until, 0.0
        self.waits_for = READ
        self.ragged = False

    def fileno(self) -> int:
        """The file descriptor; -1 after `close`."""
        return self._socket.fileno()

    def send(self, rest: memoryview) -> int:
        """Send without blocking; returns the number of bytes, 0 if it would block.

        Raises:
            OSError: the connection is broken.
        """
        self.waits_for = WRITE
        try:
            return self._socket.send(rest[:CHUNK])
        except (BlockingIOError, ssl.SSLWantWriteError):
            return 0
        except ssl.SSLWantReadError:
            self.waits_for = READ
            return 0

    def receive(self) -> bytes | None:
        """Receive without blocking; None if it would block, empty at the end of the stream.

        Raises:
            OSError: the connection is broken.
        """
        self.waits_for = READ
        try:
            return self._socket.recv(CHUNK)
        except (BlockingIOError, ssl.SSLWantReadError):
            return None
        except ssl.SSLWantWriteError:
            self.waits_for = WRITE
            return None
        except ssl.SSLEOFError:
            self.ragged = True
            return b""

    def may_hold_more(self, received: int) -> bool:
        """Whether to receive again after a receive of `received` bytes.

        poll(2) reports the rest on a plain socket. TLS may buffer decrypted bytes that poll(2) does
        not report, so it is read until it would block.
        """
        return self._tls or received == CHUNK

    def is_reusable(self) -> bool:
        """Whether an idle connection is open, and has received no unsolicited data.

        Over TLS the data may be a session ticket (RFC 8446, section 4.6.1), which is not
        application data: a read returns no bytes.
        """
        try:
            socket.socket.recv(self._socket, 1, socket.MSG_PEEK)
        except BlockingIOError:
            return not isinstance(self._socket, ssl.SSLSocket) or not self._socket.pending()
        except OSError:
            return False
        if not self._tls:
            return False
        with suppress(OSError):
            return self.receive() is None
        return False

    def close(self) -> None:
        """Close it; it must not be registered with a poller."""
        self._socket.close()
