"""The client of one OpenID provider: sign-in, refresh, revocation, token exchange, sign-out.

Responses are validated by signature, issuer and the standards; texts of the provider are neither
shown nor logged.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from authlib.oauth2.rfc7636 import create_s256_code_challenge

from bff.auth.oidc.address import with_query
from bff.auth.oidc.cached_document import CachedDocument
from bff.auth.oidc.client_authentication import ClientAuthentication
from bff.auth.oidc.end_session import EndSession
from bff.auth.oidc.error_codes import SETUP_ERRORS
from bff.auth.oidc.http import Http
from bff.auth.oidc.id_token import check_id_token, check_sign_in, signed_in
from bff.auth.oidc.jwt import BadToken, Jwt, StaleToken, UnknownKey, read, verify
from bff.auth.oidc.keys import cached_keys
from bff.auth.oidc.login import Login, SignedIn, Tokens
from bff.auth.oidc.logout_token import MAX_LENGTH, LogoutToken, read_logout_token
from bff.auth.oidc.metadata import discover
from bff.auth.oidc.token_endpoint import GrantRefused, TokenEndpoint
from bff.auth.renewal import RunInBackground
from bff.errors import BffError, GrantEnded, ProviderAway, ProviderMisconfigured, SignInFailed
from bff.model.access import Provider
from bff.observe.log import logger

__all__ = ["Login", "LogoutToken", "OpenIdProvider", "SignedIn", "Tokens"]
_NEEDED: Final = ("authorization_endpoint", "token_endpoint", "jwks_uri")
_ACCESS_TOKEN: Final = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105  (a type)
_EXCHANGE: Final = "urn:ietf:params:oauth:grant-type:token-exchange"
_NOT_SET_UP: Final = 502
_CLIENT_ERRORS: Final = {"invalid_client", "unauthorized_client", "unsupported_grant_type"}


class OpenIdProvider:
    """One provider, for all threads of a process; its metadata is fetched when first needed.

    Args:
        now: seconds since 1970.
        later: runs a job in the background.
        development: whether a provider for development is accepted.

    Raises:
        ConfigError: the declared private key cannot be used.
    """

    def __init__(
        self,
        provider: Provider,
        http: Http,
        now: Callable[[], float],
        later: RunInBackground,
        *,
        development: bool = False,
    ) -> None:
        self.provider = provider
        self._now, timeout = now, provider.timeout
        self._metadata = CachedDocument(
            lambda: discover(http, provider.issuer, _NEEDED, timeout, development=development),
            now,
            later,
        )
        self._keys = cached_keys(http, lambda: self._metadata.get().jwks_uri, timeout, now, later)
        self._tokens = TokenEndpoint(http, ClientAuthentication(provider, now), timeout, now)

    def prepare(self) -> None:
        """Fetch the keys that verify its tokens, before a code or refresh token is spent.

        Raises:
            ProviderAway: the keys cannot be fetched.
        """
        self._keys.get()

    def authorization_url(self, login: Login, prompt: str = "") -> str:
        """The URL of an authentication request (OpenID Connect Core, 3.1.2.1; RFC 7636).

        Raises:
            ProviderAway: the metadata cannot be fetched.
        """
        params = {
            **self.provider.params,  # first: declared ones cannot replace those below
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
        """Check the `iss` of an authorization response, also of an error (RFC 9207, section 2.4).

        It detects mix-up attacks, where another provider than the one asked responds.

        Raises:
            SignInFailed: it is another issuer, or missing although this provider always sends it.
            ProviderAway: the metadata, which says whether it does, cannot be fetched.
        """
        if iss is None and self._metadata.get().sends_iss:
            message = "the answer does not say which provider it is from"
            raise SignInFailed(message, f"{message} (iss): {self.provider.issuer} always does")
        if iss is not None and iss != self.provider.issuer:
            message = "the answer is from another provider"
            raise SignInFailed(message, f"{message} (iss) than {self.provider.issuer}")

    def redeem(self, code: str, iss: str | None, login: Login) -> SignedIn:
        """Complete a sign-in: exchange the code for tokens, and validate the ID token.

        OpenID Connect Core, section 3.1.3; RFC 6749, section 4.1.3.

        Args:
            iss: the parameter of the response; None if it was missing.
            login: the sign-in of the `state` in the response, of the same browser.

        Raises:
            SignInFailed: the response, the code or the ID token is not valid.
            ProviderAway: the provider cannot be reached.
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
        except GrantRefused as error:
            status = _NOT_SET_UP if error.code in SETUP_ERRORS else 400
            message = "the provider did not accept the sign-in"
            raise SignInFailed(message, error.detail, status) from None
        except BadToken as error:
            status = 400 if isinstance(error, StaleToken) else _NOT_SET_UP
            message = f"the provider's ID token is not valid: {error}"
            raise SignInFailed(message, f"{message} ({self.provider.issuer})", status) from None
        return signed_in(jwt, tokens, self.provider)

    def refresh(self, tokens: Tokens, meanwhile: Callable[[], None] | None = None) -> Tokens:
        """Refresh tokens (RFC 6749, section 6; OpenID Connect Core, section 12).

        Args:
            tokens: the current ones; those missing in the response are retained.
            meanwhile: called about once a second while the request is in progress.

        Raises:
            GrantEnded: the refresh token is no longer valid, or the ID token is another user's.
            ProviderAway: the provider cannot be reached; the current tokens are unchanged.
        """
        self.prepare()
        params = {"grant_type": "refresh_token", "refresh_token": tokens.refresh}
        try:
            fresh = self._ask(params, meanwhile)
        except GrantRefused as error:
            ended = error.code == "invalid_grant"
            raise (GrantEnded if ended else ProviderMisconfigured)(str(error)) from None
        if fresh.id_token:
            fresh = self._validated(fresh, tokens.subject)
        return replace(
            fresh,
            refresh=fresh.refresh or tokens.refresh,
            id_token=fresh.id_token or tokens.id_token,
            scope=fresh.scope or tokens.scope,
            subject=tokens.subject,
        )

    def revoke(self, token: str) -> None:
        """Revoke a token (RFC 7009); a failure is logged and otherwise ignored."""
        try:
            endpoint = self._metadata.get().revocation_endpoint
            if endpoint and token:
                self._tokens.post(endpoint, {"token": token})
        except BffError as error:  # the token expires
            logger.warning("a token was not revoked", extra={"detail": error.detail})

    def exchange(
        self,
        access: str,
        audience: str,
        scope: str,
        meanwhile: Callable[[], None] | None = None,
    ) -> Tokens:
        """Exchange a user's access token for one of another audience (RFC 8693).

        Raises:
            GrantRefused: the provider refuses it, for this token or in general.
            ProviderAway: the provider cannot be reached.
            ProviderMisconfigured: it does not accept this client.
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
        except GrantRefused as error:
            if error.code in _CLIENT_ERRORS:
                raise ProviderMisconfigured(str(error)) from None
            raise
        return replace(tokens, scope=tokens.scope or scope)

    def client_credentials(
        self, audience: str, scope: str, meanwhile: Callable[[], None] | None = None
    ) -> Tokens:
        """A token of this client itself (client credentials grant, RFC 6749, section 4.4).

        Raises:
            ProviderAway: the provider cannot be reached.
            ProviderMisconfigured: it refuses the grant.
        """
        params = {"grant_type": "client_credentials", "audience": audience, "scope": scope}
        try:
            tokens = self._ask(params, meanwhile)
        except GrantRefused as error:
            raise ProviderMisconfigured(str(error)) from None
        return replace(tokens, scope=tokens.scope or scope)

    def end_session(self, id_token: str, return_to: str, state: str) -> EndSession | None:
        """The request that signs a browser out at the provider (RP-Initiated Logout 1.0).

        Args:
            id_token: of the session; if it is empty, the provider asks the user to confirm.

        Returns None if the provider has no such endpoint, or its metadata is unavailable.
        """
        try:
            endpoint = self._metadata.get().end_session_endpoint
        except ProviderAway:
            return None  # the local sign-out must not depend on the provider
        client_id = self.provider.client_id
        return EndSession.of(endpoint, client_id, id_token, return_to, state) if endpoint else None

    def logout_token(self, token: str) -> LogoutToken:
        """Validate a logout token (OpenID Connect Back-Channel Logout 1.0, section 2.6).

        The caller has to check that its `jti` was not used before.

        Raises:
            SignInFailed: it is not valid.
            ProviderAway: its signing key is unknown, and keys cannot be fetched.
        """
        try:
            jwt = read(token, MAX_LENGTH)
            verify(jwt, self._keys, self.provider.algorithms)
            return read_logout_token(jwt, self.provider, self._now())
        except BadToken as error:
            raise SignInFailed(f"the logout token is not valid: {error}") from None

    def _ask(self, params: dict[str, str], meanwhile: Callable[[], None] | None = None) -> Tokens:
        return self._tokens.ask(self._metadata.get().token_endpoint, params, meanwhile)

    def _id_token(self, tokens: Tokens) -> Jwt:
        if not tokens.id_token:
            raise BadToken("it is missing")
        jwt = read(tokens.id_token)
        verify(jwt, self._keys, self.provider.algorithms, unauthenticated=False)
        check_id_token(jwt, self.provider, tokens.access, self._now())
        return jwt

    def _validated(self, fresh: Tokens, subject: str) -> Tokens:
        """Refreshed tokens whose ID token was validated (OpenID Connect Core, section 12.2).

        If its key cannot be fetched, it is dropped and the other tokens are used, which came from
        the provider over TLS (section 3.1.3.7): to fail now would lose the new refresh token.

        Raises:
            GrantEnded: the ID token is not valid, or another user's.
        """
        try:
            claims = self._id_token(fresh).claims
        except (ProviderAway, UnknownKey) as error:
            logger.warning(
                "a refreshed ID token could not be verified", extra={"detail": error.detail}
            )
            claims, fresh = read(fresh.id_token).claims, replace(fresh, id_token="")
        except BadToken as error:
            raise GrantEnded(f"the refreshed ID token is not valid: {error}") from None
        if claims.get("sub") != subject:
            raise GrantEnded("the refreshed ID token is another user's")
        return fresh
