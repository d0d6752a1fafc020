"""What a provider says of itself: OpenID Connect Discovery 1.0, RFC 8414; believed with care.

Authlib's validation of metadata is not used: it refuses providers over members that nobody here
reads, and an environment variable makes it take plain http.
"""

from collections.abc import Collection
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, Final

from bff.auth.http import Http
from bff.errors import ProviderAway
from bff.model.json_text import decode_json
from bff.model.untrusted import split_url

DEVELOPMENT: Final = "bff_development"  # the member of a local provider of ours
_PATH: Final = "/.well-known/openid-configuration"
_ENDPOINTS: Final = (
    "authorization_endpoint",
    "token_endpoint",
    "jwks_uri",
    "revocation_endpoint",
    "end_session_endpoint",
)


@dataclass(frozen=True, slots=True)
class Metadata:
    """The addresses of a provider; empty for what it does not have.

    Args:
        names_itself: whether its authorization responses have `iss` in them (RFC 9207).
        development: whether it is one of ours for development, which lets anybody in.
    """

    authorization_endpoint: str = ""
    token_endpoint: str = ""
    jwks_uri: str = ""
    revocation_endpoint: str = ""
    end_session_endpoint: str = ""
    names_itself: bool = False
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
        development: whether it may be one of ours for development.

    Raises:
        ProviderAway: there is none, or none that is to be believed.
    """
    if not is_safe(issuer, issuer):
        raise ProviderAway("the issuer is neither https nor on this machine")
    document = http.get(issuer.rstrip("/") + _PATH, timeout=timeout)
    metadata = read_metadata(document, issuer, needed)
    if metadata.development and not development:
        raise ProviderAway("the provider is one for development, which lets anybody in")
    return metadata


def read_metadata(document: bytes, issuer: str, needed: Collection[str]) -> Metadata:
    """The metadata that a document holds (OpenID Connect Discovery 1.0, section 4.3).

    Raises:
        ProviderAway: it is not this issuer's, or sends us where nobody should go.
    """
    content = json_object(document)
    if content.get("issuer") != issuer:
        raise ProviderAway("the provider's metadata is another issuer's")
    endpoints = {name: content.get(name) or "" for name in _ENDPOINTS}
    for name, url in endpoints.items():
        if url and not is_safe(url, issuer):
            raise ProviderAway(f"the provider's {name} is not safe to use")
        if not url and name in needed:
            raise ProviderAway(f"the provider has no {name}")
    names_itself = content.get("authorization_response_iss_parameter_supported") is True
    development = content.get(DEVELOPMENT) is True
    return Metadata(**endpoints, names_itself=names_itself, development=development)


def is_safe(url: Any, issuer: str) -> bool:
    """Whether an address may be used: https, or plain http on this machine where its issuer is."""
    if not isinstance(url, str) or not all("!" <= char <= "~" for char in url):
        return False
    parts = split_url(url)
    host = (parts and parts.hostname) or ""
    if not parts or not host or "@" in parts.netloc or "#" in url:
        return False
    if parts.scheme == "https":
        return True
    return parts.scheme == "http" and _is_loopback(host) and issuer.startswith("http://")


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def json_object(document: bytes) -> dict[str, Any]:
    """The JSON object that a reply of a provider is.

    Raises:
        ProviderAway: it is something else.
    """
    try:
        content = decode_json(document, halves=False)
    except ValueError:
        raise ProviderAway("the provider answered with something that is not JSON") from None
    if not isinstance(content, dict):
        raise ProviderAway("the provider answered with something that is not an object")
    return content
