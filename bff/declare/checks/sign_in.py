"""What is wrong with how people are to sign in, found before anybody tries."""

from collections.abc import Iterable, Iterator
from time import time

from bff.auth.oidc.client_authentication import ClientAuthentication
from bff.errors import ConfigError
from bff.model.access import Issuer, Provider
from bff.model.config import Config
from bff.model.problem import Problem
from bff.upstream.tls import own_context


def sign_in_problems(config: Config) -> Iterator[Problem]:
    """Ways in that lead nowhere, and keys and certificates of ours that nobody can use.

    It is no matter where another provider stands in for those that are declared.
    """
    for frontend in config.frontends.values():
        if "session" in frontend.access and not config.providers:
            message = f"nobody can sign in at `{frontend.name}`: `providers` declares none"
            hint = (
                "declare one; with `access: none` a view knows no session and no visitor, "
                "so that what it stores by `session.visitor` is lost"
            )
            yield Problem("sign-in-impossible", frontend.place, message, hint, warning=True)
    for provider in config.providers.values():
        yield from _credentials(provider)
    yield from _unusable_tls([*config.providers.values(), *config.issuers.values()])


def _credentials(provider: Provider) -> Iterator[Problem]:
    if provider.auth == "none":
        if provider.tls is None or not provider.tls.cert:
            message = f"anybody can be the client of `{provider.name}`: it has no secret of ours"
            hint = "`auth: none` is for a provider that knows our certificate: `tls: {cert: …}`"
            yield Problem("client-credentials", provider.place, message, hint, warning=True)
    elif provider.auth != "private_key_jwt" and not provider.client_secret:
        message = f"the `client_secret` of `{provider.name}` is empty: it will not know us"
        hint = "refer to it: `${SHOP_CLIENT_SECRET}`, or declare a `private_key`"
        yield Problem("client-credentials", provider.place, message, hint, warning=True)
    try:
        ClientAuthentication(provider, time)
    except ConfigError as error:
        yield from error.problems


def _unusable_tls(declared: Iterable[Provider | Issuer]) -> Iterator[Problem]:
    for each in declared:
        try:
            if each.tls:
                own_context(each.tls, each.name, each.place)
        except ConfigError as error:
            yield from error.problems
