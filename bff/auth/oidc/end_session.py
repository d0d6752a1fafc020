"""Where a browser ends its session at the provider (OpenID Connect RP-Initiated Logout 1.0)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from bff.auth.oidc.address import with_query

# Request lines of 8,192 bytes are what nginx and Kestrel read, before or as a provider.
_LONGEST: Final = 8000


@dataclass(frozen=True, slots=True)
class EndSession:
    """A request to a provider's end-session endpoint (section 2): by GET, or by POST if it is long.

    Args:
        params: `id_token_hint` and others.
    """

    endpoint: str
    params: Mapping[str, str] = field(repr=False)

    @property
    def url(self) -> str:
        """The address of the GET; empty where providers may find it too long."""
        url = with_query(self.endpoint, self.params)
        return url if len(url) <= _LONGEST else ""
