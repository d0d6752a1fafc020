"""Sign-out at the provider (OpenID Connect RP-Initiated Logout 1.0)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from bff.auth.oidc.address import with_query

# nginx and Kestrel, in front of or as providers, accept request lines of up to 8,192 bytes.
_MAX_URL: Final = 8000


@dataclass(frozen=True, slots=True)
class EndSession:
    """A request to a provider's end-session endpoint (section 2): GET, or POST if it is too long.

    Args:
        params: `id_token_hint` and others.
    """

    endpoint: str
    params: Mapping[str, str] = field(repr=False)

    @classmethod
    def of(
        cls, endpoint: str, client_id: str, id_token: str, return_to: str, state: str
    ) -> "EndSession":
        """A request of a client; empty parameters are left out."""
        params = {
            "id_token_hint": id_token,
            "client_id": client_id,
            "post_logout_redirect_uri": return_to,
            "state": state,
        }
        return cls(endpoint, {name: value for name, value in params.items() if value})

    @property
    def url(self) -> str:
        """The URL of the GET request; empty if it is longer than providers accept."""
        url = with_query(self.endpoint, self.params)
        return url if len(url) <= _MAX_URL else ""
