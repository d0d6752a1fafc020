"""The Authorization header for a call to a service, by the service's `credentials`.

The conductor asks for it with the effect `Credentials`; `CredentialsProvider.perform` runs on a
thread that may block.
"""

from collections.abc import Mapping

from bff.auth.session.refresh import Refresher
from bff.auth.session.service_tokens import ServiceTokens, TokenRequest
from bff.model.exchange import Headers
from bff.model.principal import Principal
from bff.model.service import Service
from bff.upstream.effects import RemoteWork
from bff.upstream.exchange import Credentials


class CredentialsProvider:
    """Provides the headers with which services are called on behalf of a user.

    Args:
        services: by name; each declares which credentials it takes.
        refresher: provides the access tokens of sessions.
        tokens: provides tokens that are issued for one service.
    """

    def __init__(
        self, services: Mapping[str, Service], refresher: Refresher, tokens: ServiceTokens
    ) -> None:
        self._services, self._refresher, self._tokens = services, refresher, tokens

    def perform(self, effect: Credentials) -> Headers | RemoteWork:
        """The headers for a call; empty for an anonymous caller.

        Returns:
            The headers if a usable token is stored; else `RemoteWork`, a function that asks the
            provider and may block for the provider's time-out.

        Raises:
            LoginRequired: the session is over, or its tokens cannot be refreshed.
            NoCredentials: the caller has no credentials that the service accepts.
            ProviderAway: the provider cannot be reached.
            StoreAway: the store cannot be reached.
        """
        service, principal = self._services[effect.service], effect.principal
        rejected = {value.removeprefix("Bearer ") for _, value in effect.rejected}
        if service.credentials != "client" and not principal.signed_in:
            return ()  # never a token of this service in place of the user's
        if service.credentials in {"client", "exchange"} or _is_for_us(service, principal):
            request = TokenRequest(service, principal, rejected)
            token = self._tokens.stored_token(request)
            return (
                _header(token)
                if token
                else RemoteWork(lambda: _header(self._tokens.token(request)))
            )
        if principal.token:
            return _header(principal.token)  # there is no other, even if it was rejected
        key = principal.session
        token = self._refresher.stored_token(key, rejected)
        if token:
            return _header(token)
        return RemoteWork(lambda: _header(self._refresher.access_token(key, rejected)))


def _is_for_us(service: Service, principal: Principal) -> bool:
    """Whether a bearer token has this service as its audience, and has to be exchanged.

    It is passed on unchanged only if `credentials: relay` is declared.
    """
    return service.credentials == "session" and bool(principal.token)


def _header(token: str) -> Headers:
    return (("authorization", f"Bearer {token}"),)
