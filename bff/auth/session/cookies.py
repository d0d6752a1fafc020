"""Cookies: parsed from the raw header by exact names, and serialized (RFC 6265bis).

The guarantee of the prefixes `__Host-` and `__Host-Http-` (section 4.1.3) holds only if the server
parses names as browsers do: with their case, nothing decoded or unquoted, and nothing trimmed but
spaces and tabs. Python's and Werkzeug's parsers are more lenient.
"""

import re
from typing import Final

from bff.errors import Ambiguous, SignInFailed
from bff.model.access import SameSite

_MAX_LENGTH: Final = 32 * 1024  # characters of all cookies together
_BLANKS: Final = " \t"  # str.strip() would trim U+0085 and U+00A0 as well
_NAME: Final = re.compile(r"[A-Za-z0-9_-]+")
_VALUE: Final = re.compile(r"[!#-+\--:<-\[\]-~]*")  # cookie-octet, RFC 6265, section 4.1.1
_PREFIX: Final = "__Host-"
_DEVELOPMENT: Final = "dev-"
_OWN_NAMES: Final = ("__host-http-bff", "__host-bff", "dev-bff")


def cookie_name(prefix: str, base: str, *, secure: bool, loopback: bool) -> str:
    """The name of a cookie: with a prefix, or with `dev-` for plain http on loopback.

    Args:
        prefix: `__Host-Http-` or `__Host-`.
        secure: whether the client uses https.
        loopback: whether the host is this machine.

    Raises:
        SignInFailed: it is plain http over a network, where sign-in is not allowed.
    """
    if secure:
        return prefix + base
    if loopback:
        return _DEVELOPMENT + base
    raise SignInFailed("sign-in requires https")


def is_own_cookie(name: str) -> bool:
    """Whether a cookie is our own: it is not sent to services, and they cannot set it."""
    return name.strip().lower().startswith(_OWN_NAMES)


def read_cookies(header: str, start: str) -> dict[str, str]:
    """The cookies of a request whose names begin with `start`, by name.

    Values with characters outside of cookie-octet are left out.

    Args:
        header: the raw Cookie header.

    Raises:
        Ambiguous: two have the same name (a sibling domain may have set one: cookie tossing), or
            the header is longer than 32 KiB.
    """
    if len(header) > _MAX_LENGTH:
        raise Ambiguous("there are too many cookies: delete them")
    found: dict[str, str] = {}
    for pair in header.split(";"):
        name, equals, value = pair.strip(_BLANKS).partition("=")
        name = name.rstrip(_BLANKS)
        if not equals or not name.startswith(start):
            continue  # also `=name=value`, a cookie without a name whose value imitates one
        if name in found:
            raise Ambiguous("there are two cookies of the same name: delete them")
        found[name] = value.lstrip(_BLANKS)
    return {name: value for name, value in found.items() if _VALUE.fullmatch(value)}


def set_cookie(name: str, value: str, max_age: int | None, same_site: SameSite) -> str:
    """A Set-Cookie value: host-only, with Path=/ and HttpOnly.

    Args:
        name: as `cookie_name` returns it; without a prefix the cookie is not Secure.
        max_age: seconds; None for a session cookie of the browser.

    Raises:
        ValueError: the name or the value is not valid.
    """
    if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
        raise ValueError("the name or the value of a cookie is not valid")
    lasts = "" if max_age is None else f"; Max-Age={max_age}"
    secure = "; Secure" if name.startswith(_PREFIX) else ""
    return f"{name}={value}; Path=/{lasts}{secure}; HttpOnly; SameSite={same_site}"


def clear_cookie(name: str, same_site: SameSite) -> str:
    """A Set-Cookie value that deletes a cookie of `set_cookie`."""
    return set_cookie(name, "", 0, same_site)
