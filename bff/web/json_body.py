"""Request bodies: JSON of a bounded size, held against the view's schema."""

import re
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, Final

from flask import Request
from jsonschema import Draft202012Validator, ValidationError, validators
from werkzeug.datastructures import Headers
from werkzeug.exceptions import RequestEntityTooLarge

from bff.errors import RequestRefused
from bff.model.json_text import decode_json
from bff.plan.functions import identity
from bff.plan.parameters import ends_at_end
from bff.web.app import UnreadableBody

_DEPTH: Final = 64
_MOST: Final = 20  # errors in one answer
_LENGTH: Final = 200  # characters of one


def check_coding(headers: Headers) -> None:
    """Let no coded body pass: it would have to be decoded before it could be bounded.

    Raises:
        RequestRefused: 415, with the codings that are taken (RFC 9110, section 12.5.3).
    """
    codings = headers.get("Content-Encoding", "").lower().split(",")
    if any(each.strip() not in {"", "identity"} for each in codings):
        raise RequestRefused(
            415, "the body must not be compressed", [], {"Accept-Encoding": "identity"}
        )


def _unique_items(_validator: Any, wanted: bool, value: Any, _schema: Any) -> Iterator[Any]:  # noqa: FBT001 - the library calls it
    """`uniqueItems` in one pass; the library's own compares each item with each other."""
    if wanted and isinstance(value, list) and len({identity(each) for each in value}) < len(value):
        yield ValidationError("has items that are equal")


def _pattern(_validator: Any, pattern: str, value: Any, _schema: Any) -> Iterator[Any]:
    """`pattern`, whose `$` is the end of the text, as in ECMA 262."""
    if isinstance(value, str) and not re.search(ends_at_end(pattern), value):
        yield ValidationError("does not have the form declared")


_Validator = validators.extend(
    Draft202012Validator, {"uniqueItems": _unique_items, "pattern": _pattern}
)


class BodyReader:
    """Reads the bodies of one view; the schema is compiled once.

    Args:
        schema: JSON Schema 2020-12.
        limit: bytes.
    """

    def __init__(self, schema: Mapping[str, Any], limit: int) -> None:
        self._validator = _Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)
        self._limit = limit

    def read(self, request: Request) -> Any:
        """The body's value.

        Raises:
            RequestRefused: 415 its type is not JSON, or it is compressed; 413 it is too large;
                400 it is not JSON, or not as the schema says.
        """
        check_coding(request.headers)
        if not request.is_json:
            raise RequestRefused(415, "the body must be application/json", [])
        raw = self._raw(request)
        try:
            value = decode_json(raw, halves=False)
        except ValueError as error:
            raise RequestRefused(400, f"the body is not JSON: {error}", []) from None
        if _is_deeper(raw, value):
            raise RequestRefused(400, f"the body is nested more than {_DEPTH} levels deep", [])
        try:
            errors = [
                {"pointer": _pointer(each.absolute_path), "detail": each.message[:_LENGTH]}
                for each in islice(self._validator.iter_errors(value), _MOST)
            ]
        except RecursionError:
            raise RequestRefused(400, "the body is nested too deeply", []) from None
        except (ArithmeticError, ValueError):  # a format's own parser gave up: `a{99999999999}`
            raise RequestRefused(400, "the body has a value that cannot be checked", []) from None
        if errors:
            raise RequestRefused(400, "the body is not as declared", errors)
        return value

    def _raw(self, request: Request) -> bytes:
        """The bytes; of a body without a length no more are read than tell that it is too large."""
        request.max_content_length = self._limit + 1
        try:
            raw = request.get_data(cache=False)
        except RequestEntityTooLarge:
            raw = bytes(self._limit + 1)
        except UnreadableBody as error:
            raise RequestRefused(400, str(error.description), []) from None
        if len(raw) > self._limit:
            raise RequestRefused(413, f"the body has more than {self._limit} bytes", [])
        return raw


def _is_deeper(raw: bytes, value: Any) -> bool:
    """Whether lists and objects stand within each other more than 64 deep."""
    if raw.count(b"[") + raw.count(b"{") <= _DEPTH:
        return False
    level = [value]
    for _ in range(_DEPTH):
        level = [each for outer in level for each in _nested_in(outer)]
    return bool(level)


def _nested_in(value: Any) -> list[Any]:
    """The lists and objects that stand in a list or object."""
    inner = value.values() if isinstance(value, dict) else value
    return [each for each in inner if isinstance(each, dict | list)]


def _pointer(path: Any) -> str:
    return "".join(f"/{str(each).replace('~', '~0').replace('/', '~1')}" for each in path)
