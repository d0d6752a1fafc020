"""Wakes a thread that waits in poll(2), by an eventfd(2) or, where it is missing, a socket pair."""

import os
import socket
from contextlib import suppress


class EventWakeup:
    """An eventfd: one descriptor, and one system call to set or clear it (Linux)."""

    def __init__(self) -> None:
        self._fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def fileno(self) -> int:
        """The descriptor to poll for reading."""
        return self._fd

    def set(self) -> None:
        """Make the descriptor readable; from any thread."""
        with suppress(BlockingIOError):  # the counter is full: it is readable
            os.eventfd_write(self._fd, 1)

    def clear(self) -> None:
        """Make the descriptor unreadable."""
        with suppress(BlockingIOError):  # it was not set
            os.eventfd_read(self._fd)

    def close(self) -> None:
        """Close the descriptor."""
        os.close(self._fd)


class PairWakeup:
    """A pair of connected sockets, for systems without eventfd(2)."""

    def __init__(self) -> None:
        self._reader, self._writer = socket.socketpair()
        for end in (self._reader, self._writer):
            end.setblocking(False)  # noqa: FBT003 - it has no name in Python

    def fileno(self) -> int:
        """The descriptor to poll for reading."""
        return self._reader.fileno()

    def set(self) -> None:
        """Make the descriptor readable; from any thread."""
        with suppress(BlockingIOError):  # the buffer is full: it is readable
            self._writer.send(b"\0")

    def clear(self) -> None:
        """Make the descriptor unreadable."""
        with suppress(BlockingIOError):
            while self._reader.recv(4096):
                pass

    def close(self) -> None:
        """Close both descriptors."""
        self._reader.close()
        self._writer.close()


Wakeup = EventWakeup | PairWakeup


def open_wakeup() -> Wakeup:
    """Open the cheapest kind that the system supports."""
    return EventWakeup() if hasattr(os, "eventfd") else PairWakeup()
