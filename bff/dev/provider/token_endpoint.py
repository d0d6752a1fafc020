"""The token and revocation endpoints of the local provider, without HTTP."""

from collections import Counter
from collections.abc import Mapping
from secrets import compare_digest
from typing import Any, Final
from urllib.parse import unquote_plus

from bff.dev.provider.grants import Grant, Grants
from bff.dev.provider.tokens import Signer
from bff.dev.provider.values import EXCHANGE, OAuthError, RegisteredClient

ACCESS_TOKEN: Final = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105 - a name

Json = Mapping[str, Any]


class TokenEndpoint:
    """Answers the token and revocation requests of authenticated clients."""

    def __init__(
        self, clients: Mapping[str, RegisteredClient], grants: Grants, signer: Signer
    ) -> None:
        self._clients, self._grants, self._signer = clients, grants, signer
        self._by_type = {
            "authorization_code": self._code,
            "refresh_token": self._refresh,
            "client_credentials": self._client,
            EXCHANGE: self._exchange,
        }
        self.granted: Counter[str] = Counter()  # by grant type; for tests

    def client(self, name: str, secret: str) -> RegisteredClient:
        """Authenticate a client by client_secret_basic (RFC 6749, section 2.3.1).

        Raises:
            OAuthError: `invalid_client`.
        """
        client = self._clients.get(unquote_plus(name))
        if client is None or not compare_digest(
            client.secret.encode(), unquote_plus(secret).encode()
        ):
            raise OAuthError("invalid_client", "the client is unknown, or its secret is wrong")
        return client

    def answer(self, client: RegisteredClient, form: Mapping[str, str]) -> Json:
        """The response to a token request.

        Raises:
            OAuthError: the request is refused.
        """
        kind = form.get("grant_type", "")
        if kind not in self._by_type:
            raise OAuthError("unsupported_grant_type", f"known: {', '.join(self._by_type)}")
        answer = self._by_type[kind](client, form)
        self.granted[kind] += 1
        return answer

    def revoke(self, client: RegisteredClient, token: str) -> None:
        """End the grant of a refresh or access token, if it is valid (RFC 7009, section 2.1).

        All tokens of the grant end, including those of later sign-ins of the browser.
        """
        claims = self._signer.read(token, "at+jwt")
        self._grants.end(str(claims.get("grant", "")) if claims else token, client.id)

    def _code(self, client: RegisteredClient, form: Mapping[str, str]) -> Json:
        wanted = ("code", "redirect_uri", "code_verifier")
        code, redirect_uri, verifier = (form.get(name, "") for name in wanted)
        grant, refresh = self._grants.redeem(code, client.id, redirect_uri, verifier)
        return self._tokens(grant, refresh, nonce=True)

    def _refresh(self, client: RegisteredClient, form: Mapping[str, str]) -> Json:
        grant, refresh = self._grants.refresh(form.get("refresh_token", ""), client.id)
        return self._tokens(grant, refresh, nonce=False)

    def _tokens(self, grant: Grant, refresh: str, *, nonce: bool) -> Json:
        access = self._signer.access_token(
            grant.subject, grant.client, grant.audience, scope=grant.scope, grant=grant.id
        )
        return {
            **self._answer(access, grant.scope),
            "refresh_token": refresh,
            "id_token": self._signer.id_token(grant, access, nonce=nonce),
        }

    def _client(self, client: RegisteredClient, form: Mapping[str, str]) -> Json:
        scope = form.get("scope", "")
        audience = _audience(form) or client.id
        access = self._signer.access_token(client.id, client.id, audience, scope=scope)
        return self._answer(access, scope)

    def _exchange(self, client: RegisteredClient, form: Mapping[str, str]) -> Json:
        """A token for another audience and the same user (RFC 8693, section 2)."""
        if form.get("subject_token_type") != ACCESS_TOKEN or "actor_token" in form:
            raise OAuthError(
                "invalid_request", "only an access token without an actor_token is exchanged"
            )
        if form.get("requested_token_type", ACCESS_TOKEN) != ACCESS_TOKEN:
            raise OAuthError("invalid_request", "only an access token is issued")
        claims = self._signer.read(form.get("subject_token", ""), "at+jwt")
        grant = str(claims["grant"]) if claims and "grant" in claims else ""
        if claims is None or not self._grants.lives(grant):
            raise OAuthError("invalid_request", "subject_token is not valid")
        if not (audience := _audience(form)):
            raise OAuthError("invalid_request", "audience is required")
        scope = form.get("scope") or str(claims["scope"])
        access = self._signer.access_token(
            claims["sub"], client.id, audience, scope=scope, act={"sub": client.id}
        )
        return {**self._answer(access, scope), "issued_token_type": ACCESS_TOKEN}

    def _answer(self, access: str, scope: str) -> Json:
        seconds = int(self._signer.seconds)
        about = {"access_token": access, "token_type": "Bearer", "expires_in": seconds}
        return {**about, "scope": scope} if scope else about


def _audience(form: Mapping[str, str]) -> str:
    return form.get("audience") or form.get("resource", "")
