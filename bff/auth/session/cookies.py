"""Cookies as the bytes that they are: read from the raw header by exact names, and made.

Browsers vouch for a prefixed name (RFC 6265bis, section 4.1.3) only as long as we read it as they
do: exactly, with its case, and with nothing decoded, unquoted or trimmed but blanks and tabs.
"""

import re
from typing import Final

from bff.errors import Ambiguous, SignInFailed
from bff.model.access import SameSite

_LONGEST: Final = 32 * 1024  # characters of all cookies together
_BLANKS: Final = " \t"  # str.strip() alone takes U+0085 and U+00A0 too
_NAME: Final = re.compile(r"[A-Za-z0-9_-]+")
_VALUE: Final = re.compile(r"[!#-+\--:<-\[\]-~]*")  # cookie-octet, RFC 6265, section 4.1.1
_PREFIX: Final = "__Host-"
_DEVELOPMENT: Final = "dev-"
_OURS: Final = ("__host-http-bff", "__host-bff", "dev-bff")


def cookie_name(prefix: str, base: str, *, secure: bool, loopback: bool) -> str:
    """The name of a cookie: prefixed, or on plain http at loopback a development name.

    Args:
        prefix: `__Host-Http-` or `__Host-`.
        secure: whether the client has come by https.
        loopback: whether the host is this machine.

    Raises:
        SignInFailed: it is plain http over a network, where nobody signs in.
    """
    if secure:
        return prefix + base
    if loopback:
        return _DEVELOPMENT + base
    raise SignInFailed("nobody signs in over plain http")


def is_own_cookie(name: str) -> bool:
    """Whether a cookie of this name is one of ours: it goes to no service, and none sets it."""
    return name.strip().lower().startswith(_OURS)


def read_cookies(header: str, start: str) -> dict[str, str]:
    """The cookies of a request whose names begin with `start`, by name.

    A value that cannot be one of ours, by its characters, is left out.

    Args:
        header: the Cookie header as it came.

    Raises:
        Ambiguous: two have one name (a page of a neighbouring host may have set one of them), or
            there is too much to look through.
    """
    if len(header) > _LONGEST:
        raise Ambiguous("there are too many cookies: delete them")
    found: dict[str, str] = {}
    for pair in header.split(";"):
        name, equals, value = pair.strip(_BLANKS).partition("=")
        name = name.rstrip(_BLANKS)
        if not equals or not name.startswith(start):
            continue  # also `=name=value`, which has no name, whatever its value looks like
        if name in found:
            raise Ambiguous("there are two cookies of one name: delete them")
        found[name] = value.lstrip(_BLANKS)
    return {name: value for name, value in found.items() if _VALUE.fullmatch(value)}


def set_cookie(name: str, value: str, max_age: int | None, same_site: SameSite) -> str:
    """A Set-Cookie value: of this host alone, all its paths, and out of reach for scripts.

    Args:
        name: as `cookie_name` gives it; without a prefix it is not Secure either.
        max_age: seconds; None for until the browser is closed.

    Raises:
        ValueError: a name or value that is none.
    """
    if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
        raise ValueError("no name or value of a cookie")
    lasts = "" if max_age is None else f"; Max-Age={max_age}"
    secure = "; Secure" if name.startswith(_PREFIX) else ""
    return f"{name}={value}; Path=/{lasts}{secure}; HttpOnly; SameSite={same_site}"


def clear_cookie(name: str, same_site: SameSite) -> str:
    """A Set-Cookie value that removes what `set_cookie` has set."""
    return set_cookie(name, "", 0, same_site)
