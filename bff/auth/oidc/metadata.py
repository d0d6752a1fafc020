"""Provider metadata (OpenID Connect Discovery 1.0, RFC 8414), validated strictly.

Authlib's validation is not used: it refuses providers for members that are not needed here, and an
environment variable makes it accept plain http.
"""

from collections.abc import Collection
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, Final

from bff.auth.oidc.http import Http, shown
from bff.errors import ProviderMisconfigured
from bff.model.json_text import decode_json
from bff.model.untrusted import split_url

DEVELOPMENT: Final = "bff_development"  # the member by which the local provider is recognized
_PATH: Final = "/.well-known/openid-configuration"
_MAX_SHOWN: Final = 200  # characters of another issuer's name in a log line
_ENDPOINTS: Final = (
    "authorization_endpoint",
    "token_endpoint",
    "jwks_uri",
    "revocation_endpoint",
    "end_session_endpoint",
)


@dataclass(frozen=True, slots=True)
class Metadata:
    """The endpoints of a provider; empty for those that it does not have.

    Args:
        sends_iss: whether its authorization responses have the parameter `iss` (RFC 9207).
        development: whether it is the local provider, which signs in users without a password.
    """

    authorization_endpoint: str = ""
    token_endpoint: str = ""
    jwks_uri: str = ""
    revocation_endpoint: str = ""
    end_session_endpoint: str = ""
    sends_iss: bool = False
    development: bool = False


def discover(
    http: Http,
    issuer: str,
    needed: Collection[str],
    timeout: float,
    *,
    development: bool = False,
) -> Metadata:
    """Fetch a provider's metadata.

    Args:
        needed: the endpoints that it must have.
        timeout: seconds.
        development: whether a provider for development is accepted.

    Raises:
        ProviderAway: it cannot be fetched now.
        ProviderMisconfigured: it is not valid or not safe.
    """
    if not is_safe(issuer, issuer):
        raise ProviderMisconfigured(f"the issuer {issuer} is neither https nor on this machine")
    url = issuer.rstrip("/") + _PATH
    metadata = read_metadata(http.get(url, timeout=timeout), issuer, needed, url)
    if metadata.development and not development:
        message = f"the provider at {issuer} is for development: it asks for no password"
        raise ProviderMisconfigured(message)
    return metadata


def read_metadata(document: bytes, issuer: str, needed: Collection[str], source: str) -> Metadata:
    """Parse and validate a metadata document (OpenID Connect Discovery 1.0, section 4.3).

    Args:
        source: the URL of the document, for error messages.

    Raises:
        ProviderMisconfigured: it is another issuer's, a needed endpoint is missing, or an endpoint
            is not safe.
    """
    content = json_object(document, source)
    if content.get("issuer") != issuer:
        found = _shown_issuer(content.get("issuer"))
        message = f"the metadata at {source} is of another issuer: {found}; declared is {issuer}"
        raise ProviderMisconfigured(message)
    endpoints = {name: content.get(name) or "" for name in _ENDPOINTS}
    for name, url in endpoints.items():
        if url and not is_safe(url, issuer):
            raise ProviderMisconfigured(f"in {source} the {name} is not safe to use")
        if not url and name in needed:
            raise ProviderMisconfigured(f"in {source} the {name} is missing")
    sends_iss = content.get("authorization_response_iss_parameter_supported") is True
    development = content.get(DEVELOPMENT) is True
    return Metadata(**endpoints, sends_iss=sends_iss, development=development)


def is_safe(url: Any, issuer: str) -> bool:
    """Whether an endpoint from metadata may be used.

    It has to be https, or plain http on loopback. Metadata that was fetched over TLS must not lead
    to plain http, not even on loopback.
    """
    if not may_be_declared(url):
        return False
    parts, own = split_url(url), split_url(issuer)
    return bool(parts and parts.scheme == "https") or bool(own and own.scheme == "http")


def may_be_declared(url: Any) -> bool:
    """Whether a URL of a provider may be declared: https, or plain http on loopback."""
    if not isinstance(url, str) or not all("!" <= char <= "~" for char in url):
        return False
    parts = split_url(url)
    host = (parts and parts.hostname) or ""
    if not parts or not host or "@" in parts.netloc or "#" in url:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(host))


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _shown_issuer(issuer: Any) -> str:
    """An issuer, safe to log: a URL without its query."""
    usable = isinstance(issuer, str) and len(issuer) <= _MAX_SHOWN and "@" not in issuer
    if usable and issuer and all("!" <= char <= "~" for char in issuer):
        return shown(issuer)
    return "(not a URL)"


def json_object(document: bytes, source: str) -> dict[str, Any]:
    """Parse the reply of a provider as a JSON object.

    Args:
        source: the URL of the reply, for error messages.

    Raises:
        ProviderMisconfigured: it is not a JSON object.
    """
    try:
        content = decode_json(document, halves=False)
    except ValueError:
        raise ProviderMisconfigured(f"the answer of {source} is not JSON") from None
    if not isinstance(content, dict):
        raise ProviderMisconfigured(f"the answer of {source} is not a JSON object")
    return content
