"""Notices that a file was deleted or replaced while it is in use, by its device and inode.

A process that had it open would go on with a file that no other process sees, and one that opens it
later would begin with nothing. What the parent of all processes remembers, its forks know.
"""

import os
import weakref
from pathlib import Path
from typing import Final

from bff.errors import StoreAway

Identity = tuple[int, int]
# Does not count as opening the file: closing it would drop the locks that SQLite has there.
_HELD: Final = getattr(os, "O_PATH", os.O_RDONLY) | os.O_CLOEXEC
_remembered: Final[dict[Path, "SameFile"]] = {}


class SameFile:
    """One file that has to stay what it was when it was first used.

    Args:
        path: of the file, which need not be there before `use` is called.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._identity: Identity | None = None

    @classmethod
    def of(cls, path: Path) -> "SameFile":
        """The file at a path, as this process or the one it was forked from remembers it."""
        return _remembered.get(path.absolute()) or cls(path)

    @property
    def is_known(self) -> bool:
        """Whether it has been used."""
        return self._identity is not None

    def use(self) -> None:
        """Know the file that is there now, unless one is known already.

        It is held, so that its inode becomes no other file's.

        Raises:
            OSError: there is none.
        """
        if self._identity is None:
            held = os.open(self.path, _HELD)
            weakref.finalize(self, os.close, held)
            self._identity = _identity(os.fstat(held))

    def remember(self) -> None:
        """Have it known by all that this process forks; see `use`."""
        self.use()
        _remembered[self.path.absolute()] = self

    def check(self) -> None:
        """Check that the file which is known is still there.

        Raises:
            StoreAway: it was deleted, or another one is there.
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
        return f"{self.path} was {what} while it was in use: restart bff; all sign in again"


def _identity(found: os.stat_result) -> Identity:
    return found.st_dev, found.st_ino
