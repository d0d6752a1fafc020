"""JMESPath's own functions and comparisons, where the library departs from its specification.

https://jmespath.org/specification.html. The library compares a number with a text, and fails; takes
`true` for 1 within lists; reads numbers as Python writes them; and adds numbers up to infinity.
"""

import math
import operator
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from jmespath.functions import Functions, signature

_NUMBER: Final = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][-+]?\d+)?", re.ASCII)  # RFC 8259
_MOST_DIGITS: Final = 4300  # Python does not convert longer integers
_ORDER: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "lt": operator.lt,
    "lte": operator.le,
    "gt": operator.gt,
    "gte": operator.ge,
}


def compare(comparator: str, left: Any, right: Any) -> bool | None:
    """Compare two values.

    Args:
        comparator: `eq`, `ne`, `lt`, `lte`, `gt` or `gte`.

    Returns:
        Null where an ordering operator meets anything but two numbers. Like the library, it orders
        two texts as well, by code points: which is what ISO 8601 dates are compared by.
    """
    if comparator == "eq":
        return equal(left, right)
    if comparator == "ne":
        return not equal(left, right)
    ordered = (_is_number(left) and _is_number(right)) or (
        isinstance(left, str) and isinstance(right, str)
    )
    return _ORDER[comparator](left, right) if ordered else None


def equal(left: Any, right: Any) -> bool:
    """Whether two JSON values are equal: 1 is 1.0, and is not `true`, at any depth."""
    if left != right:
        return False
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, list):
        return all(map(equal, left, right))
    if isinstance(left, dict):
        return all(equal(value, right[name]) for name, value in left.items())
    return True


def finite(value: float) -> float:
    """A number that JSON can write.

    Raises:
        ValueError: it is infinite, or no number.
    """
    if not math.isfinite(value):
        raise ValueError("the result is not finite")
    return value


class Standard(Functions):  # type: ignore[misc] # it has no types
    """The functions of JMESPath 1.1."""

    @signature({"types": ["array", "string"]}, {"types": []})  # type: ignore[untyped-decorator] # it has no types
    def _func_contains(self, subject: Any, search: Any) -> bool:
        if isinstance(subject, str):
            return isinstance(search, str) and search in subject
        return any(equal(each, search) for each in subject)

    @signature({"types": []})  # type: ignore[untyped-decorator] # it has no types
    def _func_to_number(self, value: Any) -> float | None:
        if _is_number(value):
            number: float = value
            return number
        if not isinstance(value, str) or not (found := _NUMBER.fullmatch(value)):
            return None
        if found[2] is None and found[3] is None and len(value) <= _MOST_DIGITS:
            return int(value)
        number = float(value)
        return number if math.isfinite(number) else None

    @signature({"types": ["array-number"]})  # type: ignore[untyped-decorator] # it has no types
    def _func_sum(self, numbers: list[float]) -> float:
        return finite(sum(numbers))

    @signature({"types": ["array-number"]})  # type: ignore[untyped-decorator] # it has no types
    def _func_avg(self, numbers: list[float]) -> float | None:
        return finite(sum(numbers) / len(numbers)) if numbers else None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
