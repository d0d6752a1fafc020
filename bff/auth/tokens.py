"""The tokens that services are called with, each for whom and what it was declared.

`TokenKeeper.perform` is what the conductor's effect `Credentials` comes to, on a thread that may
block. A token is found by the session or token of who asks, and in no other way: two people never
have each other's.
"""

from collections.abc import Collection, Mapping
from dataclasses import astuple, dataclass, field
from hashlib import sha256

import orjson

from bff.auth.provider import OpenIdProvider
from bff.auth.refresh import Refresher, good_until, is_new
from bff.auth.seal import BadSeal, Seal
from bff.auth.session import Sessions
from bff.errors import GrantEnded, NoCredentials
from bff.model.exchange import Headers
from bff.model.principal import Principal
from bff.model.service import Service
from bff.upstream.effects import Longer
from bff.upstream.exchange import Credentials


@dataclass(frozen=True, slots=True)
class _Kept:
    """A token for one service: when it came and when it ends, in seconds since 1970."""

    access: str = field(repr=False)
    obtained: float
    expires: float


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
        self._sessions, self._seal = sessions, seal
        self._store, self._now = sessions.store, sessions.now

    def perform(self, effect: Credentials) -> Headers | Longer:
        """The header for a call, or none for somebody who is not signed in.

        What is at hand is given at once; what a provider has to be asked for takes longer.

        Raises:
            LoginRequired: the session is over, or its tokens cannot be renewed.
            NoCredentials: this caller has none that the service would take.
            ProviderAway: the provider cannot be asked.
            StoreAway: the store cannot.
        """
        service, principal = self._services[effect.service], effect.principal
        rejected = {value.removeprefix("Bearer ") for _, value in effect.rejected}
        if service.credentials != "client" and not principal.signed_in:
            return ()  # and never a token of ours in place of theirs
        if service.credentials == "client":
            name = f"own:{_hash(service.name, astuple(service.grant))}"
        elif service.credentials == "exchange" or _is_for_us(service, principal):
            name = _exchanged(service, principal)
        elif principal.token:
            return _header(principal.token)  # it is what there is: rejected or not
        else:
            token = self._refresher.at_hand(principal.session, rejected)
            return (
                _header(token)
                if token
                else Longer(
                    lambda: _header(self._refresher.access_token(principal.session, rejected))
                )
            )
        kept, version = self._kept(name)
        if kept and not self._is_stale(kept, rejected):
            return _header(kept.access)
        return Longer(lambda: _header(self._granted(name, version, service, principal)))

    def _granted(
        self, name: str, version: str | None, service: Service, principal: Principal
    ) -> str:
        """A token for one service, from a provider; it is kept while it lasts."""
        grant = service.grant
        if service.credentials == "client":  # RFC 6749, section 4.4: for nobody in particular
            provider = self._provider(grant.provider or next(iter(self._providers), ""))
            tokens = provider.client_credentials(grant.audience, grant.scope)
        else:  # RFC 8693: made of the caller's
            provider = self._provider(grant.provider or self._provider_of(principal))
            own = principal.token or self._refresher.access_token(principal.session, ())
            try:
                tokens = provider.exchange(own, grant.audience or service.name, grant.scope)
            except GrantEnded:
                raise NoCredentials("the provider makes no token for this service") from None
        kept = _Kept(tokens.access, self._now(), tokens.expires)
        sealed = self._seal.seal(orjson.dumps(astuple(kept)), name)
        until = good_until(kept.expires, kept.obtained)
        if principal.session and service.credentials != "client":
            self._sessions.keep_with(principal.session, name, sealed, until, version)
        else:
            self._store.put(name, sealed, until, version)
        return tokens.access

    def _kept(self, name: str) -> tuple["_Kept | None", str | None]:
        """A token that was kept, and the version that another would replace."""
        entry = self._store.get(name)
        if entry is None:
            return None, None
        try:
            return _Kept(*orjson.loads(self._seal.open(entry.value, name))), entry.version
        except (BadSeal, TypeError):
            return None, entry.version

    def _is_stale(self, kept: "_Kept", rejected: Collection[str]) -> bool:
        """Whether a service rejects it, and would perhaps take another."""
        new = is_new(kept.expires, kept.obtained, self._now())
        return kept.access in rejected and not new

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


def _exchanged(service: Service, principal: Principal) -> str:
    """Where the token is that was made for a service of this very caller's."""
    whose = principal.session or principal.token
    return f"exchanged:{_hash(whose, principal.identity, service.name, astuple(service.grant))}"


def _hash(*about: object) -> str:
    return sha256(orjson.dumps(about)).hexdigest()


def _header(token: str) -> Headers:
    return (("authorization", f"Bearer {token}"),)
