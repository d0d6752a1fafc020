"""The access token of a session, refreshed ahead of its end, and exactly once.

Of any number of requests, over any number of processes, that find a token stale, one holds a lock
and asks the provider; the others wait, and read again what is there. What a lock cannot promise (a
process may sleep longer than its lock lasts) the store does: fresh tokens replace those that were
read, or are thrown away.
"""

from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from time import sleep
from typing import Final

from bff.auth.lock import Lock, LockLost
from bff.auth.login import Tokens
from bff.auth.provider import OpenIdProvider
from bff.auth.session import KeptTokens, Sessions
from bff.errors import GrantEnded, LoginRequired, NoCredentials, ProviderAway, StoreAway
from bff.observe.events import Audit, Audited, Observer, Refreshed

_AHEAD: Final = 30.0  # seconds before its end that a token is refreshed, at most
_SHARE: Final = 5  # and no earlier than in the last fifth of its life
_LOCK: Final = 5.0  # seconds that a lock lasts if nobody renews it
_FIRST_LOOK, _LATER_LOOKS = 0.02, 0.2  # seconds between two looks of one who waits
_STORE_PATIENCE: Final = 5.0  # seconds for which a store that is away is tried again
_PATIENCE: Final = 3  # times what one request to the provider may take


def good_until(expires: float, obtained: float) -> float:
    """Until when a token is used: a little before its end, for it has a way to go."""
    return expires - min(_AHEAD, (expires - obtained) / _SHARE)


def is_new(expires: float, obtained: float, now: float) -> bool:
    """Whether a token is so new that a service which rejects it would reject another, too."""
    return now < obtained + min(_AHEAD, (expires - obtained) / _SHARE)


