"""What is asked of a provider's token endpoint, and how strictly its answers are read.

RFC 6749, sections 5.1 and 5.2. Nothing of what the provider says in words goes anywhere: an error
is the code that it gives (`bff.auth.oidc.error_codes`).
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from bff.auth.oidc.client import Client
from bff.auth.oidc.error_codes import error_code
from bff.auth.oidc.http import Http, is_temporary, shown
from bff.auth.oidc.login import Tokens
from bff.auth.oidc.metadata import json_object
from bff.errors import BffError, ProviderAway, ProviderMisconfigured
from bff.model.exchange import Reply
from bff.model.json_text import decode_json

_LASTS: Final = 300.0  # seconds that a token lasts whose answer does not say
_LONGEST: Final = 400 * 24 * 3600.0  # and at most
_OK, _CLIENT_ERROR, _SERVER_ERROR = 200, 400, 500
_SECONDS: Final = re.compile(r"[0-9]{1,12}(\.[0-9]{1,12})?")
# The subject token is not accepted (RFC 8693, section 2.2.2; Keycloak says `invalid_token`)
_OF_THE_SUBJECT: Final = {"invalid_grant", "invalid_request", "invalid_token"} | {
    "interaction_required",
    "login_required",
}
_TEMPORARY: Final = {"temporarily_unavailable", "server_error", "slow_down"}


class TokenRefused(BffError):
    """The provider answered as the standard says, and no.

    Args:
        url: of the endpoint.
        code: the error that it gave.
    """

    def __init__(self, url: str, code: str) -> None:
        super().__init__(f"{shown(url)} refused the grant: {code}")
        self.code = code

    @property
    def subject(self) -> bool:
        """Whether a token exchange was refused for the token that was to be exchanged."""
        return self.code in _OF_THE_SUBJECT


class TokenEndpoint:
    """Where a provider hands out tokens.

    Args:
        timeout: seconds for a request.
        now: seconds since 1970.
    """

    def __init__(
        self, http: Http, client: Client, timeout: float, now: Callable[[], float]
    ) -> None:
        self._http, self._client, self._timeout, self._now = http, client, timeout, now

    def ask(
        self,
        url: str,
        params: Mapping[str, str],
        meanwhile: Callable[[], None] | None = None,
    ) -> Tokens:
        """Ask for tokens; parameters that are empty are left out.

        Raises:
            TokenRefused: the provider gives none.
            ProviderAway: it gives no answer just now.
            ProviderMisconfigured: it answers otherwise than the standard says.
        """
        asked = self._now()  # a token's life begins no later than that we ask for it
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
        """Send a form with the proof of who we are.

        Raises:
            ProviderAway: there was no reply.
        """
        headers, proof = self._client.proof()
        form = {name: value for name, value in params.items() if value} | dict(proof)
        return self._http.post(url, form, headers, timeout=self._timeout, meanwhile=meanwhile)


def read_tokens(document: bytes, asked: float, source: str) -> Tokens:
    """The tokens of a successful answer (RFC 6749, section 5.1).

    Args:
        asked: when they were asked for, in seconds since 1970.
        source: what the answer is from, as an error names it.

    Raises:
        ProviderMisconfigured: it is not as the standard says.
    """
    content = json_object(document, source)
    if "error" in content:
        message = f"{source} answered 200 with the error {error_code(content['error'])}"
        raise ProviderMisconfigured(message)
    access = content.get("access_token")
    # it goes into a header: anything but visible ASCII could end that header
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
    """How long a token lasts: a number, or its text, which some providers write (Entra ID v1)."""
    if lasts is None:
        return _LASTS
    if isinstance(lasts, str) and _SECONDS.fullmatch(lasts):
        lasts = float(lasts)
    number = isinstance(lasts, int | float) and not isinstance(lasts, bool)
    if not number or lasts < 0:
        raise ProviderMisconfigured(f"the answer of {source} has an expires_in that is no time")
    return min(float(lasts), _LONGEST)


def _text(content: Mapping[str, Any], name: str, source: str) -> str:
    value = content.get(name)
    if value is not None and not isinstance(value, str):
        raise ProviderMisconfigured(f"the answer of {source} has a {name} that is no text")
    return value or ""


def _refusal(url: str, reply: Reply) -> BffError:
    """What an answer without tokens comes to."""
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
    return ProviderAway(f"{message}: {code}") if code in _TEMPORARY else TokenRefused(url, code)
