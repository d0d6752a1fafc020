"""Requests to a provider's token endpoint, and validation of its responses.

RFC 6749, sections 5.1 and 5.2. Of an error response only the code is used
(`bff.auth.oidc.error_codes`), never `error_description`, which may contain personal data.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from bff.auth.oidc.client_authentication import ClientAuthentication
from bff.auth.oidc.error_codes import error_code
from bff.auth.oidc.http import Http, is_temporary, shown
from bff.auth.oidc.login import Tokens
from bff.auth.oidc.metadata import json_object
from bff.errors import BffError, ProviderAway, ProviderMisconfigured
from bff.model.exchange import Reply
from bff.model.json_text import decode_json

_DEFAULT_LIFETIME: Final = 300.0  # seconds, of a token without `expires_in`
_MAX_LIFETIME: Final = 400 * 24 * 3600.0  # seconds
_OK, _CLIENT_ERROR, _SERVER_ERROR = 200, 400, 500
_SECONDS: Final = re.compile(r"[0-9]{1,12}(\.[0-9]{1,12})?")
# The subject token is not accepted (RFC 8693, section 2.2.2; Keycloak: `invalid_token`)
_SUBJECT_ERRORS: Final = {"invalid_grant", "invalid_request", "invalid_token"} | {
    "interaction_required",
    "login_required",
}
_TEMPORARY: Final = {"temporarily_unavailable", "server_error", "slow_down"}


class GrantRefused(BffError):
    """A valid error response of the token endpoint (RFC 6749, section 5.2).

    Args:
        url: of the endpoint.
        code: the `error`.
    """

    def __init__(self, url: str, code: str) -> None:
        super().__init__(f"{shown(url)} refused the grant: {code}")
        self.code = code

    @property
    def subject(self) -> bool:
        """Whether a token exchange was refused because of its subject token."""
        return self.code in _SUBJECT_ERRORS


class TokenEndpoint:
    """The client of a token endpoint.

    Args:
        timeout: seconds for a request.
        now: seconds since 1970.
    """

    def __init__(
        self, http: Http, client: ClientAuthentication, timeout: float, now: Callable[[], float]
    ) -> None:
        self._http, self._client, self._timeout, self._now = http, client, timeout, now

    def ask(
        self,
        url: str,
        params: Mapping[str, str],
        meanwhile: Callable[[], None] | None = None,
    ) -> Tokens:
        """Request tokens; empty parameters are left out.

        Raises:
            GrantRefused: the provider refuses the grant.
            ProviderAway: there is no reply, or a temporary error.
            ProviderMisconfigured: the response violates the standard.
        """
        asked = self._now()  # `expires_in` counts from the response, so this errs on the safe side
        reply = self.post(url, params, meanwhile)
        if reply.status == _OK:
            return read_tokens(reply.body, asked, shown(url))
        raise _refusal(url, reply)

    def post(
        self,
        url: str,
        params: Mapping[str, str],
        meanwhile: Callable[[], None] | None = None,
    ) -> Reply:
        """Send a form with the credentials of this client.

        Raises:
            ProviderAway: there was no reply.
        """
        headers, credentials = self._client.credentials()
        form = {name: value for name, value in params.items() if value} | dict(credentials)
        return self._http.post(url, form, headers, timeout=self._timeout, meanwhile=meanwhile)


def read_tokens(document: bytes, asked: float, source: str) -> Tokens:
    """The tokens of a successful response (RFC 6749, section 5.1).

    Args:
        asked: when they were requested, in seconds since 1970.
        source: the URL of the endpoint, for error messages.

    Raises:
        ProviderMisconfigured: the response violates the standard.
    """
    content = json_object(document, source)
    if "error" in content:
        message = f"{source} answered 200 with the error {error_code(content['error'])}"
        raise ProviderMisconfigured(message)
    access = content.get("access_token")
    # It is sent in a header: other than visible ASCII would allow header injection
    if not isinstance(access, str) or not access or not all("!" <= char <= "~" for char in access):
        raise ProviderMisconfigured(f"the answer of {source} has no usable access_token")
    if str(content.get("token_type")).lower() != "bearer":
        raise ProviderMisconfigured(f"the answer of {source} has a token_type other than Bearer")
    return Tokens(
        access=access,
        expires=asked + _seconds(content.get("expires_in"), source),
        refresh=_text(content, "refresh_token", source),
        id_token=_text(content, "id_token", source),
        scope=_text(content, "scope", source),
    )


def _seconds(lasts: Any, source: str) -> float:
    """The lifetime of a token in seconds: a number, or a string of one (Entra ID v1)."""
    if lasts is None:
        return _DEFAULT_LIFETIME
    if isinstance(lasts, str) and _SECONDS.fullmatch(lasts):
        lasts = float(lasts)
    number = isinstance(lasts, int | float) and not isinstance(lasts, bool)
    if not number or lasts < 0:
        raise ProviderMisconfigured(
            f"the answer of {source} has an expires_in that is not a number"
        )
    return min(float(lasts), _MAX_LIFETIME)


def _text(content: Mapping[str, Any], name: str, source: str) -> str:
    value = content.get(name)
    if value is not None and not isinstance(value, str):
        raise ProviderMisconfigured(f"the answer of {source} has a {name} that is not a string")
    return value or ""


def _refusal(url: str, reply: Reply) -> BffError:
    """The exception for a response without tokens."""
    message = f"{shown(url)} answered {reply.status}"
    if is_temporary(reply.status):
        return ProviderAway(message)
    wrong = ProviderMisconfigured(message)
    if not _CLIENT_ERROR <= reply.status < _SERVER_ERROR:
        return wrong
    try:
        content = decode_json(reply.body, halves=False)
    except ValueError:
        return wrong
    code = content.get("error") if isinstance(content, dict) else None
    if not isinstance(code, str):
        return wrong
    code = error_code(code)
    return ProviderAway(f"{message}: {code}") if code in _TEMPORARY else GrantRefused(url, code)
