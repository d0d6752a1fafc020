"""The tokens of the local provider, signed with keys that exist as long as its process."""

from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from hashlib import sha256
from secrets import token_urlsafe
from typing import Any, Final

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, RSAKey

from bff.dev.provider.grants import Grant
from bff.dev.provider.values import ACCOUNTS

ALGORITHM: Final = "RS256"
ID_SECONDS: Final = 600
LOGOUT_SECONDS: Final = 120
LOGGED_OUT: Final = "http://schemas.openid.net/event/backchannel-logout"


class Signer:
    """Creates tokens, and verifies those that it created.

    Args:
        issuer: their issuer.
        now: the wall clock.
        seconds: the lifetime of an access token.
    """

    def __init__(self, issuer: str, now: Callable[[], float], seconds: float) -> None:
        self.issuer, self.seconds = issuer, seconds
        self._now = now
        self._keys = [_new_key()]  # the signing key is first

    def rotate(self, *, revoke: bool) -> None:
        """Sign with a new key; with `revoke`, the other keys are removed from the JWK Set."""
        self._keys = [_new_key(), *([] if revoke else self._keys)]

    def jwks(self) -> Mapping[str, Any]:
        """Its public keys (RFC 7517)."""
        return {"keys": [each.as_dict(private=False) for each in self._keys]}

    def access_token(self, subject: str, client: str, audience: str, **more: Any) -> str:
        """An access token (RFC 9068); `more` are further claims."""
        person = ACCOUNTS[subject].claims if subject in ACCOUNTS else {}
        about = {"sub": subject, "client_id": client, "aud": audience, **person, **more}
        return self._sign("at+jwt", about, self.seconds)

    def id_token(self, grant: Grant, access: str, *, nonce: bool) -> str:
        """An ID token (OpenID Connect Core, section 2); a refreshed one has no nonce."""
        half = sha256(access.encode()).digest()[:16]
        claims = {
            **ACCOUNTS[grant.subject].claims,
            "sub": grant.subject,
            "aud": grant.client,
            "sid": grant.sid,
            "auth_time": int(grant.auth_time),
            "at_hash": urlsafe_b64encode(half).rstrip(b"=").decode(),
            **({"acr": grant.acr} if grant.acr else {}),
            **({"nonce": grant.nonce} if nonce and grant.nonce else {}),
        }
        return self._sign("JWT", claims, ID_SECONDS)

    def logout_token(self, subject: str, sid: str, client: str) -> str:
        """A logout token (OpenID Connect Back-Channel Logout, section 2.4)."""
        events: Mapping[str, Any] = {LOGGED_OUT: {}}
        claims = {"sub": subject, "sid": sid, "aud": client, "events": events}
        return self._sign("logout+jwt", claims, LOGOUT_SECONDS)

    def read(self, token: str, kind: str, *, expired: bool = False) -> Mapping[str, Any] | None:
        """The claims of a token; None where it is invalid, or of another kind.

        Args:
            kind: its `typ`.
            expired: whether it may have expired, as an `id_token_hint` at logout may.
        """
        try:
            found = jwt.decode(token, KeySet(list(self._keys)), algorithms=[ALGORITHM])
        except (JoseError, ValueError):
            return None
        if found.header.get("typ") != kind:
            return None
        return found.claims if expired or self._now() < found.claims["exp"] else None

    def _sign(self, kind: str, claims: Mapping[str, Any], seconds: float) -> str:
        issued = int(self._now())
        times = {"iat": issued, "exp": issued + int(seconds)}
        about = {"iss": self.issuer, **claims, **times, "jti": token_urlsafe(16)}
        key = self._keys[0]
        header = {"alg": ALGORITHM, "kid": key.kid, "typ": kind}
        return jwt.encode(header, about, key, [ALGORITHM])


def _new_key() -> RSAKey:
    use = {"use": "sig", "alg": ALGORITHM}
    return RSAKey.generate_key(2048, use, auto_kid=True)  # type: ignore[arg-type]
