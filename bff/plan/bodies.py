"""Request bodies: JSON, forms, multipart, or the result of a function."""

from collections.abc import Callable
from hashlib import sha256
from typing import Any, Final

from bff.errors import Unfillable
from bff.model import json_text
from bff.plan.template import as_text, encode_query

Encoded = tuple[str, bytes]  # a media type, and the body


def encode_json(value: Any) -> Encoded:
    """A value as JSON (RFC 8259).

    Raises:
        Unfillable: it is nested too deeply, or holds a number that is not finite.
    """
    try:
        return "application/json", json_text.encode_json(value)
    except (TypeError, ValueError) as error:
        raise Unfillable(f"the body is no JSON: {error}") from None


def encode_form(value: Any) -> Encoded:
    """An object of single values and lists as application/x-www-form-urlencoded.

    Raises:
        Unfillable: it is no such object.
    """
    pairs = list(_object(value).items())
    return "application/x-www-form-urlencoded", encode_query(pairs).encode()


def encode_multipart(value: Any) -> Encoded:
    """An object as multipart/form-data (RFC 7578): texts, and files as {filename, type, content}.

    The boundary follows from the content, so that equal requests stay equal.

    Raises:
        Unfillable: a field is neither.
    """
    parts = [_part(name, each) for name, each in _object(value).items() if each is not None]
    boundary = sha256(b"\0".join(parts)).hexdigest().encode()
    lines = [b"--" + boundary + b"\r\n" + part + b"\r\n" for part in parts]
    body = b"".join(lines) + b"--" + boundary + b"--\r\n"
    return f"multipart/form-data; boundary={boundary.decode()}", body


def _part(name: str, value: Any) -> bytes:
    head = f'Content-Disposition: form-data; name="{_quoted(name)}"'
    if isinstance(value, dict):
        head += f'; filename="{_quoted(as_text(value.get("filename"), "filename"))}"'
        media_type = as_text(value.get("type") or "application/octet-stream", "type")
        if not media_type.isprintable():
            raise Unfillable("the media type of a file has control characters")
        head += f"\r\nContent-Type: {media_type}"
        value = value.get("content")
    try:
        return f"{head}\r\n\r\n{as_text(value, name)}".encode()
    except UnicodeEncodeError:
        raise Unfillable(f"the field {name!r} has half of a surrogate pair") from None


def _quoted(text: str) -> str:
    """A name within quotes, as browsers write it (WHATWG HTML, multipart form data)."""
    return text.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Unfillable("a form is an object")
    return value


ENCODERS: Final[dict[str, Callable[[Any], Encoded]]] = {
    "json": encode_json,
    "json_with": encode_json,
    "form": encode_form,
    "multipart": encode_multipart,
}
