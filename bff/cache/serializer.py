"""How values stand in flask-caching's backends: as the bytes they are, and never as pickles.

A pickle is a program: whoever can write to the store could have it run here.
"""

from typing import IO, Any, Final

_BYTES: Final = b"b"
_NUMBER: Final = b"n"


class PlainSerializer:
    """Bytes, and the numbers that the file backend counts with; what is neither is nothing."""

    def dumps(self, value: bytes | int) -> bytes:
        """A value as it is stored.

        Raises:
            TypeError: it is neither bytes nor a number.
        """
        if isinstance(value, bytes):
            return _BYTES + value
        if type(value) is int:
            return _NUMBER + str(value).encode()
        raise TypeError(f"a {type(value).__name__} is not stored")

    def loads(self, stored: bytes | None) -> Any:
        """What was stored; None for anything that was not stored by this."""
        if not isinstance(stored, bytes):
            return None
        kind, value = stored[:1], stored[1:]
        if kind == _BYTES:
            return value
        return int(value) if kind == _NUMBER and value.isdigit() else None

    def dump(self, value: bytes | int, file: IO[bytes]) -> None:
        """The same, into a file."""
        file.write(self.dumps(value))

    def load(self, file: IO[bytes]) -> Any:
        """The same, out of a file."""
        return self.loads(file.read())
