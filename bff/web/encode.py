"""Answers as JSON: by orjson, and what it cannot write by the standard library."""

import json
from typing import Any

import orjson


class Unwritable(Exception):
    """A value that JSON cannot hold."""


def encode(value: Any) -> bytes:
    """A value as JSON (RFC 8259).

    Integers beyond 64 bits and halves of surrogate pairs, which a service may well send, are
    written as they are; orjson does not. Keys are sorted, so that the same answer has the same
    bytes, and one ETag, in whichever order services write theirs.

    Raises:
        Unwritable: it is nested too deeply, or holds a number that is not finite.
        TypeError: it holds what is no JSON value at all.
    """
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except TypeError:
        pass
    try:
        return json.dumps(value, allow_nan=False, separators=(",", ":"), sort_keys=True).encode()
    except (RecursionError, ValueError) as error:
        raise Unwritable(str(error)) from None
