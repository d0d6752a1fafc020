"""Refuses at start a provider for development, which signs in any user without a password."""

from collections.abc import Iterable
from typing import Final

from bff.auth.oidc.http import Http
from bff.auth.oidc.metadata import discover
from bff.errors import ConfigError, ProviderAway
from bff.model.access import Issuer, Provider
from bff.model.problem import Problem

_TIMEOUT: Final = 2.0  # seconds; the provider would be on this machine


def refuse_development(declared: Iterable[Provider | Issuer], timeout: float = _TIMEOUT) -> None:
    """Check that none is the local provider of `bff dev`, which always uses plain http.

    A provider that cannot be reached is checked again when its metadata is fetched for a sign-in.

    Args:
        timeout: seconds for each.

    Raises:
        ConfigError: at least one is.
    """
    plain = [each for each in declared if each.issuer.startswith("http://")]
    development = {url: _is_development(url, timeout) for url in {each.issuer for each in plain}}
    problems = [
        Problem(
            "key-conflict",
            each.place,
            f"{each.issuer} is for development: it asks for no password",
            "use it with `bff dev`; in production declare the `issuer` where users have accounts",
        )
        for each in plain
        if development[each.issuer]
    ]
    if problems:
        raise ConfigError(problems)


def _is_development(issuer: str, timeout: float) -> bool:
    http = Http()
    try:
        return discover(http, issuer, (), timeout, development=True).development
    except ProviderAway:
        return False
    finally:
        http.close()
