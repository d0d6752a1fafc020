"""The functions that expressions have beyond JMESPath 1.1's own.

Each takes JSON values and gives a new one; none changes its arguments. More can be registered from
Python: `register("shout", lambda text: text.upper(), "string")`.
"""

import base64
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, Final
from uuid import uuid4

from bff.model.json_text import encode_json
from bff.plan.standard import Standard, finite

Types = tuple[str, ...]
_EXACT: Final = 2**53  # a float represents every integer below it exactly
ANY: Final[Types] = ()
NUMBER: Final[Types] = ("number",)
TEXT: Final[Types] = ("string",)
LIST: Final[Types] = ("array",)
OPTIONAL_LIST: Final[Types] = ("array", "null")
_ZERO_DECIMALS: Final = frozenset(
    {"BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI"}
    | {"VND", "VUV", "XAF", "XOF", "XPF"}
)
_THREE_DECIMALS: Final = frozenset({"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"})
# results differ each time
UNSTABLE: Final = frozenset({"uuid", "now"})

FUNCTIONS: Final = Standard()


def register(name: str, function: Callable[..., Any], *signature: str | Types) -> None:
    """Add a function to the language.

    Args:
        signature: for each argument the JMESPath types it may have (`string`, `number`, `array`,
            `object`, `boolean`, `null`), as one word or several; none for any.

    Raises:
        ValueError: the name is taken.
    """
    if name in FUNCTIONS.FUNCTION_TABLE:
        raise ValueError(f"there is a function `{name}()` already")
    types = [(each,) if isinstance(each, str) else each for each in signature]
    FUNCTIONS.FUNCTION_TABLE = {
        **FUNCTIONS.FUNCTION_TABLE,
        name: {
            "function": lambda _self, *arguments: function(*arguments),
            "signature": tuple({"types": list(each)} for each in types),
        },
    }


def forget_registered() -> None:
    """Remove all registered functions, for a reload."""
    FUNCTIONS.FUNCTION_TABLE = dict(_OWN)


def _number(value: float) -> float:
    """Whole results become integers; NaN is an error."""
    whole = isinstance(finite(value), float) and value.is_integer() and abs(value) < _EXACT
    return int(value) if whole else value


def _round(value: float, digits: int) -> float:
    if isinstance(value, int):
        return round(value, int(digits))  # a float is not exact beyond 2**53
    step = Decimal(1).scaleb(-int(digits))
    return _number(float(Decimal(str(value)).quantize(step, ROUND_HALF_EVEN)))


def _slice(text: str, start: int, end: int | None) -> str:
    return text[int(start) : None if end is None else int(end)]


def _lookup(elements: list[Any] | None, key: str, value: Any) -> Any:
    for each in elements or ():
        if isinstance(each, dict) and key in each and _same(each[key], value):
            return each
    return None


def _group(elements: list[Any] | None, key: str) -> list[dict[str, Any]]:
    groups: dict[str, dict[str, Any]] = {}
    for each in elements or ():
        own = each.get(key) if isinstance(each, dict) else None
        groups.setdefault(repr(_key(own)), {"key": own, "items": []})["items"].append(each)
    return list(groups.values())


def _upsert(elements: list[Any] | None, key: str, item: dict[str, Any]) -> list[Any]:
    kept = list(elements or ())
    for position, each in enumerate(kept):
        if isinstance(each, dict) and key in each and _same(each[key], item.get(key)):
            kept[position] = item
            return kept
    return [*kept, item]


def _without(elements: list[Any] | None, key: str, value: Any) -> list[Any]:
    return [
        each
        for each in elements or ()
        if not (isinstance(each, dict) and key in each and _same(each[key], value))
    ]


def _same(one: Any, other: Any) -> bool:
    return _key(one) == _key(other)


def _key(value: Any) -> str | None:
    """Keys compare as text: 7 and "7" are one id."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return None if value is None else str(value)


def identity(value: Any) -> bytes:
    """A digest that equal JSON values share: 1 is 1.0, and objects have no order."""
    return encode_json(_plain(value), sort=True)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return _number(value) if isinstance(value, float) else value


def _unique(elements: list[Any] | None) -> list[Any]:
    first: dict[bytes, Any] = {}
    for each in elements or ():
        first.setdefault(identity(each), each)
    return list(first.values())


def _pick(value: Any, names: str) -> Any:
    """The named members of an object, or of each object of a list: `id,product.title`."""
    wanted: dict[str, list[str]] = {}
    for name in names.split(","):
        first, _, rest = name.partition(".")
        wanted.setdefault(first, []).extend([rest] if rest else [])
    return _picked(value, wanted)


def _picked(value: Any, wanted: dict[str, list[str]]) -> Any:
    if isinstance(value, list):
        return [_picked(each, wanted) for each in value]
    if not isinstance(value, dict):
        return value
    return {
        name: _pick(value[name], ",".join(inner)) if inner else value[name]
        for name, inner in wanted.items()
        if name in value
    }


def _date(text: str | None, form: str) -> str | None:
    """An ISO 8601 date or time in another form, as strftime(3) writes it."""
    return None if text is None else datetime.fromisoformat(text).strftime(form)


def _format_money(cents: float | None, currency: str) -> str | None:
    """An amount in the currency's smallest unit (ISO 4217) as text: `1,234.50 EUR`."""
    if cents is None:
        return None
    digits = 0 if currency in _ZERO_DECIMALS else 3 if currency in _THREE_DECIMALS else 2
    amount = Decimal(str(cents)).scaleb(-digits)
    return f"{amount:,.{digits}f} {currency}"


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


for _name, _function, _signature in (
    ("add", lambda a, b: _number(a + b), (NUMBER, NUMBER)),
    ("sub", lambda a, b: _number(a - b), (NUMBER, NUMBER)),
    ("mul", lambda a, b: _number(a * b), (NUMBER, NUMBER)),
    ("div", lambda a, b: _number(a / b), (NUMBER, NUMBER)),
    ("mod", lambda a, b: _number(a % b), (NUMBER, NUMBER)),
    ("round", _round, (NUMBER, NUMBER)),
    ("slice", _slice, (TEXT, NUMBER, ("number", "null"))),
    ("split", lambda text, separator: text.split(separator), (TEXT, TEXT)),
    ("replace", lambda text, old, new: text.replace(old, new), (TEXT, TEXT, TEXT)),
    ("lookup", _lookup, (OPTIONAL_LIST, TEXT, ANY)),
    ("group", _group, (OPTIONAL_LIST, TEXT)),
    ("upsert", _upsert, (OPTIONAL_LIST, TEXT, ("object",))),
    ("without", _without, (OPTIONAL_LIST, TEXT, ANY)),
    ("unique", _unique, (OPTIONAL_LIST,)),
    ("pick", _pick, (ANY, TEXT)),
    ("base64", _base64, (TEXT,)),
    ("date", _date, (("string", "null"), TEXT)),
    ("format_money", _format_money, (("number", "null"), TEXT)),
    ("uuid", lambda: str(uuid4()), ()),
    ("now", _now, ()),
):
    register(_name, _function, *_signature)
_OWN: Final = dict(FUNCTIONS.FUNCTION_TABLE)
REPEATABLE: Final = frozenset(_OWN) - UNSTABLE  # registered functions may be anything
