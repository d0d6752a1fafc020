"""The path and query of a request as text, decoded from its raw target.

A WSGI server decodes the path before the app gets it. Then an encoded slash (`%2F`) cannot be
distinguished from a separator, and bytes that are not UTF-8 have been replaced.
"""

from typing import Any, Final
from urllib.parse import unquote_to_bytes

from flask import Request

from bff.web.target import raw_target

# Replaces an encoded slash while the route is matched. It is a noncharacter, which Unicode reserves
# for internal use, and which no text for interchange contains (Unicode 17, section 23.7).
_SLASH: Final = "\ufdd0"
_SLASH_BYTES: Final = _SLASH.encode()


def is_utf8(raw: bytes) -> bool:
    """Whether bytes are UTF-8; targets are nearly always ASCII, which is checked first."""
    try:
        return raw.isascii() or bool(raw.decode())
    except UnicodeError:
        return False


def broken_parameters(query: bytes) -> list[str]:
    """The names of the parameters of a query that are not UTF-8, or whose values are not."""
    if b"%" not in query or is_utf8(unquote_to_bytes(query)):
        return []
    broken = [pair for pair in query.split(b"&") if not is_utf8(unquote_to_bytes(pair))]
    names = [unquote_to_bytes(pair.partition(b"=")[0]).decode(errors="replace") for pair in broken]
    return list(dict.fromkeys(names))


def path_info(path: str) -> str:
    """The path of a target as WSGI has it (PEP 3333), with its encoded slashes replaced.

    Args:
        path: undecoded, without the query.
    """
    if "%2F" not in path and "%2f" not in path:
        return unquote_to_bytes(path).decode("latin-1")
    pieces = path.replace("%2f", "%2F").split("%2F")
    return _SLASH_BYTES.join(map(unquote_to_bytes, pieces)).decode("latin-1")


def mark_encoded_slashes(environ: dict[str, Any]) -> None:
    """Replace encoded slashes in PATH_INFO, so that routing does not split a segment at them.

    Nothing is changed where the server does not provide the raw target, or has rewritten the path.
    """
    path = (raw_target(environ) or "").partition("?")[0]
    if not path.startswith("/"):  # the absolute form (RFC 9112, section 3.2.2)
        path = "/" + path.partition("://")[2].partition("/")[2]
    if "%2" not in path or _SLASH_BYTES.decode("latin-1") in environ["PATH_INFO"]:
        return
    if unquote_to_bytes(path).decode("latin-1") == environ["PATH_INFO"]:
        environ["PATH_INFO"] = path_info(path)


def restore_encoded_slashes(request: Request) -> bool:
    """Undo `mark_encoded_slashes`, once the route of a request is found.

    Returns:
        False if the client itself sent the character that replaces them.
    """
    if _SLASH not in request.path:
        return True
    path = (raw_target(request.environ) or request.path).partition("?")[0]
    if _SLASH_BYTES in unquote_to_bytes(path):
        return False
    request.path = request.path.replace(_SLASH, "%2F")
    if request.view_args:
        request.view_args = {
            name: value.replace(_SLASH, "/") for name, value in request.view_args.items()
        }
    return True
