"""The tokens that services are called with, each for whom and what it was declared.

`TokenKeeper.perform` is what the conductor's effect `Credentials` comes to, on a thread that may
block. A token is found by the session or token of who asks, and in no other way: two people never
have each other's.
"""

from collections.abc import Collection, Mapping
from hashlib import sha256
from threading import Lock

import orjson

from bff.auth.login import Tokens
from bff.auth.provider import OpenIdProvider
from bff.auth.refresh import Refresher, good_until
from bff.auth.seal import BadSeal, Seal
from bff.auth.session import Sessions
from bff.errors import GrantEnded, LoginRequired, NoCredentials
from bff.model.exchange import Headers
from bff.model.principal import Principal
from bff.model.service import Service
from bff.upstream.exchange import Credentials


class TokenKeeper:
    """Has the headers with which a service is called for somebody.

    Args:
        services: which credentials each of them wants.
        providers: by name; the first is asked where nothing says which.
    """

    def __init__(
        self,
        services: Mapping[str, Service],
        providers: Mapping[str, OpenIdProvider],
        sessions: Sessions,
        seal: Seal,
        refresher: Refresher,
    ) -> None:
        self._services, self._providers, self._refresher = services, providers, refresher
        self._store, self._now, self._seal = sessions.store, sessions.now, seal
        self._ours: dict[str, tuple[str, float]] = {}  # by service: a token, and until when
        self._lock = Lock()

    def perform(self, effect: Credentials) -> Headers:
        """The header for a call, or none for somebody who is not signed in.

        Raises:
            LoginRequired: the session is over, or its tokens cannot be renewed.
            NoCredentials: this caller has none that the service would take.
            ProviderAway: the provider cannot be asked.
            StoreAway: the store cannot.
        """
        service, principal = self._services[effect.service], effect.principal
        rejected = {value.removeprefix("Bearer ") for _, value in effect.rejected}
        if service.credentials == "client":
            token = self._own(service, rejected)
        elif not principal.signed_in:
            return ()  # and never a token of ours in place of theirs
        elif service.credentials == "exchange" or _is_for_us(service, principal):
            token = self._exchanged(service, principal, rejected)
        else:
            token = self._callers(principal, rejected)
        return (("authorization", f"Bearer {token}"),)

    def _callers(self, principal: Principal, rejected: Collection[str]) -> str:
        """The access token of who asks."""
        if not principal.token:
            return self._refresher.access_token(principal.session, rejected)
        if principal.token in rejected:
            raise LoginRequired("a service does not take the token any more")
        return principal.token

    def _exchanged(self, service: Service, principal: Principal, rejected: Collection[str]) -> str:
        """A token for one service, made of the caller's (RFC 8693) and kept while it lasts."""
        grant = service.grant
        audience = grant.audience or service.name
        whose = principal.session or sha256(principal.token.encode()).hexdigest()
        about = orjson.dumps([whose, principal.identity, audience, grant.scope, grant.provider])
        name = f"exchanged:{sha256(about).hexdigest()}"
        kept, version = self._kept(name)
        if kept and kept not in rejected:
            return kept
        provider = self._provider(grant.provider or self._provider_of(principal))
        try:
            tokens = provider.exchange(self._callers(principal, ()), audience, grant.scope)
        except GrantEnded:
            raise NoCredentials("the provider makes no token for this service") from None
        sealed = self._seal.seal(tokens.access.encode(), name)
        self._store.put(name, sealed, good_until(tokens.expires, self._now()), version)
        return tokens.access

    def _kept(self, name: str) -> tuple[str, str | None]:
        """A token that was kept, and the version that another would replace."""
        entry = self._store.get(name)
        if entry is None:
            return "", None
        try:
            return self._seal.open(entry.value, name).decode(), entry.version
        except BadSeal:
            return "", entry.version

    def _own(self, service: Service, rejected: Collection[str]) -> str:
        """A token of our own (RFC 6749, section 4.4), for nobody in particular."""
        with self._lock:
            token, until = self._ours.get(service.name, ("", 0.0))
        if token and token not in rejected and self._now() < until:
            return token
        provider = self._provider(service.grant.provider or next(iter(self._providers), ""))
        fresh: Tokens = provider.client_credentials(service.grant.audience, service.grant.scope)
        with self._lock:
            self._ours[service.name] = fresh.access, good_until(fresh.expires, self._now())
        return fresh.access

    def _provider_of(self, principal: Principal) -> str:
        """The provider that vouches for who asks."""
        for name, each in self._providers.items():
            if each.provider.issuer == principal.issuer:
                return name
        raise NoCredentials("no provider of ours has issued the caller's token")

    def _provider(self, name: str) -> OpenIdProvider:
        if name not in self._providers:
            raise NoCredentials(f"the provider `{name}` is not declared")
        return self._providers[name]


def _is_for_us(service: Service, principal: Principal) -> bool:
    """A bearer's token was made for us; as it is it goes on only where `relay` is declared."""
    return service.credentials == "session" and bool(principal.token)
