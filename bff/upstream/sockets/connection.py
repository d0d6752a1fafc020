"""One non-blocking connection: plain or TLS, it is read and written alike."""

import socket
import ssl
from contextlib import suppress
from typing import Final

from bff.upstream.sockets.poller import READ, WRITE

CHUNK: Final = 64 * 1024


class Connection:
    """A connected socket, in use by one attempt at a time, or idle.

    Attributes:
        waits_for: the event that the last send or receive waits for, where it would have blocked.
        ragged: TLS ended without close_notify, so what came may have been cut off.
        serves_until: when it is too old to serve another request, on the monotonic clock.
        idle_since: when it was returned to the idle connections.
    """

    __slots__ = ("_socket", "_tls", "idle_since", "ragged", "serves_until", "waits_for")

    def __init__(self, sock: socket.socket, serves_until: float) -> None:
        self._socket, self._tls = sock, isinstance(sock, ssl.SSLSocket)
        self.serves_until, self.idle_since = serves_until, 0.0
        self.waits_for = READ
        self.ragged = False

    def fileno(self) -> int:
        """The descriptor; -1 once it is closed."""
        return self._socket.fileno()

    def send(self, rest: memoryview) -> int:
        """Send what can be sent at once: the number of bytes, 0 where it would block.

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
        """What has come: None where it would block, nothing where the peer has ended.

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
        """Whether more may be there after a receive of so many bytes.

        A plain socket tells poll(2), so it need not be asked; TLS is asked until it would block.
        """
        return self._tls or received == CHUNK

    def is_quiet(self) -> bool:
        """Whether an idle connection is open, and nothing has come that was not asked for.

        Over TLS, what came may be a session ticket (RFC 8446, section 4.6.1): reading it gives
        no bytes.
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
        """Close it; it must be registered nowhere."""
        self._socket.close()
