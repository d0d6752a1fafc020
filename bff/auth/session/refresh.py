"""The access token of a session, refreshed ahead of its expiry, and once for all requests.

Concurrent refreshes of one session are serialized by a distributed lock; waiters re-read the stored
tokens (`bff.auth.renewal`). A lock alone is not enough, as a process may be suspended for longer
than its lease: refreshed tokens are stored by compare-and-set, and revoked if that fails.
"""

from collections.abc import Callable, Collection, Mapping
from typing import Final

from bff.auth.oidc.login import Tokens
from bff.auth.oidc.provider import OpenIdProvider
from bff.auth.renewal import Current, Fetch, RenewalCoordinator, good_until, is_new, renew_lock
from bff.auth.session.sessions import Sessions, StoredTokens
from bff.errors import GrantEnded, LoginRequired, NoCredentials, ProviderAway, StoreAway
from bff.observe.events import Audit, Audited, Observer, Refreshed
from bff.store.lock import Lock, LockLost

_STORE_TIMEOUT: Final = 5.0  # seconds that storing is retried while the store is away
_STORE_RETRY: Final = 0.2  # seconds between two of these tries

Accepts = Callable[[StoredTokens], bool]  # whether stored tokens need no refresh


class Refresher:
    """Provides the access tokens of sessions, and refreshes them.

    Args:
        providers: by name, as sessions refer to them.
    """

    def __init__(
        self,
        sessions: Sessions,
        providers: Mapping[str, OpenIdProvider],
        observer: Observer,
        renewals: RenewalCoordinator,
    ) -> None:
        self._sessions, self._providers = sessions, providers
        self._observer, self._renewals = observer, renewals

    def stored_token(self, key: str, rejected: Collection[str] = ()) -> str:
        """The stored token if it is usable; empty if it has to be refreshed first.

        1. rejected by the service: unusable, unless it was issued a moment ago, so that the service
           would reject another one too;
        2. expired: unusable;
        3. due for renewal: usable, and refreshed in the background. While it is valid, no request
           depends on the provider.

        Args:
            key: the session's.
            rejected: tokens that a service has just answered 401 to.

        Raises:
            LoginRequired: the session is over.
            StoreAway: the store cannot be asked.
        """
        stored, now = self._read(key), self._sessions.now()
        expires, access = stored.tokens.expires, stored.tokens.access
        if access in rejected:
            return access if is_new(expires, stored.obtained, now) else ""
        if now >= expires:
            return ""
        if self._is_fresh(stored) or not stored.tokens.refresh:
            return access
        self._renewals.ahead(_name(key), *self._renewal(key, self._is_fresh))
        return self._read(key).tokens.access

    def access_token(self, key: str, rejected: Collection[str] = ()) -> str:
        """A token that is valid and not one of `rejected`, if the provider issues another.

        Raises:
            LoginRequired: the session is over, or ended now as its refresh token is not valid.
            ProviderAway: the token has expired, and the provider cannot be reached.
            StoreAway: the store cannot be reached.
        """
        token = self.stored_token(key, rejected)
        return token or self._refreshed(
            key, lambda stored: stored.tokens.access not in rejected and self._is_fresh(stored)
        )

    def replaced(self, key: str, access: str) -> str:
        """A token other than `access`, however new that is; `access` if there is no refresh token.

        Raises:
            LoginRequired, ProviderAway, StoreAway: as `access_token` does.
        """
        return self._refreshed(key, lambda stored: stored.tokens.access != access)

    def _refreshed(self, key: str, accepts: Accepts) -> str:
        timeout = self._provider(self._read(key)).provider.timeout
        return self._renewals.renewed(_name(key), *self._renewal(key, accepts), timeout)

    def _renewal(self, key: str, accepts: Accepts) -> tuple[Current, Fetch]:
        """How to read an acceptable token of the session, and how to fetch one."""

        def current() -> str:
            stored = self._read(key)
            return stored.tokens.access if accepts(stored) else ""

        return current, lambda lock: self._fetched(key, self._read(key), lock)

    def _fetched(self, key: str, stored: StoredTokens, lock: Lock) -> str:
        if not stored.tokens.refresh:
            return self._without_refresh(key, stored)
        provider = self._provider(stored)
        try:
            provider.prepare()  # may take longer than the lease: then `renew` raises LockLost
            lock.renew()
            fresh = provider.refresh(stored.tokens, meanwhile=lambda: renew_lock(lock))
        except LockLost:
            return ""
        except GrantEnded as error:
            self._observer(Refreshed(stored.provider, "ended", error.detail))
            return self._ended(key, stored, error.detail)
        except ProviderAway as error:
            self._observer(Refreshed(stored.provider, "away", error.detail))
            raise
        if not self._store(key, stored, fresh, lock):
            self._observer(Refreshed(stored.provider, "late"))
            self._drop(key, stored, fresh, provider)
            return ""
        self._observer(Refreshed(stored.provider, "ok"))
        self._observer(self._audited("refreshed", key, stored))
        return fresh.access

    def _drop(
        self, key: str, stored: StoredTokens, fresh: Tokens, provider: OpenIdProvider
    ) -> None:
        """Revoke tokens that could not be stored, unless others of their grant are in use.

        Revocation ends the whole grant (RFC 7009, section 2.1), and with it the tokens that another
        request has stored, or those of a session that has replaced this one.
        """
        sessions = self._sessions
        if sessions.tokens(key) is None and (
            sessions.signed_out(key) or not sessions.shares_grant(stored)
        ):
            provider.revoke(fresh.refresh or fresh.access)

    def _without_refresh(self, key: str, stored: StoredTokens) -> str:
        """The stored token while it is valid: other services may accept it."""
        if self._sessions.now() < stored.tokens.expires:
            return stored.tokens.access
        return self._ended(
            key, stored, "the access token has expired, and there is no refresh token"
        )

    def _store(self, key: str, stored: StoredTokens, fresh: Tokens, lock: Lock) -> bool:
        """Store refreshed tokens, which exist nowhere else; False if the session changed meanwhile.

        While the store is away it is retried: the old refresh token may be spent. A write that was
        not confirmed may have happened, so the stored token is compared.
        """
        now = self._sessions.now
        give_up_at = now() + _STORE_TIMEOUT
        while True:
            try:
                return self._replaced(key, stored, fresh)
            except StoreAway:
                if now() >= give_up_at:
                    raise
                self._renewals.pause(_STORE_RETRY)
                renew_lock(lock)

    def _replaced(self, key: str, stored: StoredTokens, fresh: Tokens) -> bool:
        if self._sessions.replace_tokens(key, stored, fresh):
            return True
        there = self._sessions.tokens(key)
        return there is not None and there.tokens.access == fresh.access

    def _ended(self, key: str, stored: StoredTokens, why: str) -> str:
        """End the session, whose refresh token is not valid, unless there are newer tokens."""
        if self._read(key).version != stored.version:
            return ""  # another process refreshed them after this lock had expired
        self._sessions.end(key)
        self._observer(self._audited("ended", key, stored, "invalid_grant", why))
        raise LoginRequired("the provider has ended the session")

    def _audited(
        self, what: Audit, key: str, stored: StoredTokens, reason: str = "", detail: str = ""
    ) -> Audited:
        issuer = self._provider(stored).provider.issuer
        return Audited(
            what, issuer, stored.tokens.subject, key, stored.provider, reason, detail=detail
        )

    def _read(self, key: str) -> StoredTokens:
        stored = self._sessions.tokens(key)
        if stored is None:
            raise LoginRequired("the session is over")
        return stored

    def _is_fresh(self, stored: StoredTokens) -> bool:
        return self._sessions.now() < good_until(stored.tokens.expires, stored.obtained)

    def _provider(self, stored: StoredTokens) -> OpenIdProvider:
        if stored.provider not in self._providers:
            raise NoCredentials(f"the provider `{stored.provider}` is not declared any more")
        return self._providers[stored.provider]


def _name(key: str) -> str:
    return f"refresh:{key}"
