"""Detects that a file was deleted or replaced while it is in use, by its device and inode.

A process that had it open would continue with a file that no other process sees, and a process that
opens it later would start with an empty one. The identity that the parent process remembers is
inherited by the processes that it forks.
"""

import os
import weakref
from pathlib import Path
from typing import Final

from bff.errors import StoreAway

Identity = tuple[int, int]
# O_PATH: closing an ordinary descriptor would release the POSIX locks that SQLite holds.
_HELD: Final = getattr(os, "O_PATH", os.O_RDONLY) | os.O_CLOEXEC
_remembered: Final[dict[Path, "SameFile"]] = {}


class SameFile:
    """A file that has to keep the identity that it had when it was first used.

    Args:
        path: of the file, which need not exist before `use` is called.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._identity: Identity | None = None

    @classmethod
    def of(cls, path: Path) -> "SameFile":
        """The file at a path, as remembered by this process or its parent."""
        return _remembered.get(path.absolute()) or cls(path)

    @property
    def is_known(self) -> bool:
        """Whether its identity is known."""
        return self._identity is not None

    def use(self) -> None:
        """Take the identity of the file that is there now, unless one is known already.

        A descriptor is held open, so that its inode is not reused for another file.

        Raises:
            OSError: there is no file.
        """
        if self._identity is None:
            held = os.open(self.path, _HELD)
            weakref.finalize(self, os.close, held)
            self._identity = _identity(os.fstat(held))

    def remember(self) -> None:
        """Make the identity known to all processes that this one forks; see `use`."""
        self.use()
        _remembered[self.path.absolute()] = self

    def check(self) -> None:
        """Check that the file at the path is still the same.

        Raises:
            StoreAway: it was deleted or replaced.
        """
        if self._identity is None:
            return
        try:
            there = _identity(self.path.stat())
        except OSError:
            raise StoreAway(self._message("deleted")) from None
        if there != self._identity:
            raise StoreAway(self._message("replaced"))

    def _message(self, what: str) -> str:
        return f"{self.path} was {what} while in use: restart bff; all users have to sign in again"


def _identity(found: os.stat_result) -> Identity:
    return found.st_dev, found.st_ino
