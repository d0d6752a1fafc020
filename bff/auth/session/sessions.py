"""Sessions: who is signed in at which browser, for how long, and the tokens that never go there.

The cookie holds an id, the store its hash. Data and tokens are two entries, both sealed. A write
replaces exactly what was read: a session that has ended stays ended, whoever still writes to it.
"""

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from hashlib import sha256
from secrets import token_urlsafe
from typing import Final

import orjson

from bff.auth.oidc.login import SignedIn, Tokens
from bff.auth.session.session_record import KeptTokens, Session
from bff.errors import StoreAway
from bff.model.access import SessionRules
from bff.store.protocol import Store
from bff.store.records import Records, known
from bff.store.seal import Seal

__all__ = ["KeptTokens", "Session", "Sessions", "key_of"]
_ID_BYTES: Final = 32  # 256 bits
_SLIDES: Final = 20  # writes that an idle time is worth at most
_PREPARED: Final = 60.0  # seconds
_REFRESH_LASTS: Final = 600.0  # seconds, and more than any refresh takes
_MOST_AGENT: Final = 200  # characters of a User-Agent that are kept
_MOST_SUCCESSORS: Final = 10  # sessions that are followed from one to the next


class Sessions:
    """The sessions of a deployment.

    Args:
        now: seconds since 1970.
    """

    def __init__(
        self, store: Store, seal: Seal, rules: SessionRules, now: Callable[[], float]
    ) -> None:
        self.store, self.rules, self.now = store, rules, now
        self._records = Records(seal)
        self.ended: Callable[[str], object] = str  # told the key of a session that has ended

    def prepare(self) -> None:
        """Check that a session could be stored, before a person is sent to sign in.

        Raises:
            StoreAway: it could not.
        """
        # a write that needs room: a full Redis still deletes
        self.store.add("prepared", "", self.now() + _PREPARED)

    def create(self, person: SignedIn, provider: str, client: str, about: Mapping[str, str]) -> str:
        """Begin a session with an id of its own, whatever the browser had before.

        Args:
            about: `agent` and `visitor`.

        Returns:
            The id: 256 bits, for the cookie and for nobody else.
        """
        made = token_urlsafe(_ID_BYTES)
        now = self.now()
        session = Session(
            key=key_of(made),
            provider=provider,
            issuer=person.issuer,
            subject=person.subject,
            client=client,
            created=now,
            seen=now,
            scopes=tuple(person.tokens.scope.split()),
            claims=person.claims,
            sid=person.sid,
            acr=person.acr,
            agent=about.get("agent", "")[:_MOST_AGENT],
            visitor=about.get("visitor", ""),
        )
        lasts = now + self.rules.lifetime
        kept = KeptTokens(person.tokens, now, provider, lasts, issuer=person.issuer, sid=person.sid)
        self.store.put(
            _tokens(session.key), self._records.sealed(_tokens(session.key), kept), lasts
        )
        for group in _groups(session):
            self.store.add(group, session.key, lasts)
        name = _data(session.key)  # last of all: what can be found is whole
        self.store.put(name, self._records.sealed(name, session), self._expiry(session))
        if self.store.get(_tokens(session.key)) is None:
            self.store.delete(name)  # the person was signed out everywhere just now
        return made

    def load(self, given: str, *, slide: bool = True) -> Session | None:
        """The session with this id, unless there is none or it is over.

        Args:
            slide: whether this counts as use, which puts the end of its idle time off.
        """
        session = self._session(key_of(given))
        if session and slide and self.now() - session.seen > self.rules.idle / _SLIDES:
            return self._used(session)
        return session

    def goes_on(self, key: str) -> bool:
        """Whether the session of a key, or one that replaced it, is not over; this is no use."""
        for _ in range(_MOST_SUCCESSORS):
            if self._session(key):
                return True
            successor = self.store.get(_successor(key))
            if successor is None:
                return False
            key = successor.value.decode()
        return False

    def _used(self, session: Session) -> Session | None:
        """The session with the end of its idle time put off, where the store can be written."""
        used = replace(session, seen=self.now())
        name = _data(session.key)
        sealed = self._records.sealed(name, used)
        try:
            version = self.store.put(name, sealed, self._expiry(used), session.version)
        except StoreAway:
            return session  # it has been read, and the next use will put it off
        # where somebody else has written it is in use, or has ended: neither is undone
        return replace(used, version=version) if version else self._session(session.key)

    def expires(self, session: Session) -> float:
        """When the session ends if nobody uses it any more, in seconds since 1970."""
        return self._expiry(session)

    def ends(self, session: Session) -> float:
        """When the session ends however it is used, in seconds since 1970."""
        return session.created + self.rules.lifetime

    def of_person(self, issuer: str, subject: str) -> list[Session]:
        """All sessions of a person, the one used last first."""
        keys = self.store.members(_person(issuer, subject))
        found = [session for key in keys if (session := self._session(key))]
        return sorted(found, key=lambda each: -each.seen)

    def end(self, key: str) -> KeptTokens | None:
        """End a session, for every process and for whatever is still under way.

        Returns:
            The tokens that it had last, so that they can be revoked.
        """
        session = self._session(key)
        kept = self.tokens(key)
        while kept and not self.store.delete(_tokens(key), kept.version):
            kept = self.tokens(key)  # they were just refreshed: those are the ones to revoke
        self.store.delete(_data(key))  # after the tokens: see `create`
        for name in self.store.members(_made_for(key)):
            self.store.delete(name)
            self.store.discard(_made_for(key), name)
        if session:
            for group in _groups(session):
                self.store.discard(group, key)
        self.ended(key)
        return kept

    def replace(self, key: str, successor: str) -> KeptTokens | None:
        """End a session, and note which one its browser has instead; the tokens that it had."""
        with suppress(StoreAway):  # a full store still deletes
            lasts = self.now() + self.rules.lifetime
            self.store.put(_successor(key), successor.encode(), lasts)
        return self.end(key)

    def sign_out(self, key: str) -> KeptTokens | None:
        """End a session together with its grant, whichever other session that may be of.

        Returns:
            The tokens that it had last, to be revoked; a refresh under way revokes those it gets.
        """
        with suppress(StoreAway):  # a full store still deletes
            self.store.put(_signed_out(key), b"", self.now() + _REFRESH_LASTS)
        return self.end(key)

    def end_all(self, issuer: str, subject: str, sid: str = "") -> list[str]:
        """End the sessions of a person, or those of one `sid` of the provider's; their keys."""
        group = _sid(issuer, sid) if sid else _person(issuer, subject)
        ended = []
        for key in self.store.members(group):
            session = self._session(key)
            if session is None or not subject or session.subject == subject:
                self.end(key)
                ended.append(key)
        return ended

    def keep_with(
        self, key: str, name: str, value: bytes, expires: float, read: str | None
    ) -> None:
        """Keep what was made for a session, and no longer than that goes on.

        Args:
            name: what the store has it under.
            expires: seconds since 1970.
            read: the version that it replaces; None where there was none.
        """
        self.store.add(_made_for(key), name, expires)  # before it is there: `end` finds all of it
        self.store.put(name, value, expires, read)
        if self.store.get(_tokens(key)) is None:  # it has ended meanwhile, and may have looked
            self.store.delete(name)

    def tokens(self, key: str) -> KeptTokens | None:
        """The tokens of a session; None once it has ended."""
        entry = self.store.get(_tokens(key))
        content = self._records.opened(_tokens(key), entry, KeptTokens)
        if entry is None or content is None:
            return None
        tokens = known(Tokens, content["tokens"])
        if tokens is None:
            return None
        return KeptTokens(**content | {"tokens": Tokens(**tokens), "version": entry.version})

    def signed_out(self, key: str) -> bool:
        """Whether a session was ended by `sign_out` in the last minutes."""
        return self.store.get(_signed_out(key)) is not None

    def shares_grant(self, ended: KeptTokens) -> bool:
        """Whether a session that goes on may have its tokens from the same grant.

        A provider has one grant for all sign-ins of a client in one of its own sessions (`sid`),
        and to revoke a token ends the whole grant (RFC 7009, section 2.1). Where no `sid` tells,
        it may be the same.

        Args:
            ended: the tokens of a session that has ended.
        """
        if not ended.issuer:
            return True
        for key in self.store.members(_person(ended.issuer, ended.tokens.subject)):
            other = self.tokens(key)
            if other is None or other.provider != ended.provider:
                continue
            if other.sid == ended.sid or not other.sid or not ended.sid:
                return True
        return False

    def replace_tokens(self, key: str, kept: KeptTokens, fresh: Tokens) -> bool:
        """Put fresh tokens in the place of those that were read; whether they still were there."""
        name = _tokens(key)
        sealed = self._records.sealed(name, replace(kept, tokens=fresh, obtained=self.now()))
        return bool(self.store.put(name, sealed, kept.lasts, kept.version))

    def _session(self, key: str) -> Session | None:
        entry = self.store.get(_data(key))
        content = self._records.opened(_data(key), entry, Session)
        if entry is None or content is None:
            return None
        content["scopes"] = tuple(content["scopes"])
        session = Session(**{**content, "version": entry.version})
        return session if self._expiry(session) > self.now() else None

    def _expiry(self, session: Session) -> float:
        return min(session.seen + self.rules.idle, self.ends(session))


def key_of(given: str) -> str:
    """What a session is kept under: whoever reads the store learns no id."""
    return sha256(given.encode("utf-8", "surrogateescape")).hexdigest()


def _data(key: str) -> str:
    return f"session:{key}"


def _tokens(key: str) -> str:
    return f"tokens:{key}"


def _signed_out(key: str) -> str:
    return f"signed-out:{key}"


def _successor(key: str) -> str:
    return f"successor:{key}"


def _made_for(key: str) -> str:
    return f"made-for:{key}"


def _person(issuer: str, subject: str) -> str:
    return f"person:{_hash(issuer, subject)}"


def _sid(issuer: str, sid: str) -> str:
    return f"sid:{_hash(issuer, sid)}"


def _hash(*parts: str) -> str:
    return sha256(orjson.dumps(parts)).hexdigest()


def _groups(session: Session) -> Iterable[str]:
    yield _person(session.issuer, session.subject)
    if session.sid:
        yield _sid(session.issuer, session.sid)
