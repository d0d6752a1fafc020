"""The tokens that services are called with, each for whom and what it was declared.

`TokenKeeper.perform` is what the conductor's effect `Credentials` comes to, on a thread that may
block.
"""

from collections.abc import Mapping

from bff.auth.session.refresh import Refresher
from bff.auth.session.service_tokens import ServiceTokens, Wanted
from bff.model.exchange import Headers
from bff.model.principal import Principal
from bff.model.service import Service
from bff.upstream.effects import Longer
from bff.upstream.exchange import Credentials


class TokenKeeper:
    """Has the headers with which a service is called for somebody.

    Args:
        services: which credentials each of them wants.
        refresher: has the tokens of sessions.
        tokens: has those that are made for one service.
    """

    def __init__(
        self, services: Mapping[str, Service], refresher: Refresher, tokens: ServiceTokens
    ) -> None:
        self._services, self._refresher, self._tokens = services, refresher, tokens

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
        if service.credentials in {"client", "exchange"} or _is_for_us(service, principal):
            wanted = Wanted(service, principal, rejected)
            token = self._tokens.at_hand(wanted)
            return _header(token) if token else Longer(lambda: _header(self._tokens.token(wanted)))
        if principal.token:
            return _header(principal.token)  # it is what there is: rejected or not
        key = principal.session
        token = self._refresher.at_hand(key, rejected)
        if token:
            return _header(token)
        return Longer(lambda: _header(self._refresher.access_token(key, rejected)))


def _is_for_us(service: Service, principal: Principal) -> bool:
    """A bearer's token was made for us; as it is it goes on only where `relay` is declared."""
    return service.credentials == "session" and bool(principal.token)


def _header(token: str) -> Headers:
    return (("authorization", f"Bearer {token}"),)
