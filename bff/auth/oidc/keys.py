"""The public keys of a provider: a JWK Set (RFC 7517), and the keys that match a token."""

from collections.abc import Callable, Sequence
from typing import Any, Final

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, JWKRegistry, Key, OKPKey, RSAKey
from joserfc.jws import JWSRegistry
from joserfc.util import base64_to_int

from bff.auth.oidc.cached_document import CachedDocument
from bff.auth.oidc.http import Http, shown
from bff.auth.oidc.metadata import json_object
from bff.auth.renewal import RunInBackground
from bff.errors import ProviderMisconfigured

Keys = tuple[Key, ...]
_PUBLIC: Final = [kind.key_type for kind in (RSAKey, ECKey, OKPKey)]
_MAX_KEYS: Final = 100
_MIN_RSA_BITS: Final = 2048  # NIST SP 800-131A


def cached_keys(
    http: Http,
    where: Callable[[], str],
    timeout: float,
    now: Callable[[], float],
    later: RunInBackground,
) -> CachedDocument[Keys]:
    """The keys of a JWK Set, cached and refreshed; see `CachedDocument`.

    Args:
        where: returns the URL of the set when it is needed.
        timeout: seconds for one request.
    """

    def fetch() -> Keys:
        url = where()
        return read_keys(http.get(url, timeout=timeout), shown(url))

    return CachedDocument(fetch, now, later)


def read_keys(document: bytes, source: str) -> Keys:
    """The supported keys of a JWK Set; others are ignored (RFC 7517, section 5).

    Args:
        source: the URL of the document, for error messages.

    Raises:
        ProviderMisconfigured: it is not a JWK Set.
    """
    listed = json_object(document, source).get("keys")
    if not isinstance(listed, list):
        raise ProviderMisconfigured(f"the answer of {source} is not a JWK Set")
    return tuple(key for each in listed[:_MAX_KEYS] if (key := _read(each)))


def fitting(keys: Keys, algorithm: str, kid: str | None) -> Sequence[Key]:
    """The keys that match an algorithm and a `kid`; without `kid`, all that match the algorithm."""
    named = [key for key in keys if kid is None or key.kid == kid]
    return [key for key in named if _fits(key, algorithm)]


def _read(listed: Any) -> Key | None:
    """A public key of a supported type; symmetric keys (`oct`) are never accepted."""
    if not isinstance(listed, dict) or listed.get("kty") not in _PUBLIC:
        return None
    try:
        if (
            listed["kty"] == RSAKey.key_type
            and base64_to_int(listed["n"]).bit_length() < _MIN_RSA_BITS
        ):
            return None
        return JWKRegistry.import_key(listed)
    except (JoseError, ValueError, TypeError, LookupError):  # a malformed key is ignored
        return None


def _fits(key: Key, algorithm: str) -> bool:
    try:
        JWSRegistry.algorithms[algorithm].check_key(key)
        key.check_key_op("verify")
    except JoseError:
        return False
    return True
