"""Tokens for one service: made of a person's token, or granted to us; obtained once, and stored.

RFC 8693 (token exchange) and RFC 6749, section 4.4 (client credentials). A token is found by the
session or bearer token of who asks, and in no other way: two people never have each other's.
"""

from collections.abc import Collection, Mapping
from dataclasses import astuple, dataclass, field
from functools import partial
from hashlib import sha256
from typing import Final

import orjson

from bff.auth.oidc.login import Tokens
from bff.auth.oidc.provider import OpenIdProvider
from bff.auth.oidc.token_endpoint import TokenRefused
from bff.auth.renewal import Current, Fetch, Renewals, good_until, is_new, renew_lock
from bff.auth.session.refresh import Refresher
from bff.auth.session.sessions import Sessions
from bff.errors import NoCredentials, ProviderAway
from bff.model.principal import Principal
from bff.model.service import Service
from bff.observe.log import logger
from bff.store.lock import Lock
from bff.store.seal import BadSeal, Seal

_UNAUTHORIZED: Final = 401
_INVALID_REQUEST: Final = "invalid_request"


@dataclass(frozen=True, slots=True)
class _Stored:
    """A token for one service: when it came and when it ends, in seconds since 1970."""

    access: str = field(repr=False)
    obtained: float
    expires: float


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a token is wanted for.

    Args:
        rejected: tokens that the service has just answered 401 to.
    """

    service: Service
    principal: Principal
    rejected: Collection[str] = field(repr=False)

    @property
    def is_own(self) -> bool:
        """Whether it is granted to this client itself, not to a person."""
        return self.service.credentials == "client"

    @property
    def name(self) -> str:
        """What the store knows it by."""
        service, principal = self.service, self.principal
        grant = astuple(service.grant)
        if self.is_own:
            return f"own:{_hash(service.name, grant)}"
        whose = principal.session or principal.token
        return f"exchanged:{_hash(whose, principal.identity, service.name, grant)}"


class ServiceTokens:
    """Has tokens for single services.

    Args:
        providers: by name; the first is asked where nothing says which.
    """

    def __init__(
        self,
        providers: Mapping[str, OpenIdProvider],
        sessions: Sessions,
        seal: Seal,
        refresher: Refresher,
        renewals: Renewals,
    ) -> None:
        self._providers, self._sessions, self._seal = providers, sessions, seal
        self._refresher, self._renewals = refresher, renewals
        self._store, self._now = sessions.store, sessions.now

    def at_hand(self, wanted: Wanted) -> str:
        """The token that there is, if it will do; one that is due is replaced in the background.

        Raises:
            StoreAway: the store cannot be asked.
        """
        stored, _ = self._stored(wanted.name)
        if stored is None or not self._will_do(stored, wanted):
            return ""
        if self._is_fresh(stored):
            return stored.access
        self._renewals.ahead(wanted.name, *self._renewal(wanted))
        stored = self._stored(wanted.name)[0] or stored
        return stored.access

    def token(self, wanted: Wanted) -> str:
        """A token, from the provider if there is none.

        Raises:
            LoginRequired: the person's session is over.
            NoCredentials: the provider makes none; with 401 where it is for the person's token.
            ProviderAway: the provider cannot be asked.
            StoreAway: the store cannot.
        """
        timeout = self._provider(wanted).provider.timeout
        return self._renewals.renewed(wanted.name, *self._renewal(wanted), timeout)

    def _renewal(self, wanted: Wanted) -> tuple[Current, Fetch]:
        """How to see whether there is a token as wanted, and how to get one."""
        return partial(self._fresh, wanted), partial(self._fetched, wanted)

    def _fresh(self, wanted: Wanted) -> str:
        stored, _ = self._stored(wanted.name)
        fine = stored and self._will_do(stored, wanted) and self._is_fresh(stored)
        return stored.access if stored and fine else ""

    def _will_do(self, stored: _Stored, wanted: Wanted) -> bool:
        """True while it lasts, unless the service rejects it and would perhaps take another."""
        now = self._now()
        if stored.access in wanted.rejected and not is_new(stored.expires, stored.obtained, now):
            return False
        return now < stored.expires

    def _is_fresh(self, stored: _Stored) -> bool:
        return self._now() < good_until(stored.expires, stored.obtained)

    def _fetched(self, wanted: Wanted, lock: Lock) -> str:
        """A token from the provider, which is stored until its end."""
        _, version = self._stored(wanted.name)
        try:
            tokens = self._granted(wanted, lock)
        except (ProviderAway, NoCredentials) as error:
            about = {"service": wanted.service.name, "detail": error.detail}
            logger.warning("no token for a service", extra=about)
            raise
        stored = _Stored(tokens.access, self._now(), tokens.expires)
        sealed = self._seal.seal(orjson.dumps(astuple(stored)), wanted.name)
        if wanted.principal.session and not wanted.is_own:
            session = wanted.principal.session
            self._sessions.keep_with(session, wanted.name, sealed, stored.expires, version)
        else:
            self._store.put(wanted.name, sealed, stored.expires, version)
        return tokens.access

    def _granted(self, wanted: Wanted, lock: Lock) -> Tokens:
        provider, grant = self._provider(wanted), wanted.service.grant
        if wanted.is_own:
            beat = partial(renew_lock, lock)
            return provider.client_credentials(grant.audience, grant.scope, beat)
        principal = wanted.principal
        own = principal.token or self._refresher.access_token(principal.session)
        try:
            return self._exchanged(wanted, own, lock)
        except TokenRefused as refused:
            if not refused.subject:
                raise NoCredentials(refused.detail) from None
            if not principal.session:
                raise NoCredentials(refused.detail, _UNAUTHORIZED) from None
        # the provider's keys may have been rotated, or its session ended: a refresh tells
        renew_lock(lock)
        fresh = self._refresher.replaced(principal.session, own)
        try:
            return self._exchanged(wanted, fresh, lock)
        except TokenRefused as refused:
            raise NoCredentials(refused.detail, _status(refused, is_fresh=fresh != own)) from None

    def _exchanged(self, wanted: Wanted, own: str, lock: Lock) -> Tokens:
        service = wanted.service
        audience, scope = service.grant.audience or service.name, service.grant.scope
        provider = self._provider(wanted)
        return provider.exchange(own, audience, scope, partial(renew_lock, lock))

    def _stored(self, name: str) -> tuple[_Stored | None, str | None]:
        """The token that is stored, and the version that another would replace."""
        entry = self._store.get(name)
        if entry is None:
            return None, None
        try:
            return _Stored(*orjson.loads(self._seal.open(entry.value, name))), entry.version
        except (BadSeal, TypeError):
            return None, entry.version

    def _provider(self, wanted: Wanted) -> OpenIdProvider:
        """The provider that is declared, or else the one that vouches for who asks."""
        name = wanted.service.grant.provider
        if not name:
            first = next(iter(self._providers), "")
            name = first if wanted.is_own else self._provider_of(wanted.principal)
        if name not in self._providers:
            raise NoCredentials(f"the provider `{name}` is not declared")
        return self._providers[name]

    def _provider_of(self, principal: Principal) -> str:
        for name, each in self._providers.items():
            if each.provider.issuer == principal.issuer:
                return name
        raise NoCredentials("no declared provider has issued the caller's token")


def _status(refused: TokenRefused, *, is_fresh: bool) -> int:
    """What a refused exchange comes to: 401 where signing in again may help, or else 502.

    RFC 8693, section 2.2.2, has `invalid_request` for a subject token that is not accepted and for
    any other fault of the request. Keycloak answers it to an audience that a client is not allowed,
    or where exchange is not enabled; of a token that it has issued a moment ago it means that.

    Args:
        is_fresh: whether the token was issued for this exchange.
    """
    if not refused.subject or (is_fresh and refused.code == _INVALID_REQUEST):
        return NoCredentials.status
    return _UNAUTHORIZED


def _hash(*about: object) -> str:
    return sha256(orjson.dumps(about)).hexdigest()
