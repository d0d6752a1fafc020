"""The state of the local provider: sessions of browsers, authorization codes, and grants.

A browser signs in once (single sign-on), and each client has one grant in that session: signing in
at the client again adds tokens to the grant, and ending the grant ends all of them. The state is in
memory and bounded: the oldest entries are evicted.
"""

from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from hmac import compare_digest
from secrets import token_urlsafe
from threading import Lock
from typing import Final, TypeVar

from bff.dev.provider.values import AuthorizationRequest, OAuthError

MOST: Final = 1000  # entries of each kind
CODE_SECONDS: Final = 60.0
SESSION_SECONDS: Final = 8 * 3600.0

K = TypeVar("K")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ProviderSession:
    """The session of a browser at the provider, shared by all applications.

    Args:
        sid: the session id in ID tokens and logout tokens.
        auth_time: the time of authentication, in seconds since 1970.
        acr: the authentication context class that the application requested.
    """

    sid: str
    subject: str
    auth_time: float
    acr: str


@dataclass(frozen=True, slots=True)
class Grant:
    """The grant of a client in a session; its tokens are valid as long as it is.

    Args:
        id: equal for all sign-ins of one client in one session of the provider.
        family: the id of this sign-in; each has its own family of refresh tokens.
    """

    id: str
    family: str
    client: str
    subject: str
    sid: str
    scope: str
    audience: str
    nonce: str
    auth_time: float
    acr: str
    expires: float


@dataclass(slots=True)
class _AuthorizationCode:
    asked: AuthorizationRequest
    signed_in: ProviderSession
    expires: float
    grant: str = ""  # set once it is redeemed


@dataclass(slots=True)
class _TokenFamily:
    """The refresh tokens of one sign-in at a client; only the newest is valid."""

    grant: Grant
    newest: bytes = field(repr=False)  # its hash


