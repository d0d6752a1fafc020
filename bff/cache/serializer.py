"""The serializer of flask-caching's backends: plain bytes and numbers, never pickles.

Loading a pickle runs code: with pickles, write access to the store would be code execution here.
"""

from typing import IO, Any, Final

_BYTES: Final = b"b"
_NUMBER: Final = b"n"


class PlainSerializer:
    """Serializes bytes, and the integers that the file backend counts with."""

    def dumps(self, value: bytes | int) -> bytes:
        """Serialize a value.

        Raises:
            TypeError: it is neither bytes nor an integer.
        """
        if isinstance(value, bytes):
            return _BYTES + value
        if type(value) is int:
            return _NUMBER + str(value).encode()
        raise TypeError(f"a {type(value).__name__} cannot be stored")

    def loads(self, stored: bytes | None) -> Any:
        """Deserialize a value; None for anything that `dumps` has not made."""
        if not isinstance(stored, bytes):
            return None
        kind, value = stored[:1], stored[1:]
        if kind == _BYTES:
            return value
        return int(value) if kind == _NUMBER and value.isdigit() else None

    def dump(self, value: bytes | int, file: IO[bytes]) -> None:
        """Serialize a value into a file."""
        file.write(self.dumps(value))

    def load(self, file: IO[bytes]) -> Any:
        """Deserialize a value from a file."""
        return self.loads(file.read())
