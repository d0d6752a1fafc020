"""Parameters of a request: text becomes typed values, within the bounds declared."""

import re
from collections.abc import Mapping, Sequence
from copy import deepcopy
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from bff.model.view import Param

_INTEGER: Final = re.compile(r"-?\d{1,1000}", re.ASCII)
_LEAST, _MOST = -(2**63), 2**64 - 1  # as in the files of a configuration
_NUMBER: Final = re.compile(r"-?\d{1,18}(\.\d{1,18})?([eE][-+]?\d{1,2})?", re.ASCII)
_FORMS: Final = {  # RFC 3339, sections 5.6; RFC 9562, section 4
    "date": re.compile(r"\d{4}-\d\d-\d\d", re.ASCII),
    "date-time": re.compile(r"\d{4}-\d\d-\d\d[Tt][\d:.]+([Zz]|[-+]\d\d:\d\d)", re.ASCII),
    "uuid": re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"),
}
_EMAIL: Final = re.compile(r"[^@\s]{1,64}@[^@\s.]+(\.[^@\s.]+)+")
_MAX_ITEMS: Final = 100


class BadValue(ValueError):
    """One parameter is invalid; the message is for the client."""


def decode(param: Param, texts: Sequence[str]) -> Any:
    """The value of a parameter.

    Args:
        texts: every value that the request has for it, in order.

    Raises:
        BadValue: it is missing, repeated, or does not match its declaration.
    """
    if not texts:
        if param.required:
            raise BadValue("is required")
        return deepcopy(param.default)  # the request may change it
    if param.type == "array":
        items = param.items or param
        kind = items.type if param.items else "string"
        value: Any = [_scalar(kind, text) for text in texts]
    elif len(texts) > 1:
        raise BadValue("is given more than once")
    else:
        value = _scalar(param.type, texts[0])
    validate(param, value)
    return value


def validate(param: Param, value: Any) -> None:
    """Hold a typed value against the declaration.

    Raises:
        BadValue: it is outside of it.
    """
    if param.type == "array":
        _validate_array(param, value)
        return
    if not _is(param.type, value):
        raise BadValue(f"is not of type {param.type}")
    if param.enum and value not in param.enum:
        raise BadValue(f"is not one of {', '.join(str(each) for each in param.enum)}")
    if isinstance(value, str):
        _validate_text(param, value)
    elif not isinstance(value, bool):
        _validate_number(param, value)


def ends_at_end(pattern: str) -> str:
    """A pattern whose last `$` is the end of the text: Python's would allow a line break after."""
    escaped = len(pattern[:-1]) - len(pattern[:-1].rstrip("\\")) if pattern else 0
    return pattern[:-1] + r"\Z" if pattern.endswith("$") and escaped % 2 == 0 else pattern


def _scalar(kind: str, text: str) -> Any:
    if kind in {"integer", "number"} and _INTEGER.fullmatch(text):
        return _integer(text)
    if kind == "number" and _NUMBER.fullmatch(text):
        return float(text)
    if kind == "boolean" and text in {"true", "false"}:
        return text == "true"
    if kind == "string":
        return text
    raise BadValue(f"is not of type {kind}")


def _integer(text: str) -> int:
    value = int(text)
    if not _LEAST <= value <= _MOST:
        raise BadValue("is too large: a number has at most 64 bits")
    return value


def _is(kind: str, value: Any) -> bool:
    if kind == "boolean" or isinstance(value, bool):
        return kind == "boolean" and isinstance(value, bool)
    types: Mapping[str, tuple[type, ...]] = {
        "string": (str,),
        "integer": (int,),
        "number": (int, float),
    }
    return isinstance(value, types[kind])


def _validate_array(param: Param, value: Any) -> None:
    if not isinstance(value, list):
        raise BadValue("is not an array")
    most = param.max_items if param.max_items is not None else _MAX_ITEMS
    if len(value) > most:
        raise BadValue(f"has more than {most} values")
    if param.min_items is not None and len(value) < param.min_items:
        raise BadValue(f"has fewer than {param.min_items} values")
    if param.enum and any(each not in param.enum for each in value):
        raise BadValue(f"holds a value that is not one of {', '.join(map(str, param.enum))}")
    for each in value:
        if param.items:
            validate(param.items, each)


def _validate_number(param: Param, value: float) -> None:
    if param.minimum is not None and value < param.minimum:
        raise BadValue(f"is less than {param.minimum:g}")
    if param.maximum is not None and value > param.maximum:
        raise BadValue(f"is greater than {param.maximum:g}")
    if param.multiple_of is not None and not _is_multiple(value, param.multiple_of):
        raise BadValue(f"is not a multiple of {param.multiple_of:g}")


def _is_multiple(value: float, step: float) -> bool:
    try:
        return not Decimal(str(value)) % Decimal(str(step))
    except ArithmeticError:
        return False  # beyond the precision of a float


def _validate_text(param: Param, value: str) -> None:
    if param.min_length is not None and len(value) < param.min_length:
        raise BadValue(f"has fewer than {param.min_length} characters")
    if param.max_length is not None and len(value) > param.max_length:
        raise BadValue(f"has more than {param.max_length} characters")
    if param.pattern is not None and not re.search(param.pattern, value):
        raise BadValue("does not have the form declared")
    if param.format and not _has_format(param.format, value):
        raise BadValue(f"is no {param.format}")


def _has_format(form: str, value: str) -> bool:
    if form == "email":
        return bool(_EMAIL.fullmatch(value))
    if form in _FORMS and not _FORMS[form].fullmatch(value):
        return False
    parse: Any = {"date": date.fromisoformat, "date-time": datetime.fromisoformat, "uuid": UUID}
    try:
        parse[form](value)
    except ValueError:
        return False
    return True
