"""The secrets that a configuration declares, which no recording may contain."""

import re
from base64 import b64decode
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote, urlsplit

from bff.dev.redaction.secret_names import is_secret, word_set
from bff.model.config import Config
from bff.model.source import Reference

_LEAST: Final = 8  # characters of an environment variable that is secret by its name
_SHORTEST: Final = 4  # of any other reference
# Keys whose values are not secrets: URLs, files, names, numbers.
_STRUCTURE: Final = word_set(
    "url hosts origins issuer jwks audience client_id ca cert store name scope scopes provider"
    " version under languages timeout"
)
_PLAIN: Final = re.compile(
    r"[\d.]+\w{0,2}(?:/\w+)?|true|false|[a-z]{1,7}|[A-Za-z][A-Za-z0-9+.-]*://[^@?]*", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class DeclaredSecrets:
    """The secrets of a configuration.

    Args:
        values: texts that must not be written anywhere.
        headers: names, in lower case, of headers that hold credentials.
    """

    values: tuple[str, ...] = ()
    headers: frozenset[str] = frozenset()


NOTHING: Final = DeclaredSecrets()


def declared_secrets(config: Config, environ: Mapping[str, str]) -> DeclaredSecrets:
    """The secrets of a configuration, and environment variables that are secret by their name.

    The latter may have been read by views in Python.
    """
    bearings = [each.credentials for each in config.relays if each.credentials]
    pairs = [
        *(pair for each in config.services.values() for pair in each.secret),
        *(pair for each in bearings for pair in each.secret),
    ]
    values = [*_referred(config.referred), *_providers(config), *config.session.secrets]
    values += [each for _, value in pairs for each in _in_header(value)]
    addresses = [url for each in config.services.values() for url in each.urls]
    values += filter(None, map(_password, [*addresses, config.session.store, config.cache.url]))
    values += [value for name, value in environ.items() if len(value) >= _LEAST and is_secret(name)]
    found = dict.fromkeys(filter(None, values))
    return DeclaredSecrets(tuple(found), frozenset(name.lower() for name, _ in pairs))


def _referred(references: Iterable[Reference]) -> Iterator[str]:
    for each in references:
        structure = bool(_STRUCTURE.intersection(each.keys[-1:]))
        if len(each.value) < _SHORTEST or (structure and not is_secret(each.name)):
            continue
        certain = each.name.startswith("file:") or is_secret(each.name)
        if certain or not _PLAIN.fullmatch(each.value):
            yield each.value


def _providers(config: Config) -> Iterator[str]:
    for each in config.providers.values():
        yield each.client_secret
        yield each.private_key


def _in_header(value: str) -> Iterator[str]:
    """The value, and secrets within it: the password of Basic credentials (RFC 7617)."""
    yield value
    scheme, _, credentials = value.partition(" ")
    if scheme.lower() != "basic":
        return
    yield credentials
    try:
        plain = b64decode(credentials, validate=True).decode()
    except ValueError:
        return
    yield plain
    yield plain.partition(":")[2]


def _password(address: str) -> str:
    try:
        return unquote(urlsplit(address).password or "")
    except ValueError:
        return ""
