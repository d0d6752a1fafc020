"""Reads request bodies: JSON of limited size and depth, validated by the view's schema."""

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

_MAX_DEPTH: Final = 64
_MAX_ERRORS: Final = 20  # in one answer
_MAX_MESSAGE: Final = 200  # characters of one error


def check_coding(headers: Headers) -> None:
    """Refuse a compressed body, whose size is known only after it is decompressed.

    Raises:
        RequestRefused: 415, with the accepted codings (RFC 9110, section 12.5.3).
    """
    codings = headers.get("Content-Encoding", "").lower().split(",")
    if any(coding.strip() not in {"", "identity"} for coding in codings):
        raise RequestRefused(
            415, "the body must not be compressed", [], {"Accept-Encoding": "identity"}
        )


def _unique_items(_validator: Any, wanted: bool, value: Any, _schema: Any) -> Iterator[Any]:  # noqa: FBT001 - the library calls it
    """`uniqueItems` in linear time; the library compares all pairs of items."""
    if wanted and isinstance(value, list) and len({identity(each) for each in value}) < len(value):
        yield ValidationError("has items that are equal")


def _pattern(_validator: Any, pattern: str, value: Any, _schema: Any) -> Iterator[Any]:
    """`pattern`, with `$` only at the end of the text, as in ECMA 262."""
    if isinstance(value, str) and not re.search(ends_at_end(pattern), value):
        yield ValidationError("does not have the form declared")


_Validator = validators.extend(
    Draft202012Validator, {"uniqueItems": _unique_items, "pattern": _pattern}
)


class BodyReader:
    """Reads the bodies of one view; the schema is compiled once.

    Args:
        schema: JSON Schema 2020-12.
        limit: the maximum of bytes.
    """

    def __init__(self, schema: Mapping[str, Any], limit: int) -> None:
        self._validator = _Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)
        self._limit = limit

    def read(self, request: Request) -> Any:
        """The value of the body.

        Raises:
            RequestRefused: 415 for another media type or a compressed body; 413 if it is too
                large; 400 if it is not JSON, or not valid by the schema.
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
            raise RequestRefused(400, f"the body is nested more than {_MAX_DEPTH} levels deep", [])
        try:
            errors = [
                {"pointer": _pointer(error.absolute_path), "detail": error.message[:_MAX_MESSAGE]}
                for error in islice(self._validator.iter_errors(value), _MAX_ERRORS)
            ]
        except RecursionError:
            raise RequestRefused(400, "the body is nested too deeply", []) from None
        except (ArithmeticError, ValueError):  # of a format's parser: the regex `a{99999999999}`
            raise RequestRefused(400, "the body has a value that cannot be checked", []) from None
        if errors:
            raise RequestRefused(400, "the body is not as declared", errors)
        return value

    def _raw(self, request: Request) -> bytes:
        """The bytes; a body without Content-Length is read up to one byte more than the limit."""
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
    """Whether lists and objects are nested more than 64 levels deep."""
    if raw.count(b"[") + raw.count(b"{") <= _MAX_DEPTH:
        return False
    level = [value]
    for _ in range(_MAX_DEPTH):
        level = [inner for outer in level for inner in _nested_in(outer)]
    return bool(level)


def _nested_in(value: Any) -> list[Any]:
    """The lists and objects directly within a list or object."""
    members = value.values() if isinstance(value, dict) else value
    return [member for member in members if isinstance(member, dict | list)]


def _pointer(path: Any) -> str:
    """The JSON Pointer (RFC 6901) of a path."""
    return "".join(f"/{str(key).replace('~', '~0').replace('/', '~1')}" for key in path)
