"""URLs of a provider's endpoints, with query parameters."""

from collections.abc import Mapping
from urllib.parse import urlencode


def with_query(endpoint: str, params: Mapping[str, str]) -> str:
    """A URL with further query parameters; its own are retained (RFC 6749, section 3.1).

    Empty parameters are left out.
    """
    given = urlencode({name: value for name, value in params.items() if value})
    return f"{endpoint}{'&' if '?' in endpoint else '?'}{given}"
