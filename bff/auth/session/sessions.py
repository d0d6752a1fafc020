"""Server-side sessions: the signed-in user of a browser, and tokens that never reach it.

The cookie has a random id, the store only its SHA-256. A session is two sealed entries, its data
and its tokens (`store_keys`). Every write is a compare-and-set on the version that was read, so a
session that has ended stays ended, even if a slow request still writes to it.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from hashlib import sha256
from secrets import token_urlsafe
from typing import Final

from bff.auth.oidc.login import SignedIn, Tokens
from bff.auth.session.session_record import Session, StoredTokens
from bff.auth.session.store_keys import (
    data_key,
    groups_of,
    made_for_key,
    person_key,
    sid_key,
    signed_out_key,
    successor_key,
    tokens_key,
)
from bff.errors import StoreAway
from bff.model.access import SessionRules
from bff.store.protocol import Store
from bff.store.records import Records, known
from bff.store.seal import Seal

__all__ = ["Session", "Sessions", "StoredTokens", "key_of"]
_ID_BYTES: Final = 32  # 256 bits
_SLIDES: Final = 20  # the largest number of writes within one idle time
_PREPARED: Final = 60.0  # seconds
_REFRESH_LASTS: Final = 600.0  # seconds: longer than any refresh takes
_MAX_AGENT: Final = 200  # characters of a User-Agent that are stored
_MAX_SUCCESSORS: Final = 10  # replaced sessions that are followed


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
        self.on_end: Callable[[str], object] = str  # called with the key of an ended session

    def prepare(self) -> None:
        """Check that a session could be stored, before a user is sent to the provider.

        Raises:
            StoreAway: it could not.
        """
        # A write that needs memory: a full Redis still accepts reads and deletions
        self.store.add("prepared", "", self.now() + _PREPARED)

    def create(self, person: SignedIn, provider: str, client: str, about: Mapping[str, str]) -> str:
        """Create a session with a new id, which prevents session fixation.

        Args:
            about: `agent` and `visitor`.

        Returns:
            The session id of 256 bits, for the cookie only.
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
            agent=about.get("agent", "")[:_MAX_AGENT],
            visitor=about.get("visitor", ""),
        )
        lasts = now + self.rules.lifetime
        stored = StoredTokens(
            person.tokens, now, provider, lasts, issuer=person.issuer, sid=person.sid
        )
        self.store.put(
            tokens_key(session.key), self._records.sealed(tokens_key(session.key), stored), lasts
        )
        for group in groups_of(session):
            self.store.add(group, session.key, lasts)
        name = data_key(session.key)  # last: a session that is found is complete
        self.store.put(name, self._records.sealed(name, session), self._expiry(session))
        if self.store.get(tokens_key(session.key)) is None:
            self.store.delete(name)  # all sessions of the user were ended meanwhile
        return made

    def load(self, given: str, *, slide: bool = True) -> Session | None:
        """The session with this id; None if there is none, or it has expired.

        Args:
            slide: whether this counts as use, which restarts the idle time.
        """
        session = self._session(key_of(given))
        if session and slide and self.now() - session.seen > self.rules.idle / _SLIDES:
            return self._used(session)
        return session

    def is_active(self, key: str) -> bool:
        """Whether a session, or one that replaced it, is active; this does not count as use."""
        for _ in range(_MAX_SUCCESSORS):
            if self._session(key):
                return True
            successor = self.store.get(successor_key(key))
            if successor is None:
                return False
            key = successor.value.decode()
        return False

    def _used(self, session: Session) -> Session | None:
        """The session with its idle time restarted, if the store can be written."""
        used = replace(session, seen=self.now())
        name = data_key(session.key)
        sealed = self._records.sealed(name, used)
        try:
            version = self.store.put(name, sealed, self._expiry(used), session.version)
        except StoreAway:
            return session  # the next use tries again
        # Compare-and-set failed: another request used the session, or it has ended
        return replace(used, version=version) if version else self._session(session.key)

    def expires(self, session: Session) -> float:
        """When the session ends if it is not used any more, in seconds since 1970."""
        return self._expiry(session)

    def ends(self, session: Session) -> float:
        """When the session ends even if it is used, in seconds since 1970."""
        return session.created + self.rules.lifetime

    def of_person(self, issuer: str, subject: str) -> list[Session]:
        """All sessions of a user, the last used one first."""
        keys = self.store.members(person_key(issuer, subject))
        found = [session for key in keys if (session := self._session(key))]
        return sorted(found, key=lambda each: -each.seen)

    def end(self, key: str) -> StoredTokens | None:
        """End a session, for all processes and requests in progress.

        Returns:
            Its last tokens, to be revoked.
        """
        session = self._session(key)
        stored = self.tokens(key)
        while stored and not self.store.delete(tokens_key(key), stored.version):
            stored = self.tokens(key)  # they were refreshed meanwhile: the new ones are revoked
        self.store.delete(data_key(key))  # after the tokens: see `create`
        for name in self.store.members(made_for_key(key)):
            self.store.delete(name)
            self.store.discard(made_for_key(key), name)
        if session:
            for group in groups_of(session):
                self.store.discard(group, key)
        self.on_end(key)
        return stored

    def replace(self, key: str, successor: str) -> StoredTokens | None:
        """End a session and record its successor in the same browser; return its last tokens."""
        with suppress(StoreAway):  # a full store still accepts deletions
            lasts = self.now() + self.rules.lifetime
            self.store.put(successor_key(key), successor.encode(), lasts)
        return self.end(key)

    def sign_out(self, key: str) -> StoredTokens | None:
        """End a session and its grant, which other sessions of the user may share.

        Returns:
            Its last tokens, to be revoked. A refresh in progress revokes the tokens it receives.
        """
        with suppress(StoreAway):  # a full store still accepts deletions
            self.store.put(signed_out_key(key), b"", self.now() + _REFRESH_LASTS)
        return self.end(key)

    def end_all(self, issuer: str, subject: str, sid: str = "") -> list[str]:
        """End all sessions of a user, or those of one provider session `sid`; return their keys."""
        group = sid_key(issuer, sid) if sid else person_key(issuer, subject)
        ended = []
        for key in self.store.members(group):
            session = self._session(key)
            if session is None or not subject or session.subject == subject:
                self.end(key)
                ended.append(key)
        return ended

    def store_with_session(
        self, key: str, name: str, value: bytes, expires: float, read: str | None
    ) -> None:
        """Store an entry that is deleted when the session ends.

        Args:
            name: the key of the entry.
            expires: seconds since 1970.
            read: the version that it replaces; None if there was none.
        """
        self.store.add(made_for_key(key), name, expires)  # first, so that `end` finds all entries
        self.store.put(name, value, expires, read)
        if self.store.get(tokens_key(key)) is None:  # the session ended between the two writes
            self.store.delete(name)

    def tokens(self, key: str) -> StoredTokens | None:
        """The tokens of a session; None once it has ended."""
        entry = self.store.get(tokens_key(key))
        content = self._records.opened(tokens_key(key), entry, StoredTokens)
        if entry is None or content is None:
            return None
        tokens = known(Tokens, content["tokens"])
        if tokens is None:
            return None
        return StoredTokens(**content | {"tokens": Tokens(**tokens), "version": entry.version})

    def signed_out(self, key: str) -> bool:
        """Whether a session was ended by `sign_out` in the last minutes."""
        return self.store.get(signed_out_key(key)) is not None

    def shares_grant(self, ended: StoredTokens) -> bool:
        """Whether another active session may have tokens of the same grant.

        A provider has one grant for all sign-ins of a client within one of its sessions (`sid`),
        and revoking a token ends the whole grant (RFC 7009, section 2.1). Without a `sid` the
        grants are taken to be the same.

        Args:
            ended: the tokens of a session that has ended.
        """
        if not ended.issuer:
            return True
        for key in self.store.members(person_key(ended.issuer, ended.tokens.subject)):
            other = self.tokens(key)
            if other is None or other.provider != ended.provider:
                continue
            if other.sid == ended.sid or not other.sid or not ended.sid:
                return True
        return False

    def replace_tokens(self, key: str, stored: StoredTokens, fresh: Tokens) -> bool:
        """Replace the tokens that were read (compare-and-set); False if they have changed."""
        name = tokens_key(key)
        sealed = self._records.sealed(name, replace(stored, tokens=fresh, obtained=self.now()))
        return bool(self.store.put(name, sealed, stored.lasts, stored.version))

    def _session(self, key: str) -> Session | None:
        entry = self.store.get(data_key(key))
        content = self._records.opened(data_key(key), entry, Session)
        if entry is None or content is None:
            return None
        content["scopes"] = tuple(content["scopes"])
        session = Session(**{**content, "version": entry.version})
        return session if self._expiry(session) > self.now() else None

    def _expiry(self, session: Session) -> float:
        return min(session.seen + self.rules.idle, self.ends(session))


def key_of(given: str) -> str:
    """The SHA-256 of a session id: a leaked store does not reveal ids."""
    return sha256(given.encode("utf-8", "surrogateescape")).hexdigest()
