"""Tokens for one service: by token exchange, or by client credentials; fetched once, and stored.

RFC 8693 (token exchange) and RFC 6749, section 4.4 (client credentials). The name of an exchanged
token in the store is a hash of the user's session or bearer token, so that a token is never used
for another user.
"""

from collections.abc import Collection, Mapping
from dataclasses import astuple, dataclass, field
from functools import partial
from hashlib import sha256
from typing import Final

import orjson

from bff.auth.oidc.login import Tokens
from bff.auth.oidc.provider import OpenIdProvider
from bff.auth.oidc.token_endpoint import GrantRefused
from bff.auth.renewal import Current, Fetch, RenewalCoordinator, good_until, is_new, renew_lock
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
class _StoredToken:
    """A token for one service: when it was issued and when it expires, in seconds since 1970."""

    access: str = field(repr=False)
    obtained: float
    expires: float


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """A request for a token for one service, on behalf of a principal.

    Args:
        rejected: tokens that the service has just answered with 401.
    """

    service: Service
    principal: Principal
    rejected: Collection[str] = field(repr=False)

    @property
    def is_own(self) -> bool:
        """Whether it is issued to this client itself, not to a user."""
        return self.service.credentials == "client"

    @property
    def name(self) -> str:
        """The key of the store's entry."""
        service, principal = self.service, self.principal
        grant = astuple(service.grant)
        if self.is_own:
            return f"own:{_hash(service.name, grant)}"
        whose = principal.session or principal.token
        return f"exchanged:{_hash(whose, principal.identity, service.name, grant)}"


class ServiceTokens:
    """Provides tokens for single services.

    Args:
        providers: by name; the first is the default for client credentials.
    """

    def __init__(
        self,
        providers: Mapping[str, OpenIdProvider],
        sessions: Sessions,
        seal: Seal,
        refresher: Refresher,
        renewals: RenewalCoordinator,
    ) -> None:
        self._providers, self._sessions, self._seal = providers, sessions, seal
        self._refresher, self._renewals = refresher, renewals
        self._store, self._now = sessions.store, sessions.now

    def stored_token(self, request: TokenRequest) -> str:
        """The stored token if it is usable, else empty; a due one is renewed in the background.

        Raises:
            StoreAway: the store cannot be asked.
        """
        stored, _ = self._stored(request.name)
        if stored is None or not self._is_usable(stored, request):
            return ""
        if self._is_fresh(stored):
            return stored.access
        self._renewals.ahead(request.name, *self._renewal(request))
        stored = self._stored(request.name)[0] or stored
        return stored.access

    def token(self, request: TokenRequest) -> str:
        """A token; it is requested from the provider if none is stored.

        Raises:
            LoginRequired: the user's session is over.
            NoCredentials: the provider refuses; with 401 if that is because of the user's token.
            ProviderAway: the provider cannot be reached.
            StoreAway: the store cannot be reached.
        """
        timeout = self._provider(request).provider.timeout
        return self._renewals.renewed(request.name, *self._renewal(request), timeout)

    def _renewal(self, request: TokenRequest) -> tuple[Current, Fetch]:
        """How to read a stored token, and how to fetch one."""
        return partial(self._fresh, request), partial(self._fetched, request)

    def _fresh(self, request: TokenRequest) -> str:
        stored, _ = self._stored(request.name)
        fine = stored and self._is_usable(stored, request) and self._is_fresh(stored)
        return stored.access if stored and fine else ""

    def _is_usable(self, stored: _StoredToken, request: TokenRequest) -> bool:
        """True if it is valid and not rejected, or too new for another one to help."""
        now = self._now()
        if stored.access in request.rejected and not is_new(stored.expires, stored.obtained, now):
            return False
        return now < stored.expires

    def _is_fresh(self, stored: _StoredToken) -> bool:
        return self._now() < good_until(stored.expires, stored.obtained)

    def _fetched(self, request: TokenRequest, lock: Lock) -> str:
        """A token from the provider, which is stored until it expires."""
        _, version = self._stored(request.name)
        try:
            tokens = self._granted(request, lock)
        except (ProviderAway, NoCredentials) as error:
            about = {"service": request.service.name, "detail": error.detail}
            logger.warning("the provider issued no token for a service", extra=about)
            raise
        stored = _StoredToken(tokens.access, self._now(), tokens.expires)
        sealed = self._seal.seal(orjson.dumps(astuple(stored)), request.name)
        if request.principal.session and not request.is_own:
            session = request.principal.session
            self._sessions.store_with_session(
                session, request.name, sealed, stored.expires, version
            )
        else:
            self._store.put(request.name, sealed, stored.expires, version)
        return tokens.access

    def _granted(self, request: TokenRequest, lock: Lock) -> Tokens:
        provider, grant = self._provider(request), request.service.grant
        if request.is_own:
            heartbeat = partial(renew_lock, lock)
            return provider.client_credentials(grant.audience, grant.scope, heartbeat)
        principal = request.principal
        own = principal.token or self._refresher.access_token(principal.session)
        try:
            return self._exchanged(request, own, lock)
        except GrantRefused as refused:
            if not refused.subject:
                raise NoCredentials(refused.detail) from None
            if not principal.session:
                raise NoCredentials(refused.detail, _UNAUTHORIZED) from None
        # The provider may have rotated its keys or ended its session: a refresh shows which
        renew_lock(lock)
        fresh = self._refresher.replaced(principal.session, own)
        try:
            return self._exchanged(request, fresh, lock)
        except GrantRefused as refused:
            raise NoCredentials(refused.detail, _status(refused, is_fresh=fresh != own)) from None

    def _exchanged(self, request: TokenRequest, own: str, lock: Lock) -> Tokens:
        service = request.service
        audience, scope = service.grant.audience or service.name, service.grant.scope
        provider = self._provider(request)
        return provider.exchange(own, audience, scope, partial(renew_lock, lock))

    def _stored(self, name: str) -> tuple[_StoredToken | None, str | None]:
        """The stored token, and the version that a new one replaces."""
        entry = self._store.get(name)
        if entry is None:
            return None, None
        try:
            return _StoredToken(*orjson.loads(self._seal.open(entry.value, name))), entry.version
        except (BadSeal, TypeError):
            return None, entry.version

    def _provider(self, request: TokenRequest) -> OpenIdProvider:
        """The declared provider, or else the issuer of the principal."""
        name = request.service.grant.provider
        if not name:
            first = next(iter(self._providers), "")
            name = first if request.is_own else self._provider_of(request.principal)
        if name not in self._providers:
            raise NoCredentials(f"the provider `{name}` is not declared")
        return self._providers[name]

    def _provider_of(self, principal: Principal) -> str:
        for name, each in self._providers.items():
            if each.provider.issuer == principal.issuer:
                return name
        raise NoCredentials("no declared provider has issued the caller's token")


def _status(refused: GrantRefused, *, is_fresh: bool) -> int:
    """The status for a refused exchange: 401 if signing in again may help, or else 502.

    RFC 8693, section 2.2.2, uses `invalid_request` for a subject token that is not accepted, and
    for any other fault of the request: Keycloak for an audience that the client is not allowed, or
    if exchange is disabled. For a subject token that was issued a moment ago it means the latter.

    Args:
        is_fresh: whether the subject token was refreshed for this exchange.
    """
    if not refused.subject or (is_fresh and refused.code == _INVALID_REQUEST):
        return NoCredentials.status
    return _UNAUTHORIZED


def _hash(*about: object) -> str:
    return sha256(orjson.dumps(about)).hexdigest()
