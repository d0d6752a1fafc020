"""JSON from outside, read without changing what it says; and JSON that is written (RFC 8259).

orjson reads and writes nearly all of it. It reads an integer beyond 64 bits as a float, which is
another number, and refuses half of a surrogate pair, which JavaScript makes where it cuts a text.
The standard library does both as they stand, and is some five times slower.
"""

import json
import math
import re
from codecs import BOM_UTF8
from typing import Any, Final

import orjson

_MOST_WITH_HALVES: Final = (
    1024 * 1024
)  # bytes that are read by the slower library for a text's sake
_HALF: Final = re.compile(rb"\\u[dD][89a-fA-F]")
_LEVEL: Final = bytes.maketrans(b"123456789", b"000000000")
_POSITIVE: Final = b"0" * 20  # 2**64 has as many digits
_NEGATIVE: Final = b"-" + b"0" * 19  # and so has -(2**63) - 1
_SAMPLE: Final = b"0000"  # of 19 digits in a row, as many are among each fourth byte
_RUN: Final = re.compile(rb"-?0+")
_MINUS: Final = ord("-")
_BEFORE: Final = frozenset(b":,[ \t\r\n")
_AFTER: Final = frozenset(b",]} \t\r\n")
_STEP: Final = 256 * 1024  # bytes that are looked at together: no large reply is copied whole
_OVERLAP: Final = 32


class Unwritable(ValueError):
    """A value that JSON cannot hold."""


def decode_json(raw: bytes, *, halves: bool) -> Any:
    """The value of a JSON text.

    A byte order mark before it is left out (RFC 8259, section 8.1). Integers of up to 308 digits
    keep all of them.

    Args:
        halves: whether texts may hold half of a surrogate pair, in up to 1 MB of JSON.

    Raises:
        ValueError: it is not JSON, is nested too deeply, or holds a number that is not finite.
    """
    raw = raw.removeprefix(BOM_UTF8)
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError:
        if not halves or len(raw) > _MOST_WITH_HALVES or not _HALF.search(raw):
            raise
    else:
        if not _has_long_integer(raw):
            return value
    return _decoded_slowly(raw)


def encode_json(value: Any, *, sort: bool = False) -> bytes:
    """A value as JSON; integers beyond 64 bits and halves of surrogate pairs as they are.

    Args:
        sort: whether keys are sorted, so that equal values have the same bytes.

    Raises:
        TypeError: it holds what JSON has no word for.
        Unwritable: it is nested too deeply, or holds a number that is not finite.
    """
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS if sort else None)
    except TypeError:
        pass
    try:
        text = json.dumps(value, allow_nan=False, separators=(",", ":"), sort_keys=sort)
    except RecursionError:
        raise Unwritable("it is nested too deeply") from None
    except ValueError as error:
        raise Unwritable(str(error)) from None
    return text.encode()


def _decoded_slowly(raw: bytes) -> Any:
    try:
        return json.loads(raw.decode(), parse_float=_finite, parse_constant=_refused)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("a number is too large")
    return value


def _refused(name: str) -> None:
    raise ValueError(f"{name} is no value of JSON")


def _has_long_integer(raw: bytes) -> bool:
    """Whether an integer beyond 64 bits may stand in a text that is JSON.

    Text that reads like one, within a string, counts too: that only costs time.
    """
    # Each fourth byte is enough to see that most texts have none, at a third of the cost.
    if _SAMPLE not in raw[::4].translate(_LEVEL):
        return False
    if len(raw) <= _STEP:
        return _found_in(raw, raw.translate(_LEVEL))
    pieces = (raw[at : at + _STEP + _OVERLAP] for at in range(0, len(raw), _STEP))
    return any(_found_in(piece, piece.translate(_LEVEL), cut=True) for piece in pieces)


def _found_in(raw: bytes, level: bytes, *, cut: bool = False) -> bool:
    """The same for some of a text.

    Args:
        level: the text with every digit made a 0, so that a run of them is found by its bytes.
        cut: whether there may be more text before and after.
    """
    for wanted in (_POSITIVE, _NEGATIVE):
        at = level.find(wanted)
        while at >= 0:
            found = _RUN.match(level, at)
            end = found.end() if found else at + len(wanted)
            begins = at == 0 or raw[at - 1] in _BEFORE or raw[at - 1] == _MINUS
            ends = end == len(raw) or raw[end] in _AFTER
            if (begins and ends) or (cut and end == len(raw)):
                return True
            at = level.find(wanted, end)
    return False
