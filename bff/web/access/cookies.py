"""Our cookies: of the session, of sign-ins under way, of visitors; each read by its exact name."""

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
_MOST_LOGINS: Final = 4096  # bytes of the sign-ins under way in one browser: more than 40
_VISITOR_LASTS: Final = 180 * 24 * 3600  # seconds
_VISITOR_BYTES: Final = 16
_SHORT: Final = 16  # characters of a state's hash that tell sign-ins apart
# Sent along when the provider sends the person back, which Strict would not be.
_ON_THE_WAY_BACK: Final[SameSite] = "Lax"


class Cookies:
    """Reads and makes cookies by the rules of sessions.

    A visitor's id is sealed under the name of its cookie: a browser can neither make one, nor put
    something else in its place.

    Args:
        now: seconds since 1970.
    """

    def __init__(self, rules: SessionRules, seal: Seal, now: Callable[[], float]) -> None:
        self._rules, self._seal, self._now = rules, seal, now

    def session_id(self, request: Request) -> str:
        """The id of the request's session; empty without any."""
        return self._given(request, _SESSION)

    def keep_session(self, request: Request, given: str) -> str:
        """The Set-Cookie of a session that has begun."""
        name, lasts = self._name(request, _SESSION), int(self._rules.lifetime)
        return set_cookie(name, given, lasts, self._rules.same_site)

    def drop_session(self, request: Request) -> str:
        """The Set-Cookie of a session that is over."""
        return clear_cookie(self._name(request, _SESSION), self._rules.same_site)

    def keep_login(self, request: Request, state: str, key: str) -> list[str]:
        """What is set when a sign-in begins; of too many that were never finished, the oldest go.

        Args:
            key: what the browser shows when it comes back with `state`.

        Raises:
            SignInFailed: this is plain http over a network.
        """
        value = f"{int(self._now()):x}.{key}"
        made = [set_cookie(self._name(request, _login(state)), value, int(LASTS), _ON_THE_WAY_BACK)]
        room = _MOST_LOGINS - len(made[0])
        found = read_cookies(request.headers.get("Cookie", ""), self._name(request, _LOGIN))
        for name, other in sorted(found.items(), key=lambda each: each[1], reverse=True):
            room -= len(f"{name}={other}; ")
            if room < 0:
                made.append(clear_cookie(name, _ON_THE_WAY_BACK))
        return made

    def login_key(self, request: Request, state: str) -> str:
        """The key of the sign-in of this state; empty if this browser has not begun it."""
        return self._given(request, _login(state)).partition(".")[2]

    def drop_login(self, request: Request, state: str) -> str:
        """The Set-Cookie of a sign-in that is done."""
        return clear_cookie(self._name(request, _login(state)), _ON_THE_WAY_BACK)

    def visitor(self, request: Request) -> str:
        """The id of the browser, if we have given it one."""
        given = self._given(request, _VISITOR)
        opened = self._opened(self._name(request, _VISITOR), given) if given else b""
        return opened.decode()

    def new_visitor(self, request: Request) -> tuple[str, str]:
        """An id for a browser, and its Set-Cookie."""
        name, made = self._name(request, _VISITOR), token_urlsafe(_VISITOR_BYTES)
        sealed = self._sealed(name, made.encode())
        return made, set_cookie(name, sealed, _VISITOR_LASTS, _ON_THE_WAY_BACK)

    def _name(self, request: Request, base: str) -> str:
        secure = request.is_secure
        loopback = not secure and _is_loopback(request.host)
        return cookie_name(self._rules.prefix, base, secure=secure, loopback=loopback)

    def _given(self, request: Request, base: str) -> str:
        """The value of a cookie of ours; empty where there is none, or cannot be one."""
        header = request.headers.get("Cookie", "")
        if not header:
            return ""
        try:
            name = self._name(request, base)
        except SignInFailed:
            return ""  # over plain http nobody is signed in
        return read_cookies(header, name).get(name, "")

    def _sealed(self, name: str, plain: bytes) -> str:
        return urlsafe_b64encode(self._seal.seal(plain, name)).decode().rstrip("=")

    def _opened(self, name: str, value: str) -> bytes:
        """What we have sealed under this name; nothing if it is not that."""
        try:
            return self._seal.open(urlsafe_b64decode(value + "=" * (-len(value) % 4)), name)
        except (BadSeal, ValueError):
            return b""


@lru_cache(maxsize=64)
def _is_loopback(host: str) -> bool:
    return _PORT.sub("", host.lower()) in _LOOPBACK


def _login(state: str) -> str:
    return _LOGIN + sha256(state.encode("utf-8", "replace")).hexdigest()[:_SHORT]
