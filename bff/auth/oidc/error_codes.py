"""Error codes of providers, and the response to an `error` at the callback.

The codes of RFC 6749 (sections 4.1.2.1 and 5.2), OpenID Connect Core (section 3.1.2.6), RFC 8693,
RFC 9126, and providers' own. Codes are logged; a provider's `error_description` is not.
"""

import re
from typing import Any, Final

from bff.errors import SignInFailed

UNNAMED: Final = "an error without a usable code"
# Lower-case words joined by underscores are codes; any other text may contain personal data.
_CODE: Final = re.compile(r"(?=.{1,60}$)[a-z]{2,}(_[a-z]{2,}){1,5}")
_USER_ERRORS: Final = {
    "access_denied": "the sign-in was cancelled",
    "login_required": "the user is not signed in at the provider",
    "interaction_required": "the provider requires interaction with the user",
    "consent_required": "the provider requires the user's consent",
}
_BUSY: Final = {"temporarily_unavailable", "server_error"}
SETUP_ERRORS: Final = {  # of the configuration: trying again does not help
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
NOT_SET_UP: Final = "sign-in is not set up correctly for the identity provider"


def error_code(given: Any) -> str:
    """An error code, safe to log; a fixed text for anything that is not a code."""
    return given if isinstance(given, str) and _CODE.fullmatch(given) else UNNAMED


def callback_refusal(given: str, issuer: str) -> SignInFailed:
    """The exception for the `error` parameter of an authorization response."""
    code = error_code(given)
    why = f"{issuer} sent the browser back with {code}"
    if code in _USER_ERRORS:
        return SignInFailed(_USER_ERRORS[code], why)
    if code in _BUSY:
        return SignInFailed("the provider is busy: try again in a moment", why, 503)
    if code in SETUP_ERRORS:
        return SignInFailed(NOT_SET_UP, why, 502)
    return SignInFailed(_REFUSED, why)
