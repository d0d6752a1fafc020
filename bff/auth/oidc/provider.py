"""An OpenID provider that people sign in with, and all that is ever asked of it.

Its answers are believed as far as signature, issuer and standards reach; its words go nowhere.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from authlib.oauth2.rfc7636 import create_s256_code_challenge

from bff.auth.oidc.address import with_query
from bff.auth.oidc.cached_document import Published
from bff.auth.oidc.client import Client
from bff.auth.oidc.end_session import EndSession
from bff.auth.oidc.error_codes import OF_THE_SETUP
from bff.auth.oidc.http import Http
from bff.auth.oidc.id_token import check_id_token, check_sign_in, signed_in
from bff.auth.oidc.jwt import BadToken, Jwt, StaleToken, UnknownKey, read, verify
from bff.auth.oidc.keys import published_keys
from bff.auth.oidc.login import Login, SignedIn, Tokens
from bff.auth.oidc.logout_token import MOST, LogoutToken, read_logout_token
from bff.auth.oidc.metadata import discover
from bff.auth.oidc.token_endpoint import TokenEndpoint, TokenRefused
from bff.auth.renewal import Later
from bff.errors import BffError, GrantEnded, ProviderAway, ProviderMisconfigured, SignInFailed
from bff.model.access import Provider
from bff.observe.log import logger

__all__ = ["Login", "LogoutToken", "OpenIdProvider", "SignedIn", "Tokens"]
_NEEDED: Final = ("authorization_endpoint", "token_endpoint", "jwks_uri")
_ACCESS_TOKEN: Final = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105  (a type)
_EXCHANGE: Final = "urn:ietf:params:oauth:grant-type:token-exchange"
_NOT_SET_UP: Final = 502
_OF_US: Final = {"invalid_client", "unauthorized_client", "unsupported_grant_type"}


class OpenIdProvider:
    """One provider, for all threads of a process; it is asked nothing before it is needed.

    Args:
        now: seconds since 1970.
        later: runs what no request waits for.
        development: whether it may be a local one that lets anybody in.

    Raises:
        ConfigError: the private key that we are to sign with is none.
    """

    def __init__(
        self,
        provider: Provider,
        http: Http,
        now: Callable[[], float],
        later: Later,
        *,
        development: bool = False,
    ) -> None:
        self.provider = provider
        self._now, timeout = now, provider.timeout
        self._metadata = Published(
            lambda: discover(http, provider.issuer, _NEEDED, timeout, development=development),
            now,
            later,
        )
        self._keys = published_keys(
            http, lambda: self._metadata.get().jwks_uri, timeout, now, later
        )
        self._tokens = TokenEndpoint(http, Client(provider, now), timeout, now)

    def prepare(self) -> None:
        """Have what its tokens are checked with, before anything that works once only is spent.

        Raises:
            ProviderAway: it cannot be had.
        """
        self._keys.get()

    def authorization_url(self, login: Login, prompt: str = "") -> str:
        """Where a browser goes to sign in (OpenID Connect Core, section 3.1.2.1; RFC 7636).

        Raises:
            ProviderAway: nobody knows where that is.
        """
        params = {
            **self.provider.params,  # first: none of them replaces one of ours
            "response_type": "code",
            "client_id": self.provider.client_id,
            "redirect_uri": login.redirect_uri,
            "scope": " ".join(self.provider.scopes),
            "state": login.state,
            "nonce": login.nonce,
            "code_challenge": create_s256_code_challenge(login.verifier),
            "code_challenge_method": "S256",
            "max_age": "" if login.max_age is None else str(login.max_age),
            "acr_values": login.acr_values,
            "prompt": prompt or self.provider.params.get("prompt", ""),
        }
        return with_query(self._metadata.get().authorization_endpoint, params)

    def check_issuer(self, iss: str | None) -> None:
        """Check who sent a browser back, with an error too (RFC 9207, section 2.4).

        Raises:
            SignInFailed: somebody else, or nobody says although this provider would.
            ProviderAway: nobody knows whether it would.
        """
        if iss is None and self._metadata.get().names_itself:
            message = "the answer does not say which provider it is from"
            raise SignInFailed(message, f"{message} (iss): {self.provider.issuer} would")
        if iss is not None and iss != self.provider.issuer:
            message = "the answer is from another provider"
            raise SignInFailed(message, f"{message} (iss) than {self.provider.issuer}")

    def redeem(self, code: str, iss: str | None, login: Login) -> SignedIn:
        """End a sign-in: tokens for its code, and who it is by the ID token.

        Args:
            iss: as it came with the code; None if it did not.
            login: the one whose `state` came with the code, in the browser that began it.

        Raises:
            SignInFailed: it does not hold.
            ProviderAway: the provider cannot be asked.
        """
        if login.provider != self.provider.name:
            raise SignInFailed("the sign-in was begun with another provider")
        if not code:
            raise SignInFailed("the answer has no code")
        self.check_issuer(iss)
        self.prepare()
        params = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": login.redirect_uri,
            "code_verifier": login.verifier,
        }
        try:
            tokens = self._ask(params)
            jwt = self._id_token(tokens)
            check_sign_in(jwt.claims, login, self._now(), self.provider.leeway)
        except TokenRefused as error:
            status = _NOT_SET_UP if error.code in OF_THE_SETUP else 400
            message = "the provider did not accept the sign-in"
            raise SignInFailed(message, error.detail, status) from None
        except BadToken as error:
            status = 400 if isinstance(error, StaleToken) else _NOT_SET_UP
            message = f"the provider's ID token does not count: {error}"
            raise SignInFailed(message, f"{message} ({self.provider.issuer})", status) from None
        return signed_in(jwt, tokens, self.provider)

    def refresh(self, tokens: Tokens, meanwhile: Callable[[], None] | None = None) -> Tokens:
        """Fresh tokens (RFC 6749, section 6; OpenID Connect Core, section 12).

        Args:
            tokens: those that there are; what does not come anew is kept.
            meanwhile: is called about once a second while the provider thinks.

        Raises:
            GrantEnded: the provider takes the refresh token no more, or vouches for somebody else.
            ProviderAway: it cannot be asked; the tokens are what they were.
        """
        self.prepare()
        params = {"grant_type": "refresh_token", "refresh_token": tokens.refresh}
        try:
            fresh = self._ask(params, meanwhile)
        except TokenRefused as error:
            ended = error.code == "invalid_grant"
            raise (GrantEnded if ended else ProviderMisconfigured)(str(error)) from None
        if fresh.id_token:
            fresh = self._vouched(fresh, tokens.subject)
        return replace(
            fresh,
            refresh=fresh.refresh or tokens.refresh,
            id_token=fresh.id_token or tokens.id_token,
            scope=fresh.scope or tokens.scope,
            subject=tokens.subject,
        )

    def revoke(self, token: str) -> None:
        """Have the provider forget a token (RFC 7009), as well as may be: nothing depends on it."""
        try:
            endpoint = self._metadata.get().revocation_endpoint
            if endpoint and token:
                self._tokens.post(endpoint, {"token": token})
        except BffError as error:  # it ends by itself some time
            logger.warning("a token was not revoked", extra={"detail": error.detail})

    def exchange(
        self,
        access: str,
        audience: str,
        scope: str,
        meanwhile: Callable[[], None] | None = None,
    ) -> Tokens:
        """A token for one audience, made of a person's access token (RFC 8693).

        Raises:
            TokenRefused: the provider makes none: of this token, or at all.
            ProviderAway: it cannot be asked; ProviderMisconfigured where it does not know us.
        """
        params = {
            "grant_type": _EXCHANGE,
            "subject_token": access,
            "subject_token_type": _ACCESS_TOKEN,
            "requested_token_type": _ACCESS_TOKEN,
            "audience": audience,
            "scope": scope,
        }
        try:
            tokens = self._ask(params, meanwhile)
        except TokenRefused as error:
            if error.code in _OF_US:
                raise ProviderMisconfigured(str(error)) from None
            raise
        return replace(tokens, scope=tokens.scope or scope)

    def client_credentials(
        self, audience: str, scope: str, meanwhile: Callable[[], None] | None = None
    ) -> Tokens:
        """A token of our own (RFC 6749, section 4.4).

        Raises:
            ProviderAway: it cannot be had just now; ProviderMisconfigured where it is refused.
        """
        params = {"grant_type": "client_credentials", "audience": audience, "scope": scope}
        try:
            tokens = self._ask(params, meanwhile)
        except TokenRefused as error:
            raise ProviderMisconfigured(str(error)) from None
        return replace(tokens, scope=tokens.scope or scope)

    def end_session(self, id_token: str, return_to: str, state: str) -> EndSession | None:
        """How a browser signs out there too (OpenID Connect RP-Initiated Logout 1.0).

        Args:
            id_token: of the session; where it is empty, the provider asks the person.

        Returns:
            The request; None where the provider has no place for it, or cannot say.
        """
        try:
            endpoint = self._metadata.get().end_session_endpoint
        except ProviderAway:
            return None  # signing out here does not wait for it
        params = {
            "id_token_hint": id_token,
            "client_id": self.provider.client_id,
            "post_logout_redirect_uri": return_to,
            "state": state,
        }
        given = {name: value for name, value in params.items() if value}
        return EndSession(endpoint, given) if endpoint else None

    def logout_token(self, token: str) -> LogoutToken:
        """What a logout token asks for (OpenID Connect Back-Channel Logout 1.0, section 2.6).

        Its `jti` must still be seen for the first time.

        Raises:
            SignInFailed: it does not count.
            ProviderAway: its signature cannot be checked.
        """
        try:
            jwt = read(token, MOST)
            verify(jwt, self._keys, self.provider.algorithms)
            return read_logout_token(jwt, self.provider, self._now())
        except BadToken as error:
            raise SignInFailed(f"the logout token does not count: {error}") from None

    def _ask(self, params: dict[str, str], meanwhile: Callable[[], None] | None = None) -> Tokens:
        return self._tokens.ask(self._metadata.get().token_endpoint, params, meanwhile)

    def _id_token(self, tokens: Tokens) -> Jwt:
        if not tokens.id_token:
            raise BadToken("there is none")
        jwt = read(tokens.id_token)
        verify(jwt, self._keys, self.provider.algorithms, for_anybody=False)
        check_id_token(jwt, self.provider, tokens.access, self._now())
        return jwt

    def _vouched(self, fresh: Tokens, subject: str) -> Tokens:
        """Fresh tokens, checked by their ID token; without that where its key cannot be had.

        The refresh token that came with it is the only one by now, so to fail would end the
        session. It came from the provider itself over TLS (OpenID Connect Core, section 3.1.3.7).

        Raises:
            GrantEnded: it does not count, or is another person's.
        """
        try:
            claims = self._id_token(fresh).claims
        except (ProviderAway, UnknownKey) as error:
            logger.warning("a fresh ID token was not kept", extra={"detail": error.detail})
            claims, fresh = read(fresh.id_token).claims, replace(fresh, id_token="")
        except BadToken as error:
            raise GrantEnded(f"the fresh ID token does not count: {error}") from None
        if claims.get("sub") != subject:
            raise GrantEnded("the fresh ID token is another person's")
        return fresh
