"""JSON decoded with every member, including duplicate names, and encoded again.

Numbers stay texts: a float would lose digits of large ones.
"""

import json
from typing import Any, Final

Scalar = Any  # str, Number, bool or None


class JsonObject(list[tuple[str, Any]]):
    """The members of an object (RFC 8259, section 4), in order."""


class JsonNumber(str):
    """A number as it is written."""

    __slots__ = ()


def read_json(text: str) -> Any:
    """Decode JSON into JsonObject, list, str, JsonNumber, True, False and None.

    Raises:
        ValueError: it is not JSON, or is nested too deeply.
    """
    try:
        return _DECODER.decode(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def write_json(tree: Any) -> str:
    """Encode a value without white space."""
    if isinstance(tree, JsonNumber):
        return str(tree)
    if isinstance(tree, JsonObject):
        return "{" + ",".join(f"{_text(name)}:{write_json(each)}" for name, each in tree) + "}"
    if isinstance(tree, list):
        return "[" + ",".join(map(write_json, tree)) + "]"
    return _text(tree) if isinstance(tree, str) else json.dumps(tree)


def _text(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:  # an unpaired surrogate
        return json.dumps(text)
    return json.dumps(text, ensure_ascii=False)


def _no_number(text: str) -> Any:
    raise ValueError(f"{text} is not a number")


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=JsonObject,
    parse_float=JsonNumber,
    parse_int=JsonNumber,
    parse_constant=_no_number,
)
