"""Addresses at a provider, with the parameters that a browser takes there."""

from collections.abc import Mapping
from urllib.parse import urlencode


def with_query(endpoint: str, params: Mapping[str, str]) -> str:
    """An address with parameters besides those it may have already (RFC 6749, section 3.1).

    Parameters that are empty are left out.
    """
    given = urlencode({name: value for name, value in params.items() if value})
    return f"{endpoint}{'&' if '?' in endpoint else '?'}{given}"
