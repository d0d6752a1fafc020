"""The path and the query of a request as text: read from the target as it came, or refused.

A server decodes a path before an app sees it. An encoded slash (`%2F`) then looks like one that
separates segments, and bytes that are no UTF-8 are replaced by others.
"""

from typing import Any, Final
from urllib.parse import unquote_to_bytes

from flask import Request

from bff.web.target import raw_target

# Stands for an encoded slash while a route is looked for. Unicode has it for such internal use,
# and no text that is exchanged holds it (Unicode 17, section 23.7).
_SLASH: Final = "\ufdd0"
_SLASH_BYTES: Final = _SLASH.encode()


def is_utf8(raw: bytes) -> bool:
    """Whether bytes are text; nearly all that come in a target are ASCII."""
    try:
        return raw.isascii() or bool(raw.decode())
    except UnicodeError:
        return False


def broken_parameters(query: bytes) -> list[str]:
    """The names of the parameters of a query that are not UTF-8, or whose values are not."""
    if b"%" not in query or is_utf8(unquote_to_bytes(query)):
        return []
    broken = [each for each in query.split(b"&") if not is_utf8(unquote_to_bytes(each))]
    names = [unquote_to_bytes(each.partition(b"=")[0]).decode(errors="replace") for each in broken]
    return list(dict.fromkeys(names))


def path_info(path: str) -> str:
    """The path of a target as WSGI has it (PEP 3333), its encoded slashes told from the others.

    Args:
        path: as it came, without its query.
    """
    if "%2F" not in path and "%2f" not in path:
        return unquote_to_bytes(path).decode("latin-1")
    pieces = path.replace("%2f", "%2F").split("%2F")
    return _SLASH_BYTES.join(map(unquote_to_bytes, pieces)).decode("latin-1")


def mark_encoded_slashes(environ: dict[str, Any]) -> None:
    """Have the routes take an encoded slash for a part of its segment.

    Where the server does not hand on the target, or has changed the path, nothing is done.
    """
    path = (raw_target(environ) or "").partition("?")[0]
    if not path.startswith("/"):  # the absolute form (RFC 9112, section 3.2.2)
        path = "/" + path.partition("://")[2].partition("/")[2]
    if "%2" not in path or _SLASH_BYTES.decode("latin-1") in environ["PATH_INFO"]:
        return
    if unquote_to_bytes(path).decode("latin-1") == environ["PATH_INFO"]:
        environ["PATH_INFO"] = path_info(path)


def restore_encoded_slashes(asked: Request) -> bool:
    """Give a request its slashes back, once its route is found.

    Returns:
        False where the client itself sent the character that stands for them.
    """
    if _SLASH not in asked.path:
        return True
    path = (raw_target(asked.environ) or asked.path).partition("?")[0]
    if _SLASH_BYTES in unquote_to_bytes(path):
        return False
    asked.path = asked.path.replace(_SLASH, "%2F")
    if asked.view_args:
        asked.view_args = {
            name: value.replace(_SLASH, "/") for name, value in asked.view_args.items()
        }
    return True
