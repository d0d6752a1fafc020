"""The authority of a request: the host and port of its Host header and target."""

import re
from collections.abc import Mapping
from typing import Any, Final

_PORT: Final = re.compile(r":(\d*)$")
_LAST_PORT: Final = 65_535
_DEFAULT_PORTS: Final = {"http": "80", "https": "443"}
_AUTHORITY_ENDS: Final = re.compile("[/?#]")


def authority(environ: Mapping[str, Any]) -> tuple[str, str]:
    """The host of a request, and why the request is invalid.

    An invalid request has a port outside 1 to 65535, or a target in absolute form that names
    another server than Host (RFC 9112, section 3.2.2): proxies that use one or the other would
    route it differently.

    Returns:
        The host in lower case without the port, and the reason; empty for a valid request.
    """
    host, port = _split(environ.get("HTTP_HOST", ""))
    if port and not _is_port(port):
        return host, "the port of the Host header is invalid"
    target = environ.get("RAW_URI") or "/"
    if not target.startswith(("/", "*")) and not _is_for(target, host, port):
        return host, "the target and the Host header name different servers"
    return host, ""


def _split(text: str) -> tuple[str, str]:
    lower = text.lower()
    found = _PORT.search(lower)
    return (lower[: found.start()], found[1]) if found else (lower, "")


def _is_port(text: str) -> bool:
    digits = text.lstrip("0")
    return 0 < len(digits) <= len(str(_LAST_PORT)) and int(digits) <= _LAST_PORT


def _is_for(target: str, host: str, port: str) -> bool:
    """Whether a target in absolute form names this host and port."""
    scheme, _, rest = target.partition("://")
    default = _DEFAULT_PORTS.get(scheme.lower())
    named, its_port = _split(_AUTHORITY_ENDS.split(rest, maxsplit=1)[0])
    return default is not None and (named, its_port or default) == (host, port or default)