class Grants:
    """Stores the state, guarded by one lock; `now` is the wall clock."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._lock = Lock()
        self._signed_in: dict[str, ProviderSession] = {}
        self._codes: dict[str, _AuthorizationCode] = {}
        self._families: dict[str, _TokenFamily] = {}
        self._ids: dict[tuple[str, str], str] = {}  # grant ids by `sid` and client

    def sign_in(self, subject: str, acr: str, before: str = "") -> tuple[str, ProviderSession]:
        """Sign a browser in; returns its cookie and its session.

        Args:
            before: its previous cookie. If the same user authenticates again, the session continues
                with a new `auth_time` and `acr`.
        """
        cookie = token_urlsafe(32)
        with self._lock:
            there = self._signed_in.pop(before, None)
            same = there is not None and there.subject == subject and self._lasts(there)
            sid = there.sid if there and same else token_urlsafe(16)
            made = ProviderSession(sid, subject, self._now(), acr)
            _store(self._signed_in, cookie, made)
        return cookie, made

    def signed_in(self, cookie: str) -> ProviderSession | None:
        """The session of a browser; None where it has none, or it has expired."""
        with self._lock:
            found = self._signed_in.get(cookie)
        return found if found and self._lasts(found) else None

    def _lasts(self, signed_in: ProviderSession) -> bool:
        return self._now() < signed_in.auth_time + SESSION_SECONDS

    def sign_out(self, sid: str) -> tuple[str, frozenset[str]]:
        """End a session and its grants; returns its subject, and the clients with a grant."""
        with self._lock:
            gone = {key: each for key, each in self._signed_in.items() if each.sid == sid}
            ended = [each.grant for each in self._families.values() if each.grant.sid == sid]
            for cookie in gone:
                del self._signed_in[cookie]
            for grant in ended:
                self._end(grant.id)
        subjects = {each.subject for each in gone.values()} | {each.subject for each in ended}
        return next(iter(subjects), ""), frozenset(grant.client for grant in ended)

    def code(self, asked: AuthorizationRequest, signed_in: ProviderSession) -> str:
        """A single-use authorization code for a client."""
        code = token_urlsafe(32)
        with self._lock:
            _store(
                self._codes, code, _AuthorizationCode(asked, signed_in, self._now() + CODE_SECONDS)
            )
        return code

    def redeem(self, code: str, client: str, redirect_uri: str, verifier: str) -> tuple[Grant, str]:
        """Exchange an authorization code for a grant and its first refresh token.

        Raises:
            OAuthError: the code is unknown, has expired, belongs to another client, or was used
                before. A reused code may be stolen: its tokens end (RFC 6749, section 4.1.2).
        """
        with self._lock:
            found = self._codes.get(code)
            if found is None or self._now() >= found.expires or found.asked.client.id != client:
                raise OAuthError("invalid_grant", "the code is unknown or has expired")
            if found.grant:
                self._end(found.grant)
                raise OAuthError("invalid_grant", "the code was used before")
            if found.asked.redirect_uri != redirect_uri:
                raise OAuthError("invalid_grant", "redirect_uri differs from that of the request")
            if not compare_digest(_s256(verifier), found.asked.challenge.encode()):
                raise OAuthError("invalid_grant", "code_verifier does not match (RFC 7636)")
            grant = self._grant(found)
            found.grant = grant.id
            secret = token_urlsafe(32)
            _store(self._families, grant.family, _TokenFamily(grant, _hash(secret)))
        return grant, f"{grant.family}.{secret}"

    def refresh(self, token: str, client: str) -> tuple[Grant, str]:
        """Rotate a refresh token; returns its grant and the new token.

        Raises:
            OAuthError: the token is unknown, has expired, or was used before. A reused token may be
                stolen: its grant is ended (RFC 9700, section 4.14.2).
        """
        key, _, secret = token.partition(".")
        with self._lock:
            family = self._families.get(key)
            if family is None or family.grant.client != client:
                raise OAuthError("invalid_grant", "the refresh token is unknown")
            used_before = not compare_digest(_hash(secret), family.newest)
            if used_before or self._now() >= family.grant.expires:
                self._end(family.grant.id)
                raise OAuthError(
                    "invalid_grant", "the refresh token has expired or was used before"
                )
            fresh = token_urlsafe(32)
            family.newest = _hash(fresh)
        return family.grant, f"{key}.{fresh}"

    def lives(self, grant: str) -> bool:
        """True if a grant has not ended."""
        with self._lock:
            return any(each.grant.id == grant for each in self._families.values())

    def end(self, token: str, client: str) -> None:
        """End the grant of a refresh token, if it belongs to that client.

        Args:
            token: the refresh token, or the id of the grant.
        """
        key = token.partition(".")[0]
        with self._lock:
            family = self._families.get(key)
            own = {each.grant.id for each in self._families.values() if each.grant.client == client}
            grant = family.grant.id if family else key
            if grant in own:
                self._end(grant)

    def _end(self, grant: str) -> None:
        """End a grant and all its tokens; the caller holds the lock."""
        for key in [key for key, each in self._families.items() if each.grant.id == grant]:
            del self._families[key]
        for about in [about for about, each in self._ids.items() if each == grant]:
            del self._ids[about]

    def _grant(self, code: _AuthorizationCode) -> Grant:
        asked, person = code.asked, code.signed_in
        about = (person.sid, asked.client.id)
        if about not in self._ids:
            _store(self._ids, about, token_urlsafe(16))
        return Grant(
            self._ids[about],
            token_urlsafe(16),
            asked.client.id,
            person.subject,
            person.sid,
            asked.scope,
            asked.audience,
            asked.nonce,
            person.auth_time,
            person.acr,
            self._now() + SESSION_SECONDS,
        )


def _store(store: dict[K, T], key: K, value: T) -> None:
    store[key] = value
    if len(store) > MOST:
        del store[next(iter(store))]


def _s256(verifier: str) -> bytes:
    return urlsafe_b64encode(_hash(verifier)).rstrip(b"=")


def _hash(text: str) -> bytes:
    return sha256(text.encode()).digest()
