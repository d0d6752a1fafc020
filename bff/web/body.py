"""Request bodies: JSON of a bounded size, held against the view's schema."""

from collections.abc import Mapping
from typing import Any, Final

import orjson
from flask import Request
from jsonschema import Draft202012Validator
from werkzeug.exceptions import RequestEntityTooLarge

_MOST: Final = 20  # errors that are told at once
_LENGTH: Final = 200  # characters of one


class BadBody(Exception):
    """A body that is not as declared; `errors` has a JSON Pointer (RFC 6901) for each fault."""

    def __init__(self, status: int, detail: str, errors: list[dict[str, str]]) -> None:
        super().__init__(detail)
        self.status, self.detail, self.errors = status, detail, errors


class BodyReader:
    """Reads the bodies of one view; the schema is compiled once.

    Args:
        schema: JSON Schema 2020-12.
        limit: bytes.
    """

    def __init__(self, schema: Mapping[str, Any], limit: int) -> None:
        self._validator = Draft202012Validator(
            schema, format_checker=Draft202012Validator.FORMAT_CHECKER
        )
        self._limit = limit

    def read(self, request: Request) -> Any:
        """The body's value.

        Raises:
            BadBody: 415 it is no JSON by its type, 413 it is too large, 400 it is not JSON or not
                as the schema says.
        """
        if not request.is_json:
            raise BadBody(415, "the body must be application/json", [])
        request.max_content_length = self._limit
        try:
            raw = request.get_data(cache=False)
        except RequestEntityTooLarge:
            raise BadBody(413, f"the body has more than {self._limit} bytes", []) from None
        try:
            value = orjson.loads(raw)
        except orjson.JSONDecodeError as error:
            raise BadBody(400, f"the body is not JSON: {error}", []) from None
        try:
            errors = [
                {"pointer": _pointer(each.absolute_path), "detail": each.message[:_LENGTH]}
                for each in self._validator.iter_errors(value)
            ]
        except RecursionError:
            raise BadBody(400, "the body is nested too deeply", []) from None
        if errors:
            raise BadBody(400, "the body is not as declared", errors[:_MOST])
        return value


def _pointer(path: Any) -> str:
    return "".join(f"/{str(each).replace('~', '~0').replace('/', '~1')}" for each in path)
