"""What providers call their refusals, and what that comes to at a callback.

The codes of RFC 6749 (sections 4.1.2.1 and 5.2), OpenID Connect Core (3.1.2.6), RFC 8693, RFC 9126,
and those of a provider's own. Codes are logged; nothing else that a provider says is.
"""

import re
from typing import Any, Final

from bff.errors import SignInFailed

UNNAMED: Final = "an error without a usable code"
# Words with underscores between are codes; anything else may be a value that no log should have.
_CODE: Final = re.compile(r"(?=.{1,60}$)[a-z]{2,}(_[a-z]{2,}){1,5}")
_OF_THE_PERSON: Final = {
    "access_denied": "the sign-in was cancelled",
    "login_required": "nobody is signed in at the provider",
    "interaction_required": "the provider has a question first",
    "consent_required": "the provider asks for consent first",
}
_BUSY: Final = {"temporarily_unavailable", "server_error"}
OF_THE_SETUP: Final = {  # which no other try of the person changes
    "invalid_client",
    "invalid_request",
    "invalid_request_object",
    "invalid_request_uri",
    "invalid_scope",
    "invalid_target",
    "request_not_supported",
    "request_uri_not_supported",
    "registration_not_supported",
    "unauthorized_client",
    "unsupported_grant_type",
    "unsupported_response_mode",
    "unsupported_response_type",
}
_REFUSED: Final = "the provider has refused the sign-in"
NOT_SET_UP: Final = "sign-in is not set up as the identity provider wants it"


def error_code(given: Any) -> str:
    """A code as it may be logged; a word for what is none."""
    return given if isinstance(given, str) and _CODE.fullmatch(given) else UNNAMED


def callback_refusal(given: str, issuer: str) -> SignInFailed:
    """What the `error` comes to that a browser brings back from a provider."""
    code = error_code(given)
    why = f"{issuer} sent the browser back with {code}"
    if code in _OF_THE_PERSON:
        return SignInFailed(_OF_THE_PERSON[code], why)
    if code in _BUSY:
        return SignInFailed("the provider is busy: try again in a moment", why, 503)
    if code in OF_THE_SETUP:
        return SignInFailed(NOT_SET_UP, why, 502)
    return SignInFailed(_REFUSED, why)
