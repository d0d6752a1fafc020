"""A scripted OpenID provider: whatever it answers, and signs, is for the test to decide."""

from base64 import urlsafe_b64encode
from dataclasses import dataclass
from functools import cache
from threading import Lock
from urllib.parse import parse_qsl

import httpx
import orjson
from joserfc.jwk import ECKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from bff.auth.oidc.bearer import Bearer
from bff.auth.oidc.http import Http
from bff.auth.oidc.login import Login
from bff.auth.oidc.provider import OpenIdProvider
from bff.model.access import Issuer, Provider
from bff.model.source import Place

ISSUER = "https://op.example"
CLIENT = "the-client"
SECRET = "q7Vd-2mXk-9wLb-4zRt-8nHc"
API = "https://api.example"
HERE = Place("test")
ABSENT = object()  # a member that is left out
ALGORITHMS = {"RSA": "RS256", "EC": "ES256", "OKP": "EdDSA"}


@cache
def rsa(name="one"):
    """An RSA key of that name, made once for all tests."""
    return RSAKey.generate_key(2048, {"kid": name, "use": "sig"})


@cache
def elliptic(name="curve"):
    return ECKey.generate_key("P-256", {"kid": name})


@cache
def edwards(name="edwards"):
    return OKPKey.generate_key("Ed25519", {"kid": name})


def public(key, **changes):
    """The JWK that is published of a key."""
    return changed(key.as_dict(private=False), changes)


def changed(members, changes):
    return {name: value for name, value in {**members, **changes}.items() if value is not ABSENT}


def at_once(_key, job):
    """Do what no request waits for, before the test goes on."""
    job()
    return True


def encoded(content):
    return urlsafe_b64encode(content).rstrip(b"=").decode()


def signed(header, payload, key):
    """A JWS with exactly this header; joserfc would refuse to make most of those wanted here.

    Args:
        payload: claims, or bytes.
        key: None for an empty signature.
    """
    if not isinstance(payload, bytes):
        payload = orjson.dumps(payload)
    start = f"{encoded(orjson.dumps(header))}.{encoded(payload)}"
    if key is None:
        return f"{start}."
    algorithm = JWSRegistry.algorithms[header["alg"]]
    return f"{start}.{encoded(algorithm.sign(start.encode(), key))}"


@dataclass(frozen=True)
class Asked:
    """A request as the provider got it."""

    method: str
    path: str
    headers: httpx.Headers
    form: dict[str, str]


class ScriptedProvider:
    """A provider without a socket; make what talks to it with `provider()` and `bearer()`.

    `metadata`, `keys`, `header`, `claims` and `grant` are changed as a test likes; `replies` takes
    the place of all that it would say at a path: (status, body), or a function of what was asked.
    """

    def __init__(self, clock, issuer=ISSUER):
        self.clock, self.issuer = clock, issuer
        self.key = rsa()
        self.keys = [public(self.key)]
        self.metadata, self.header, self.claims, self.grant = {}, {}, {}, {}
        self.replies = {}
        self.asked = []
        self._https = []
        self._lock = Lock()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for http in self._https:
            http.close()

    def rotate(self, name="two"):
        """Sign with another key from now on, and publish it alone."""
        self.key = rsa(name)
        self.keys = [public(self.key)]

    def times(self, path):
        """How often a path was asked for."""
        return sum(each.path == path for each in self.asked)

    def http(self, tls=None):
        made = Http(tls, lambda _: httpx.MockTransport(self.answer))
        self._https.append(made)
        return made

    def provider(self, later=None, **changes):
        declared = {
            "name": "main",
            "place": HERE,
            "issuer": self.issuer,
            "client_id": CLIENT,
            "client_secret": SECRET,
        }
        made = Provider(**{**declared, **changes})
        return OpenIdProvider(made, self.http(), self.clock, later or at_once)

    def bearer(self, **changes):
        declared = {"name": "main", "place": HERE, "issuer": self.issuer, "audience": (API,)}
        return Bearer([Issuer(**{**declared, **changes})], self.http, self.clock, at_once)

    def login(self, **changes):
        declared = {
            "provider": "main",
            "state": "state-of-login",
            "nonce": "nonce-of-login",
            "verifier": "v" * 43,
            "redirect_uri": "https://app.example/auth/callback",
            "return_to": "/",
            "at": self.clock(),
        }
        return Login(**{**declared, **changes})

    def sign_in(self, provider=None, iss=None, **login):
        """Who has signed in, by a code that this provider takes."""
        return (provider or self.provider()).redeem("code", iss, self.login(**login))

    def id_token(self, **changes):
        now = int(self.clock())
        claims = {
            "iss": self.issuer,
            "sub": "ada",
            "aud": CLIENT,
            "exp": now + 300,
            "iat": now,
            "nonce": "nonce-of-login",
        }
        return self.token(changed(claims, {**self.claims, **changes}))

    def access_token(self, header=None, **changes):
        now = int(self.clock())
        claims = {
            "iss": self.issuer,
            "sub": "ada",
            "aud": API,
            "exp": now + 300,
            "iat": now,
            "jti": "1",
            "client_id": "app",
            "scope": "orders.read orders.write",
        }
        return self.token(changed(claims, changes), {"typ": "at+jwt", **(header or {})})

    def logout_token(self, header=None, **changes):
        now = int(self.clock())
        claims = {
            "iss": self.issuer,
            "aud": CLIENT,
            "iat": now,
            "exp": now + 120,
            "jti": "1",
            "sub": "ada",
            "sid": "session-1",
            "events": {"http://schemas.openid.net/event/backchannel-logout": {}},
        }
        return self.token(changed(claims, changes), {"typ": "logout+jwt", **(header or {})})

    def token(self, claims, header=None):
        """A token with these claims, signed by the key of the day."""
        plain = {"alg": ALGORITHMS[self.key.key_type], "kid": self.key.kid}
        return signed(changed(plain, {**(header or {}), **self.header}), claims, self.key)

    def answer(self, request):
        """What it says to a request."""
        form = dict(parse_qsl(request.content.decode(), keep_blank_values=True))
        asked = Asked(request.method, request.url.path, request.headers, form)
        with self._lock:
            self.asked.append(asked)
        reply = self.replies.get(asked.path)
        if callable(reply):
            reply = reply(asked)
        if reply is None:
            made = getattr(self, f"_{asked.path.rpartition('/')[2].replace('-', '_')}")
            reply = 200, made(asked)
        status, body = reply
        return httpx.Response(
            status, content=body if isinstance(body, bytes) else orjson.dumps(body)
        )

    def _openid_configuration(self, _):
        plain = {"issuer": self.issuer} | {
            name: f"{self.issuer}/{path}"
            for name, path in (
                ("authorization_endpoint", "authorize"),
                ("token_endpoint", "token"),
                ("jwks_uri", "jwks"),
                ("revocation_endpoint", "revoke"),
                ("end_session_endpoint", "end"),
            )
        }
        return changed(plain, self.metadata)

    def _jwks(self, _):
        return {"keys": self.keys}

    def _token(self, asked):
        plain = {"access_token": "access-1", "token_type": "Bearer", "expires_in": 60}
        if asked.form["grant_type"] == "authorization_code":
            plain |= {"refresh_token": "refresh-1", "id_token": self.id_token()}
        return changed(plain, self.grant)

    def _revoke(self, _):
        return {}
