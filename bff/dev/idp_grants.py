"""What the local provider remembers: who is signed in, which codes are out, which grants live.

All of it is in memory, and bounded: of too many, the oldest is forgotten.
"""

from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from hmac import compare_digest
from secrets import token_urlsafe
from threading import Lock
from typing import Final, TypeVar

from bff.dev.idp_values import Authorization, Refused

MOST: Final = 1000  # of each kind
CODE_SECONDS: Final = 60.0
SESSION_SECONDS: Final = 8 * 3600.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A browser that is signed in here, whichever applications it then visits.

    Args:
        sid: what ID tokens and logout tokens call it.
        auth_time: when the person proved who they are, in seconds since 1970.
        acr: how, as the application had asked for it.
    """

    sid: str
    subject: str
    auth_time: float
    acr: str


@dataclass(frozen=True, slots=True)
class Grant:
    """What a person has let a client have; its tokens live as long as it does."""

    id: str
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
class _Code:
    asked: Authorization
    signed_in: SignedIn
    expires: float
    grant: str = ""  # once it is redeemed


@dataclass(slots=True)
class _Family:
    """A grant, and the one refresh token of it that counts."""

    grant: Grant
    newest: bytes = field(repr=False)  # its hash


class Grants:
    """Guards all of it with one lock; `now` is the wall clock."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._lock = Lock()
        self._signed_in: dict[str, SignedIn] = {}
        self._codes: dict[str, _Code] = {}
        self._families: dict[str, _Family] = {}

    def sign_in(self, subject: str, acr: str) -> tuple[str, SignedIn]:
        """Have a browser be signed in; what its cookie says, and what that means."""
        cookie = token_urlsafe(32)
        made = SignedIn(token_urlsafe(16), subject, self._now(), acr)
        with self._lock:
            _keep(self._signed_in, cookie, made)
        return cookie, made

    def signed_in(self, cookie: str) -> SignedIn | None:
        """Who a browser is signed in as."""
        with self._lock:
            found = self._signed_in.get(cookie)
        return found if found and self._now() < found.auth_time + SESSION_SECONDS else None

    def sign_out(self, sid: str) -> tuple[str, frozenset[str]]:
        """End a session and every grant of it; whose it was, and which clients had one."""
        with self._lock:
            gone = {key: each for key, each in self._signed_in.items() if each.sid == sid}
            ended = [each.grant for each in self._families.values() if each.grant.sid == sid]
            for cookie in gone:
                del self._signed_in[cookie]
            for grant in ended:
                del self._families[grant.id]
        subjects = {each.subject for each in gone.values()} | {each.subject for each in ended}
        return next(iter(subjects), ""), frozenset(grant.client for grant in ended)

    def code(self, asked: Authorization, signed_in: SignedIn) -> str:
        """A code for a client, for one use."""
        code = token_urlsafe(32)
        with self._lock:
            _keep(self._codes, code, _Code(asked, signed_in, self._now() + CODE_SECONDS))
        return code

    def redeem(self, code: str, client: str, redirect_uri: str, verifier: str) -> tuple[Grant, str]:
        """The grant that a code stands for, and its first refresh token.

        Raises:
            Refused: it is none, is old, is somebody else's, or has been used. In that last case
                whoever has tokens for it may have stolen it: they end (RFC 6749, section 4.1.2).
        """
        with self._lock:
            found = self._codes.get(code)
            if found is None or self._now() >= found.expires or found.asked.client.id != client:
                raise Refused("invalid_grant", "the code is not one, or is too old")
            if found.grant:
                self._families.pop(found.grant, None)
                raise Refused("invalid_grant", "the code has been used before")
            if found.asked.redirect_uri != redirect_uri:
                raise Refused("invalid_grant", "redirect_uri is not that of the request")
            if not compare_digest(_s256(verifier), found.asked.challenge.encode()):
                raise Refused("invalid_grant", "code_verifier does not fit (RFC 7636)")
            grant = self._grant(found)
            found.grant = grant.id
            secret = token_urlsafe(32)
            _keep(self._families, grant.id, _Family(grant, _hash(secret)))
        return grant, f"{grant.id}.{secret}"

    def refresh(self, token: str, client: str) -> tuple[Grant, str]:
        """The grant of a refresh token, and the token that takes its place.

        Raises:
            Refused: it is none, or has been used before: then its grant ends, as nobody can tell
                who of the two is the thief (RFC 9700, section 4.14.2).
        """
        key, _, secret = token.partition(".")
        with self._lock:
            family = self._families.get(key)
            if family is None or family.grant.client != client:
                raise Refused("invalid_grant", "the refresh token is not one")
            used_before = not compare_digest(_hash(secret), family.newest)
            if used_before or self._now() >= family.grant.expires:
                del self._families[key]
                raise Refused("invalid_grant", "the refresh token was used before, or is too old")
            fresh = token_urlsafe(32)
            family.newest = _hash(fresh)
        return family.grant, f"{key}.{fresh}"

    def lives(self, grant: str) -> bool:
        """Whether a grant has not ended."""
        with self._lock:
            return grant in self._families

    def end(self, grant: str, client: str) -> None:
        """End a grant, if it is that client's; `grant` may be a refresh token of it."""
        key = grant.partition(".")[0]
        with self._lock:
            family = self._families.get(key)
            if family and family.grant.client == client:
                del self._families[key]

    def _grant(self, code: _Code) -> Grant:
        asked, person = code.asked, code.signed_in
        return Grant(
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


def _keep(kept: dict[str, T], key: str, value: T) -> None:
    kept[key] = value
    if len(kept) > MOST:
        del kept[next(iter(kept))]


def _s256(verifier: str) -> bytes:
    return urlsafe_b64encode(_hash(verifier)).rstrip(b"=")


def _hash(text: str) -> bytes:
    return sha256(text.encode()).digest()
