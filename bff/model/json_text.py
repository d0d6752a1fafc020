"""JSON is decoded without loss, and encoded (RFC 8259).

msgspec decodes integers of any length exactly, at the speed of orjson, which turns those beyond 64
bits into floats. Both refuse an unpaired surrogate, which JavaScript writes where it cuts a text:
the standard library decodes and encodes it, some five times slower.
"""

import json
import math
import re
from codecs import BOM_UTF8
from typing import Any, Final

import msgspec
import orjson

_MOST_WITH_HALVES: Final = 1024 * 1024  # bytes; larger texts are not given to the slower library
_DECODER: Final = msgspec.json.Decoder()
_HALF: Final = re.compile(rb"\\u[dD][89a-fA-F]")


class Unwritable(ValueError):
    """A value that JSON cannot represent."""


def decode_json(raw: bytes, *, halves: bool) -> Any:
    """The value of a JSON text.

    A byte order mark before it is left out (RFC 8259, section 8.1). Integers keep all their digits.

    Args:
        halves: whether texts may hold half of a surrogate pair, in up to 1 MB of JSON.

    Raises:
        ValueError: it is not JSON, is nested too deeply, or holds a number that is not finite.
    """
    raw = raw.removeprefix(BOM_UTF8)
    try:
        return _DECODER.decode(raw)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except (msgspec.MsgspecError, ValueError) as error:
        if len(raw) > _MOST_WITH_HALVES or not _HALF.search(raw):
            raise ValueError(str(error)) from None
    value = _decoded_slowly(raw)
    if not halves:
        raise ValueError("it holds half of a surrogate pair")
    return value


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
