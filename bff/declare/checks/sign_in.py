"""Checks of sign-in: providers, client credentials, keys and certificates."""

from collections.abc import Iterable, Iterator
from time import time

from bff.auth.oidc.client_authentication import ClientAuthentication
from bff.errors import ConfigError
from bff.model.access import Issuer, Provider
from bff.model.config import Config
from bff.model.problem import Problem
from bff.upstream.tls import own_context


def sign_in_problems(config: Config) -> Iterator[Problem]:
    """Frontends without a provider, and credentials or certificates that cannot be used.

    Not checked in `bff dev`, where local providers replace those that are declared.
    """
    for frontend in config.frontends.values():
        if "session" in frontend.access and not config.providers:
            message = f"users cannot sign in at `{frontend.name}`: `providers` is empty"
            hint = (
                "declare a provider; `access: none` has no session and no visitor, so that data "
                "stored by `session.visitor` is lost"
            )
            yield Problem("sign-in-impossible", frontend.place, message, hint, warning=True)
    for provider in config.providers.values():
        yield from _credentials(provider)
    yield from _unusable_tls([*config.providers.values(), *config.issuers.values()])


def _credentials(provider: Provider) -> Iterator[Problem]:
    if provider.auth == "none":
        if provider.tls is None or not provider.tls.cert:
            message = f"any client can impersonate this one at `{provider.name}`: `auth: none`"
            hint = (
                "`tls: {cert: …}` for mutual TLS (RFC 8705), a `client_secret` or a `private_key`"
            )
            yield Problem("client-credentials", provider.place, message, hint, warning=True)
    elif provider.auth != "private_key_jwt" and not provider.client_secret:
        message = (
            f"the `client_secret` of `{provider.name}` is empty: client authentication would fail"
        )
        hint = "refer to it: `${SHOP_CLIENT_SECRET}`, or declare a `private_key`"
        yield Problem("client-credentials", provider.place, message, hint, warning=True)
    try:
        ClientAuthentication(provider, time)
    except ConfigError as error:
        yield from error.problems


def _unusable_tls(declared: Iterable[Provider | Issuer]) -> Iterator[Problem]:
    for source in declared:
        try:
            if source.tls:
                own_context(source.tls, source.name, source.place)
        except ConfigError as error:
            yield from error.problems
