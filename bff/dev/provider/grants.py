"""What the local provider remembers: who is signed in, which codes are out, which grants live.

As at other providers, a browser signs in once, and each client has one grant of that: signing in at
the client again adds tokens to the grant, and ending the grant ends them all. All of it is in
memory, and bounded: of too many, the oldest is forgotten.
"""

from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from hmac import compare_digest
from secrets import token_urlsafe
from threading import Lock
from typing import Final, TypeVar

from bff.dev.provider.values import Authorization, Refused

MOST: Final = 1000  # of each kind
CODE_SECONDS: Final = 60.0
SESSION_SECONDS: Final = 8 * 3600.0

K = TypeVar("K")
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
    """What a sign-in lets a client have; its tokens live as long as it does.

    Args:
        id: the same for all sign-ins of one client in one browser session of the provider.
        line: which of these sign-ins it is of; each has a chain of refresh tokens.
    """

    id: str
    line: str
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
class _Line:
    """The refresh tokens that came of one sign-in at a client, of which the newest counts."""

    grant: Grant
    newest: bytes = field(repr=False)  # its hash


class Grants:
    """Guards all of it with one lock; `now` is the wall clock."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._lock = Lock()
        self._signed_in: dict[str, SignedIn] = {}
        self._codes: dict[str, _Code] = {}
        self._lines: dict[str, _Line] = {}
        self._ids: dict[tuple[str, str], str] = {}  # of grants, by `sid` and client

    def sign_in(self, subject: str, acr: str, before: str = "") -> tuple[str, SignedIn]:
        """Have a browser be signed in; what its cookie says, and what that means.

        Args:
            before: its cookie. The same person who proves again who they are goes on in the same
                session, with another `auth_time` and `acr`.
        """
        cookie = token_urlsafe(32)
        with self._lock:
            there = self._signed_in.pop(before, None)
            same = there is not None and there.subject == subject and self._lasts(there)
            sid = there.sid if there and same else token_urlsafe(16)
            made = SignedIn(sid, subject, self._now(), acr)
            _keep(self._signed_in, cookie, made)
        return cookie, made

    def signed_in(self, cookie: str) -> SignedIn | None:
        """Who a browser is signed in as."""
        with self._lock:
            found = self._signed_in.get(cookie)
        return found if found and self._lasts(found) else None

    def _lasts(self, signed_in: SignedIn) -> bool:
        return self._now() < signed_in.auth_time + SESSION_SECONDS

    def sign_out(self, sid: str) -> tuple[str, frozenset[str]]:
        """End a session and every grant of it; whose it was, and which clients had one."""
        with self._lock:
            gone = {key: each for key, each in self._signed_in.items() if each.sid == sid}
            ended = [each.grant for each in self._lines.values() if each.grant.sid == sid]
            for cookie in gone:
                del self._signed_in[cookie]
            for grant in ended:
                self._end(grant.id)
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
                self._end(found.grant)
                raise Refused("invalid_grant", "the code has been used before")
            if found.asked.redirect_uri != redirect_uri:
                raise Refused("invalid_grant", "redirect_uri is not that of the request")
            if not compare_digest(_s256(verifier), found.asked.challenge.encode()):
                raise Refused("invalid_grant", "code_verifier does not fit (RFC 7636)")
            grant = self._grant(found)
            found.grant = grant.id
            secret = token_urlsafe(32)
            _keep(self._lines, grant.line, _Line(grant, _hash(secret)))
        return grant, f"{grant.line}.{secret}"

    def refresh(self, token: str, client: str) -> tuple[Grant, str]:
        """The grant of a refresh token, and the token that takes its place.

        Raises:
            Refused: it is none, or has been used before: then its grant ends, as nobody can tell
                who of the two is the thief (RFC 9700, section 4.14.2).
        """
        key, _, secret = token.partition(".")
        with self._lock:
            line = self._lines.get(key)
            if line is None or line.grant.client != client:
                raise Refused("invalid_grant", "the refresh token is not one")
            used_before = not compare_digest(_hash(secret), line.newest)
            if used_before or self._now() >= line.grant.expires:
                self._end(line.grant.id)
                raise Refused("invalid_grant", "the refresh token was used before, or is too old")
            fresh = token_urlsafe(32)
            line.newest = _hash(fresh)
        return line.grant, f"{key}.{fresh}"

    def lives(self, grant: str) -> bool:
        """Whether a grant has not ended."""
        with self._lock:
            return any(each.grant.id == grant for each in self._lines.values())

    def end(self, token: str, client: str) -> None:
        """End the grant of a refresh token, if it is that client's.

        Args:
            token: the refresh token, or the id of the grant.
        """
        key = token.partition(".")[0]
        with self._lock:
            line = self._lines.get(key)
            own = {each.grant.id for each in self._lines.values() if each.grant.client == client}
            grant = line.grant.id if line else key
            if grant in own:
                self._end(grant)

    def _end(self, grant: str) -> None:
        """End a grant and all its tokens; the lock is held."""
        for key in [key for key, each in self._lines.items() if each.grant.id == grant]:
            del self._lines[key]
        for about in [about for about, each in self._ids.items() if each == grant]:
            del self._ids[about]

    def _grant(self, code: _Code) -> Grant:
        asked, person = code.asked, code.signed_in
        about = (person.sid, asked.client.id)
        if about not in self._ids:
            _keep(self._ids, about, token_urlsafe(16))
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


def _keep(kept: dict[K, T], key: K, value: T) -> None:
    kept[key] = value
    if len(kept) > MOST:
        del kept[next(iter(kept))]


def _s256(verifier: str) -> bytes:
    return urlsafe_b64encode(_hash(verifier)).rstrip(b"=")


def _hash(text: str) -> bytes:
    return sha256(text.encode()).digest()
