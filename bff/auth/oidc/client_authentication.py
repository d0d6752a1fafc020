"""Client authentication at the token endpoint: by a secret or a signed assertion.

RFC 6749, section 2.3.1 (`client_secret_basic`, `client_secret_post`); RFC 7523, section 2.2
(`private_key_jwt`).
"""

from base64 import b64encode
from collections.abc import Callable, Mapping
from secrets import token_urlsafe
from typing import Final
from urllib.parse import quote_plus

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey

from bff.auth.oidc.jwt import AllowList
from bff.errors import ConfigError
from bff.model.access import Provider
from bff.model.exchange import Headers
from bff.model.problem import Problem

_LIFETIME: Final = 60  # seconds that an assertion is valid
_ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_CURVES: Final = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}
_MIN_RSA_BITS: Final = 2048


class ClientAuthentication:
    """The credentials of this client at one provider.

    Args:
        now: seconds since 1970.

    Raises:
        ConfigError: the private key cannot be used for signing.
    """

    def __init__(self, provider: Provider, now: Callable[[], float]) -> None:
        self._provider, self._now = provider, now
        self._key = _signing_key(provider) if provider.auth == "private_key_jwt" else None

    def credentials(self) -> tuple[Headers, Mapping[str, str]]:
        """The headers and form parameters that authenticate a request."""
        provider = self._provider
        if provider.auth == "client_secret_basic":
            # both parts are form-urlencoded before they are joined (RFC 6749, section 2.3.1)
            pair = f"{quote_plus(provider.client_id)}:{quote_plus(provider.client_secret)}"
            return (("authorization", f"Basic {b64encode(pair.encode()).decode()}"),), {}
        params = {"client_id": provider.client_id}
        if provider.auth == "client_secret_post":
            params["client_secret"] = provider.client_secret
        elif self._key:
            params["client_assertion_type"] = _ASSERTION_TYPE
            params["client_assertion"] = self._assertion(*self._key)
        return (), params

    def _assertion(self, key: Key, algorithm: str) -> str:
        """A signed client assertion for one request (RFC 7523, section 3).

        Its audience is the issuer only, and never the token endpoint: the endpoint's address comes
        from metadata, and a malicious provider could name the endpoint of another one there and
        have the assertion accepted by that one (audience injection).
        """
        now, provider = int(self._now()), self._provider
        claims = {
            "iss": provider.client_id,
            "sub": provider.client_id,
            "aud": provider.issuer,
            "jti": token_urlsafe(),
            "iat": now,
            "exp": now + _LIFETIME,
        }
        header = {"alg": algorithm} | ({"kid": provider.key_id} if provider.key_id else {})
        return jwt.encode(header, claims, key, registry=AllowList([algorithm]))


def _signing_key(provider: Provider) -> tuple[Key, str]:
    """The signing key and its algorithm (RFC 7518, section 3.1; RFC 8037)."""
    try:
        raw = load_pem_private_key(provider.private_key.encode(), password=None)
        if isinstance(raw, RSAPrivateKey) and raw.key_size >= _MIN_RSA_BITS:
            return RSAKey.import_key(raw), "RS256"
        if isinstance(raw, EllipticCurvePrivateKey) and raw.curve.name in _CURVES:
            return ECKey.import_key(raw), _CURVES[raw.curve.name]
        if isinstance(raw, Ed25519PrivateKey):
            return OKPKey.import_key(raw), "EdDSA"
    except (ValueError, TypeError, UnsupportedAlgorithm, JoseError):
        pass  # the message might quote the key
    message = f"the private key of `{provider.name}` cannot be used"
    hint = "PEM without a password: RSA of 2048 bits or more, P-256, P-384, P-521 or Ed25519"
    raise ConfigError([Problem("client-credentials", provider.place, message, hint)])
