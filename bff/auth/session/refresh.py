"""The access token of a session, refreshed ahead of its end, and exactly once.

A token that is due is refreshed in the background, and used until it ends. Of the requests that
find it ended, or rejected, one refreshes it and the others wait (`bff.auth.renewal`). What a lock
cannot promise (a process may sleep longer than its lock lasts) the store does: fresh tokens replace
those that were read, or are thrown away.
"""

from collections.abc import Callable, Collection, Mapping
from typing import Final

from bff.auth.oidc.login import Tokens
from bff.auth.oidc.provider import OpenIdProvider
from bff.auth.renewal import Current, Fetch, Renewals, good_until, is_new, renew_lock
from bff.auth.session.sessions import KeptTokens, Sessions
from bff.errors import GrantEnded, LoginRequired, NoCredentials, ProviderAway, StoreAway
from bff.observe.events import Audit, Audited, Observer, Refreshed
from bff.store.lock import Lock, LockLost

_STORE_PATIENCE: Final = 5.0  # seconds for which a store that is away is tried again
_STORE_LOOKS: Final = 0.2  # seconds between two of these tries

Wanted = Callable[[KeptTokens], bool]


class Refresher:
    """Knows how to have a session's access token.

    Args:
        providers: by name, as sessions know them.
    """

    def __init__(
        self,
        sessions: Sessions,
        providers: Mapping[str, OpenIdProvider],
        observer: Observer,
        renewals: Renewals,
    ) -> None:
        self._sessions, self._providers = sessions, providers
        self._observer, self._renewals = observer, renewals

    def at_hand(self, key: str, rejected: Collection[str] = ()) -> str:
        """The token that there is, if it will do; empty if it has to be refreshed first.

        One that is due is refreshed in the background: while it is good, no request depends on what
        the provider does.

        Args:
            key: the session's.
            rejected: tokens that a service has just answered 401 to.

        Raises:
            LoginRequired: the session is over.
            StoreAway: the store cannot be asked.
        """
        kept, now = self._kept(key), self._sessions.now()
        expires, access = kept.tokens.expires, kept.tokens.access
        if access in rejected:
            # another one would not help if this one was issued only a moment ago
            return access if is_new(expires, kept.obtained, now) else ""
        if now >= expires:
            return ""
        if self._is_fresh(kept) or not kept.tokens.refresh:
            return access
        self._renewals.ahead(_name(key), *self._renewal(key, self._is_fresh))
        return self._kept(key).tokens.access

    def access_token(self, key: str, rejected: Collection[str] = ()) -> str:
        """A token that lasts, and if possible none of those that a service has just rejected.

        Raises:
            LoginRequired: the session is over, or just ended as its refresh token is dead.
            ProviderAway: the token has ended, and the provider cannot be asked.
            StoreAway: the store cannot.
        """
        token = self.at_hand(key, rejected)
        return token or self._refreshed(
            key, lambda kept: kept.tokens.access not in rejected and self._is_fresh(kept)
        )

    def replaced(self, key: str, access: str) -> str:
        """A token other than `access`, however new that is; `access` where nothing renews it.

        Raises:
            LoginRequired, ProviderAway, StoreAway: as `access_token` does.
        """
        return self._refreshed(key, lambda kept: kept.tokens.access != access)

    def _refreshed(self, key: str, wanted: Wanted) -> str:
        timeout = self._provider(self._kept(key)).provider.timeout
        return self._renewals.renewed(_name(key), *self._renewal(key, wanted), timeout)

    def _renewal(self, key: str, wanted: Wanted) -> tuple[Current, Fetch]:
        """How to see whether the session has a token as wanted, and how to get one."""

        def current() -> str:
            kept = self._kept(key)
            return kept.tokens.access if wanted(kept) else ""

        return current, lambda lock: self._fetched(key, self._kept(key), lock)

    def _fetched(self, key: str, kept: KeptTokens, lock: Lock) -> str:
        if not kept.tokens.refresh:
            return self._without_refresh(key, kept)
        provider = self._provider(kept)
        try:
            provider.prepare()  # may take longer than the lock lasts: then it is not our turn
            lock.renew()
            fresh = provider.refresh(kept.tokens, meanwhile=lambda: renew_lock(lock))
        except LockLost:
            return ""
        except GrantEnded as error:
            self._observer(Refreshed(kept.provider, "ended", error.detail))
            return self._ended(key, kept, error.detail)
        except ProviderAway as error:
            self._observer(Refreshed(kept.provider, "away", error.detail))
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
        return self._ended(key, kept, "the access token has expired, and there is no refresh token")

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
                self._renewals.pause(_STORE_LOOKS)
                renew_lock(lock)

    def _replaced(self, key: str, kept: KeptTokens, fresh: Tokens) -> bool:
        if self._sessions.replace_tokens(key, kept, fresh):
            return True
        there = self._sessions.tokens(key)
        return there is not None and there.tokens.access == fresh.access

    def _ended(self, key: str, kept: KeptTokens, why: str) -> str:
        """The refresh token is dead: so is the session, unless there are newer tokens by now."""
        if self._kept(key).version != kept.version:
            return ""  # another process refreshed them while this lock had lapsed
        self._sessions.end(key)
        self._observer(self._audited("ended", key, kept, "invalid_grant", why))
        raise LoginRequired("the provider has ended the session")

    def _audited(
        self, what: Audit, key: str, kept: KeptTokens, reason: str = "", detail: str = ""
    ) -> Audited:
        issuer = self._provider(kept).provider.issuer
        return Audited(what, issuer, kept.tokens.subject, key, kept.provider, reason, detail=detail)

    def _kept(self, key: str) -> KeptTokens:
        kept = self._sessions.tokens(key)
        if kept is None:
            raise LoginRequired("the session is over")
        return kept

    def _is_fresh(self, kept: KeptTokens) -> bool:
        return self._sessions.now() < good_until(kept.tokens.expires, kept.obtained)

    def _provider(self, kept: KeptTokens) -> OpenIdProvider:
        if kept.provider not in self._providers:
            raise NoCredentials(f"the provider `{kept.provider}` is declared no more")
        return self._providers[kept.provider]


def _name(key: str) -> str:
    return f"refresh:{key}"
