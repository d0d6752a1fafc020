"""The public keys of a provider: a JWK Set (RFC 7517), and the one key that a token wants."""

from collections.abc import Callable, Sequence
from typing import Any, Final

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, JWKRegistry, Key, OKPKey, RSAKey
from joserfc.jws import JWSRegistry
from joserfc.util import base64_to_int

from bff.auth.oidc.cached_document import Published
from bff.auth.oidc.http import Http, shown
from bff.auth.oidc.metadata import json_object
from bff.auth.renewal import Later
from bff.errors import ProviderMisconfigured

Keys = tuple[Key, ...]
_PUBLIC: Final = [kind.key_type for kind in (RSAKey, ECKey, OKPKey)]
_MOST: Final = 100
_LEAST: Final = 2048  # bits of an RSA key (NIST SP 800-131A)


def published_keys(
    http: Http, where: Callable[[], str], timeout: float, now: Callable[[], float], later: Later
) -> Published[Keys]:
    """The keys at an address, kept and fetched anew when it is time.

    Args:
        where: the address, as it is known when it is needed.
        timeout: seconds for a fetch.
    """

    def fetch() -> Keys:
        url = where()
        return read_keys(http.get(url, timeout=timeout), shown(url))

    return Published(fetch, now, later)


def read_keys(document: bytes, source: str) -> Keys:
    """The keys of a JWK Set that we can use; others are passed over (RFC 7517, section 5).

    Args:
        source: where the document is from, as errors name it.

    Raises:
        ProviderMisconfigured: it is no JWK Set.
    """
    listed = json_object(document, source).get("keys")
    if not isinstance(listed, list):
        raise ProviderMisconfigured(f"the answer of {source} is no JWK Set")
    return tuple(key for each in listed[:_MOST] if (key := _read(each)))


def fitting(keys: Keys, algorithm: str, kid: str | None) -> Sequence[Key]:
    """The keys that may have made a signature; without `kid` all that fit its algorithm."""
    named = [key for key in keys if kid is None or key.kid == kid]
    return [key for key in named if _fits(key, algorithm)]


def _read(listed: Any) -> Key | None:
    """A public key of a kind that we know: never a secret, which would verify anybody's HMAC."""
    if not isinstance(listed, dict) or listed.get("kty") not in _PUBLIC:
        return None
    try:
        if listed["kty"] == RSAKey.key_type and base64_to_int(listed["n"]).bit_length() < _LEAST:
            return None
        return JWKRegistry.import_key(listed)
    except (JoseError, ValueError, TypeError, LookupError):  # whatever is wrong with one key
        return None


def _fits(key: Key, algorithm: str) -> bool:
    try:
        JWSRegistry.algorithms[algorithm].check_key(key)
        key.check_key_op("verify")
    except JoseError:
        return False
    return True
