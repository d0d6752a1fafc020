"""The cookies of bff: session, pending sign-ins, visitor id; each is read by its exact name."""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from functools import lru_cache
from hashlib import sha256
from secrets import token_urlsafe
from typing import Final

from flask import Request

from bff.auth.oidc.login_state import LASTS
from bff.auth.session.cookies import clear_cookie, cookie_name, read_cookies, set_cookie
from bff.errors import SignInFailed
from bff.model.access import SameSite, SessionRules
from bff.store.seal import BadSeal, Seal

_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})
_PORT: Final = re.compile(r":\d+$")
_SESSION, _LOGIN, _VISITOR = "bff", "bff-login-", "bff-visitor"
_MAX_LOGIN_BYTES: Final = 4096  # of all pending sign-ins of one browser: more than 40
_VISITOR_LASTS: Final = 180 * 24 * 3600  # seconds
_VISITOR_BYTES: Final = 16
_HASH_LENGTH: Final = 16  # characters of the hash of a state, which names its cookie
# Strict cookies are not sent with the cross-site redirect back from the provider.
_CROSS_SITE: Final[SameSite] = "Lax"


class Cookies:
    """Reads cookies, and makes the values of Set-Cookie (RFC 6265bis).

    A visitor id is encrypted with the name of its cookie as associated data: a client can neither
    forge one nor use another encrypted value in its place.

    Args:
        now: seconds since 1970.
    """

    def __init__(self, rules: SessionRules, seal: Seal, now: Callable[[], float]) -> None:
        self._rules, self._seal, self._now = rules, seal, now

    def session_id(self, request: Request) -> str:
        """The session id of a request; empty if it has none."""
        return self._given(request, _SESSION)

    def set_session(self, request: Request, given: str) -> str:
        """The Set-Cookie of a new session."""
        name, lasts = self._name(request, _SESSION), int(self._rules.lifetime)
        return set_cookie(name, given, lasts, self._rules.same_site)

    def clear_session(self, request: Request) -> str:
        """The Set-Cookie that deletes the session cookie."""
        return clear_cookie(self._name(request, _SESSION), self._rules.same_site)

    def set_login(self, request: Request, state: str, key: str) -> list[str]:
        """The Set-Cookies when a sign-in begins; they delete the oldest pending ones above 4 KiB.

        Args:
            key: the secret that binds the sign-in to this browser; the callback compares it.

        Raises:
            SignInFailed: the request came by plain http, not over loopback.
        """
        value = f"{int(self._now()):x}.{key}"
        made = [set_cookie(self._name(request, _login(state)), value, int(LASTS), _CROSS_SITE)]
        room = _MAX_LOGIN_BYTES - len(made[0])
        found = read_cookies(request.headers.get("Cookie", ""), self._name(request, _LOGIN))
        for name, other in sorted(found.items(), key=lambda each: each[1], reverse=True):
            room -= len(f"{name}={other}; ")
            if room < 0:
                made.append(clear_cookie(name, _CROSS_SITE))
        return made

    def login_key(self, request: Request, state: str) -> str:
        """The key of the pending sign-in with this state; empty if not begun in this browser."""
        return self._given(request, _login(state)).partition(".")[2]

    def clear_login(self, request: Request, state: str) -> str:
        """The Set-Cookie that deletes the cookie of a completed sign-in."""
        return clear_cookie(self._name(request, _login(state)), _CROSS_SITE)

    def visitor(self, request: Request) -> str:
        """The visitor id of a request; empty without an authentic one."""
        given = self._given(request, _VISITOR)
        opened = self._opened(self._name(request, _VISITOR), given) if given else b""
        return opened.decode()

    def new_visitor(self, request: Request) -> tuple[str, str]:
        """A new visitor id, and its Set-Cookie."""
        name, made = self._name(request, _VISITOR), token_urlsafe(_VISITOR_BYTES)
        sealed = self._sealed(name, made.encode())
        return made, set_cookie(name, sealed, _VISITOR_LASTS, _CROSS_SITE)

    def _name(self, request: Request, base: str) -> str:
        secure = request.is_secure
        loopback = not secure and _is_loopback(request.host)
        return cookie_name(self._rules.prefix, base, secure=secure, loopback=loopback)

    def _given(self, request: Request, base: str) -> str:
        """The value of a cookie by its base name; empty if it is missing or impossible here."""
        header = request.headers.get("Cookie", "")
        if not header:
            return ""
        try:
            name = self._name(request, base)
        except SignInFailed:
            return ""  # plain http, not over loopback: all requests are anonymous
        return read_cookies(header, name).get(name, "")

    def _sealed(self, name: str, plain: bytes) -> str:
        return urlsafe_b64encode(self._seal.seal(plain, name)).decode().rstrip("=")

    def _opened(self, name: str, value: str) -> bytes:
        """The decrypted value of a cookie; empty if it is not authentic."""
        try:
            return self._seal.open(urlsafe_b64decode(value + "=" * (-len(value) % 4)), name)
        except (BadSeal, ValueError):
            return b""


@lru_cache(maxsize=64)
def _is_loopback(host: str) -> bool:
    return _PORT.sub("", host.lower()) in _LOOPBACK


def _login(state: str) -> str:
    return _LOGIN + sha256(state.encode("utf-8", "replace")).hexdigest()[:_HASH_LENGTH]
