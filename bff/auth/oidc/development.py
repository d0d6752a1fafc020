"""Refuses, before anything is served, a provider that lets anybody in."""

from collections.abc import Iterable
from typing import Final

from bff.auth.oidc.http import Http
from bff.auth.oidc.metadata import discover
from bff.errors import ConfigError, ProviderAway
from bff.model.access import Issuer, Provider
from bff.model.problem import Problem

_TIMEOUT: Final = 2.0  # seconds: one on this machine answers at once, or is not there


def refuse_development(declared: Iterable[Provider | Issuer], timeout: float = _TIMEOUT) -> None:
    """Check that none of them is a local provider of ours, which is always plain http.

    One that is away may still be one: it is asked again before anybody signs in.

    Args:
        timeout: seconds for each.

    Raises:
        ConfigError: some are.
    """
    plain = [each for each in declared if each.issuer.startswith("http://")]
    development = {url: _is_development(url, timeout) for url in {each.issuer for each in plain}}
    problems = [
        Problem(
            "key-conflict",
            each.place,
            f"{each.issuer} is a provider for development, which lets anybody in",
            "`bff dev` serves with it; name the `issuer` that people really have an account at",
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
