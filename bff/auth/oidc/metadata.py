"""What a provider says of itself: OpenID Connect Discovery 1.0, RFC 8414; believed with care.

Authlib's validation of metadata is not used: it refuses providers over members that nobody here
reads, and an environment variable makes it take plain http.
"""

from collections.abc import Collection
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, Final

from bff.auth.oidc.http import Http, shown
from bff.errors import ProviderMisconfigured
from bff.model.json_text import decode_json
from bff.model.untrusted import split_url

DEVELOPMENT: Final = "bff_development"  # the member of a local provider of ours
_PATH: Final = "/.well-known/openid-configuration"
_LONG: Final = 200  # characters of another issuer's name that are worth a line
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
        ProviderAway: there is none just now.
        ProviderMisconfigured: there is none that is to be believed.
    """
    if not is_safe(issuer, issuer):
        raise ProviderMisconfigured(f"the issuer {issuer} is neither https nor on this machine")
    url = issuer.rstrip("/") + _PATH
    metadata = read_metadata(http.get(url, timeout=timeout), issuer, needed, url)
    if metadata.development and not development:
        message = f"the provider at {issuer} is one for development, which lets anybody in"
        raise ProviderMisconfigured(message)
    return metadata


def read_metadata(document: bytes, issuer: str, needed: Collection[str], source: str) -> Metadata:
    """The metadata that a document holds (OpenID Connect Discovery 1.0, section 4.3).

    Args:
        source: where the document is from, as errors name it.

    Raises:
        ProviderMisconfigured: it is not this issuer's, or sends us where nobody should go.
    """
    content = json_object(document, source)
    if content.get("issuer") != issuer:
        whose = _named(content.get("issuer"))
        message = f"the metadata at {source} is another issuer's: {whose}, declared is {issuer}"
        raise ProviderMisconfigured(message)
    endpoints = {name: content.get(name) or "" for name in _ENDPOINTS}
    for name, url in endpoints.items():
        if url and not is_safe(url, issuer):
            raise ProviderMisconfigured(f"in {source} the {name} is not safe to use")
        if not url and name in needed:
            raise ProviderMisconfigured(f"in {source} there is no {name}")
    names_itself = content.get("authorization_response_iss_parameter_supported") is True
    development = content.get(DEVELOPMENT) is True
    return Metadata(**endpoints, names_itself=names_itself, development=development)


def is_safe(url: Any, issuer: str) -> bool:
    """Whether an address of metadata may be used: one that may be declared, and leads elsewhere.

    Metadata that came over TLS does not lead to plain http, not even on this machine.
    """
    if not may_be_declared(url):
        return False
    parts, own = split_url(url), split_url(issuer)
    return bool(parts and parts.scheme == "https") or bool(own and own.scheme == "http")


def may_be_declared(url: Any) -> bool:
    """Whether an address of a provider is https, or plain http on this machine."""
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


def _named(issuer: Any) -> str:
    """An issuer as the log may have it: an address without its query."""
    usable = isinstance(issuer, str) and len(issuer) <= _LONG and "@" not in issuer
    if usable and issuer and all("!" <= char <= "~" for char in issuer):
        return shown(issuer)
    return "one without a usable name"


def json_object(document: bytes, source: str) -> dict[str, Any]:
    """The JSON object that a reply of a provider is.

    Args:
        source: where the reply is from, as errors name it.

    Raises:
        ProviderMisconfigured: it is something else.
    """
    try:
        content = decode_json(document, halves=False)
    except ValueError:
        raise ProviderMisconfigured(f"the answer of {source} is not JSON") from None
    if not isinstance(content, dict):
        raise ProviderMisconfigured(f"the answer of {source} is not a JSON object")
    return content
