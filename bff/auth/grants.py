"""What is asked of a provider's token endpoint, and how strictly its answers are read.

RFC 6749, sections 5.1 and 5.2. Nothing of what the provider says in words goes anywhere: an error
is one of the codes of the standards, or none.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from bff.auth.client import Client
from bff.auth.http import Http
from bff.auth.login import Tokens
from bff.auth.metadata import json_object
from bff.errors import BffError, ProviderAway
from bff.model.exchange import Reply
from bff.model.json_text import decode_json

_LASTS: Final = 300.0  # seconds that a token is taken to last if nobody says
_LONGEST: Final = 366 * 24 * 3600.0  # seconds; more is taken for this
_OK, _CLIENT_ERROR, _SERVER_ERROR = 200, 400, 500
_LATER: Final = {408, 429}  # statuses that say nothing of the request itself
_CODES: Final = {
    "invalid_request",
    "invalid_client",
    "invalid_grant",
    "unauthorized_client",
    "unsupported_grant_type",
    "invalid_scope",
    "invalid_target",  # RFC 8693, section 2.2.2
}
# What an exchange may answer whose subject token does not do (RFC 8693, section 2.2.2)
NOT_EXCHANGED: Final = {"invalid_grant", "invalid_request", "invalid_target", "invalid_scope"}


class Refused(BffError):
    """The provider answered as the standard says, and no.

    Args:
        code: which of the standards' errors it was; empty for any other.
    """

    def __init__(self, code: str) -> None:
        super().__init__(f"the provider refused the grant: {code or 'for a reason of its own'}")
        self.code = code


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
            Refused: the provider gives none.
            ProviderAway: it gives no answer, or none as the standard says.
        """
        asked = self._now()  # a token's life begins no later than that we ask for it
        reply = self.post(url, params, meanwhile)
        if reply.status == _OK:
            return read_tokens(reply.body, asked)
        raise _refusal(reply)

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


def read_tokens(document: bytes, asked: float) -> Tokens:
    """The tokens of a successful answer (RFC 6749, section 5.1).

    Args:
        asked: when they were asked for, in seconds since 1970.

    Raises:
        ProviderAway: it is not as the standard says.
    """
    content = json_object(document)
    access = content.get("access_token")
    # it goes into a header: anything but visible ASCII could end that header
    if not isinstance(access, str) or not access or not all("!" <= char <= "~" for char in access):
        raise ProviderAway("the provider's answer has no usable access token")
    if str(content.get("token_type")).lower() != "bearer":
        raise ProviderAway("the provider's token is of a type that we cannot use")
    return Tokens(
        access=access,
        expires=asked + _seconds(content.get("expires_in", _LASTS)),
        refresh=_text(content, "refresh_token"),
        id_token=_text(content, "id_token"),
        scope=_text(content, "scope"),
    )


def _seconds(lasts: Any) -> float:
    number = isinstance(lasts, int | float) and not isinstance(lasts, bool)
    if not number or lasts < 0:
        raise ProviderAway("the provider's answer has an expires_in that is no time")
    return float(min(lasts, _LONGEST))


def _text(content: Mapping[str, Any], name: str) -> str:
    value = content.get(name)
    if value is not None and not isinstance(value, str):
        raise ProviderAway(f"the provider's answer has a {name} that is no text")
    return value or ""


def _refusal(reply: Reply) -> BffError:
    """What an answer without tokens comes to."""
    away = ProviderAway(f"the provider's token endpoint answered {reply.status}")
    if not _CLIENT_ERROR <= reply.status < _SERVER_ERROR or reply.status in _LATER:
        return away
    try:
        content = decode_json(reply.body, halves=False)
    except ValueError:
        return away
    code = content.get("error") if isinstance(content, dict) else None
    if not isinstance(code, str):
        return away
    return Refused(code if code in _CODES else "")
