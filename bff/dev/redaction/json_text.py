"""JSON whose every member can be looked at, also one whose name stands twice, and written again.

Numbers stay as they are written: a float would lose digits of a large one.
"""

import json
from typing import Any, Final

Scalar = Any  # str, Number, bool or None


class Members(list[tuple[str, Any]]):
    """The members of an object (RFC 8259, section 4), in their order."""


class Number(str):
    """A number as it is written."""

    __slots__ = ()


def read_json(text: str) -> Any:
    """The value of a text: Members, lists, texts, Numbers, True, False and None.

    Raises:
        ValueError: it is no JSON, or is nested too deeply.
    """
    try:
        return _DECODER.decode(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def write_json(tree: Any) -> str:
    """A value as text, without white space."""
    if isinstance(tree, Number):
        return str(tree)
    if isinstance(tree, Members):
        return "{" + ",".join(f"{_text(name)}:{write_json(each)}" for name, each in tree) + "}"
    if isinstance(tree, list):
        return "[" + ",".join(map(write_json, tree)) + "]"
    return _text(tree) if isinstance(tree, str) else json.dumps(tree)


def _text(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:  # half of a surrogate pair
        return json.dumps(text)
    return json.dumps(text, ensure_ascii=False)


def _no_number(text: str) -> Any:
    raise ValueError(f"{text} is no number")


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=Members, parse_float=Number, parse_int=Number, parse_constant=_no_number
)