class Refresher:
    """Knows how to have a session's access token.

    Args:
        providers: by name, as sessions know them.
        pause: waits for so many seconds.
    """

    def __init__(
        self,
        sessions: Sessions,
        providers: Mapping[str, OpenIdProvider],
        observer: Observer,
        pause: Callable[[float], None] = sleep,
    ) -> None:
        self._sessions, self._providers = sessions, providers
        self._observer, self._pause = observer, pause

    def at_hand(self, key: str, rejected: Collection[str]) -> str:
        """The token that there is, if it will do; empty if it has to be refreshed.

        Raises:
            LoginRequired: the session is over.
            StoreAway: the store cannot be asked.
        """
        kept = self._kept(key)
        return kept.tokens.access if self._good(kept, rejected) else ""

    def access_token(self, key: str, rejected: Collection[str]) -> str:
        """A token that lasts, and if possible none of those that a service has just rejected.

        Args:
            key: the session's.

        Raises:
            LoginRequired: the session is over, or just ended as its refresh token is dead.
            ProviderAway: the token is stale, and the provider cannot be asked.
            StoreAway: the store cannot.
        """
        kept = self._kept(key)
        if self._good(kept, rejected):
            return kept.tokens.access
        provider = self._provider(kept)
        now, look = self._sessions.now, _FIRST_LOOK
        # whoever has the lock may have been killed
        patience = now() + _LOCK + _PATIENCE * provider.provider.timeout
        while now() < patience:
            token = self._in_turn(key, provider, rejected)
            if token:
                return token
            self._pause(look)
            look = min(2 * look, _LATER_LOOKS)
        raise ProviderAway("another request refreshes the tokens, and does not come to an end")

    def _in_turn(self, key: str, provider: OpenIdProvider, rejected: Collection[str]) -> str:
        """What is there by now, or what the provider gives if it is our turn; else nothing."""
        lock = Lock.acquire(self._sessions.store, f"refresh:{key}", _LOCK, self._sessions.now)
        try:
            kept = self._kept(key)  # read after the lock: it may have been done meanwhile
            if self._good(kept, rejected):
                return kept.tokens.access
            return self._refreshed(key, kept, provider, rejected, lock) if lock else ""
        finally:
            if lock:
                lock.release()

    def _refreshed(
        self,
        key: str,
        kept: KeptTokens,
        provider: OpenIdProvider,
        rejected: Collection[str],
        lock: Lock,
    ) -> str:
        if not kept.tokens.refresh:
            return self._without_refresh(key, kept)
        try:
            provider.prepare()  # may take longer than the lock lasts: then it is not our turn
            lock.renew()
            fresh = provider.refresh(kept.tokens, meanwhile=lambda: _renew(lock))
        except LockLost:
            return ""
        except GrantEnded:
            self._observer(Refreshed(kept.provider, "ended"))
            return self._ended(key, kept)
        except ProviderAway:
            self._observer(Refreshed(kept.provider, "away"))
            if kept.tokens.access not in rejected and self._sessions.now() < kept.tokens.expires:
                return kept.tokens.access  # it is refreshed ahead of time: it will do for now
            raise
        if not self._stored(key, kept, fresh, lock):
            self._observer(Refreshed(kept.provider, "late"))
            self._drop(key, kept, fresh, provider)
            return ""
        self._observer(Refreshed(kept.provider, "ok"))
        self._observer(self._audited("refreshed", key, kept))
        return fresh.access

    def _drop(self, key: str, kept: KeptTokens, fresh: Tokens, provider: OpenIdProvider) -> None:
        """Revoke tokens that came too late, unless others of their grant are in use.

        Those that another request has stored are of the same grant, and would end with these (RFC
        7009, section 2.1); so would those of a session that has replaced this one.
        """
        sessions = self._sessions
        if sessions.tokens(key) is None and (
            sessions.signed_out(key) or not sessions.shares_grant(kept)
        ):
            provider.revoke(fresh.refresh or fresh.access)

    def _without_refresh(self, key: str, kept: KeptTokens) -> str:
        """The token that there is, while it lasts: a service may not take it, but others do."""
        if self._sessions.now() < kept.tokens.expires:
            return kept.tokens.access
        return self._ended(key, kept)

    def _stored(self, key: str, kept: KeptTokens, fresh: Tokens, lock: Lock) -> bool:
        """Keep fresh tokens, which are nowhere else by now; whether they were still wanted.

        A store that was away may have written what it did not confirm, so it is asked what it has.
        """
        now = self._sessions.now
        patience = now() + _STORE_PATIENCE
        while True:
            try:
                return self._replaced(key, kept, fresh)
            except StoreAway:
                if now() >= patience:
                    raise
                self._pause(_LATER_LOOKS)
                _renew(lock)

    def _replaced(self, key: str, kept: KeptTokens, fresh: Tokens) -> bool:
        if self._sessions.replace_tokens(key, kept, fresh):
            return True
        there = self._sessions.tokens(key)
        return there is not None and there.tokens.access == fresh.access

    def _ended(self, key: str, kept: KeptTokens) -> str:
        """The refresh token is dead: so is the session, unless there are newer tokens by now."""
        if self._kept(key).version != kept.version:
            return ""  # somebody else had them refreshed, while our lock had lapsed
        self._sessions.end(key)
        self._observer(self._audited("ended", key, kept, "invalid_grant"))
        raise LoginRequired("the provider has ended the session")

    def _audited(self, what: Audit, key: str, kept: KeptTokens, reason: str = "") -> Audited:
        issuer = self._provider(kept).provider.issuer
        return Audited(what, issuer, kept.tokens.subject, key, kept.provider, reason)

    def _kept(self, key: str) -> KeptTokens:
        kept = self._sessions.tokens(key)
        if kept is None:
            raise LoginRequired("the session is over")
        return kept

    def _good(self, kept: KeptTokens, rejected: Collection[str]) -> bool:
        """Whether a token will do, or no other would do better."""
        now, expires = self._sessions.now(), kept.tokens.expires
        if kept.tokens.access in rejected:
            return is_new(expires, kept.obtained, now)
        return now < good_until(expires, kept.obtained)

    def _provider(self, kept: KeptTokens) -> OpenIdProvider:
        if kept.provider not in self._providers:
            raise NoCredentials(f"the provider `{kept.provider}` is declared no more")
        return self._providers[kept.provider]


def _renew(lock: Lock) -> None:
    with suppress(LockLost, StoreAway):  # too late to call it back: the store tells whose count
        lock.renew()
