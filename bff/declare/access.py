"""Readers of sign-in in `bff.yaml`: providers, issuers, the session, rate limits."""

from typing import Any, Final, get_args

from bff.auth.oidc.metadata import may_be_declared
from bff.declare.credentials import SECRET
from bff.declare.load import Node
from bff.declare.read import (
    DURATION,
    Key,
    Reader,
    list_of,
    map_of,
    one_of,
    table,
    text,
    wrong,
)
from bff.declare.readers import ADDRESS, ORIGIN
from bff.declare.services import TLS
from bff.model.access import (
    ClientAuth,
    Issuer,
    Limits,
    Provider,
    SessionRules,
)
from bff.model.source import Place
from bff.store.open import check_address, is_local

_SECRET_LENGTH: Final = 32  # characters: 192 random bits in base64
_RATE: Final = text(r"[1-9]\d{0,6}/(second|minute|hour)", "a rate", 'such as "20/minute"')
_PEM: Final = text(r"-----BEGIN [A-Z ]+-----[\s\S]+", "a key in PEM", "`${file:/run/secrets/key}`")


def _issuer(node: Node) -> str:
    """An issuer identifier, unchanged: it must equal `iss` of its tokens (OpenID Core, 3.1.3.7)."""
    ADDRESS.read(node)
    if not may_be_declared(node.raw):
        message = f"`{node.written}` is not https: its tokens could be forged in transit"
        raise wrong("provider-address", node.place, message)
    return node.raw


def _jwks(node: Node) -> str:
    """The URL of an issuer's JWK Set, unchanged; it may have a query."""
    if not may_be_declared(node.raw):
        message = f"`{node.written}` is not an https URL: its keys could be replaced in transit"
        raise wrong(
            "provider-address", node.place, message, "`https://…`; plain http on this machine only"
        )
    return node.raw


def _store(node: Node) -> str:
    try:
        check_address(node.raw)
    except ValueError as error:  # its text does not contain the address, which may have a password
        hint = "`redis://redis.internal:6379/0`, or `sqlite:/var/lib/bff/sessions.db`"
        message = f"this is not the address of a session store: {error}"
        raise wrong("wrong-value", node.place, message, hint) from None
    return node.raw


def _optional(reader: Reader) -> Reader:
    """The same, or an empty text: a reference to a variable that is not set."""
    return Reader(lambda node: reader.read(node) if node.raw else "", reader.schema)


ISSUER_URL: Final = Reader(_issuer, {"type": "string", "format": "uri"})
_COMMON: Final = {
    "issuer": Key(
        ISSUER_URL, "The issuer identifier, exactly as in the `iss` of its tokens.", required=True
    ),
    "claims": Key(list_of(text()), "Claims of its tokens that are available as `session.claims`."),
    "algorithms": Key(
        list_of(one_of("RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA")),
        "Signature algorithms that its tokens may use (RFC 7518).",
    ),
    "timeout": Key(DURATION, "Timeout of one request to it; default 5s."),
    "leeway": Key(DURATION, "Allowed clock difference when its tokens are validated; default 30s."),
    "tls": Key(TLS, "A private certificate authority, and a client certificate."),
}
PROVIDER_KEYS: Final = {
    **_COMMON,
    "client_id": Key(
        text(r"\S+", "an id"),
        "The `client_id` under which this application is registered with it.",
        required=True,
    ),
    "client_secret": Key(_optional(SECRET), "The client secret, by reference."),
    "private_key": Key(_optional(_PEM), "The private key (PEM) of private_key_jwt, by reference."),
    "key_id": Key(text(), "The `kid` of the private key."),
    "auth": Key(
        one_of(*get_args(ClientAuth)),
        "Client authentication; default client_secret_basic, or private_key_jwt with a key.",
    ),
    "scopes": Key(list_of(text(r"\S+", "a scope")), "Scopes that are requested at sign-in."),
    "params": Key(map_of(text()), "Further parameters of the authorization request."),
}
_FIXED: Final = frozenset(
    {"client_id", "redirect_uri", "response_type", "response_mode", "scope", "state", "nonce"}
    | {"code_challenge", "code_challenge_method", "max_age", "acr_values", "request"}
)


def _provider(place: Place, values: dict[str, Any]) -> Provider:
    if "openid" not in values["scopes"]:
        raise wrong(
            "wrong-value",
            place.of("scopes"),
            "without the scope `openid` the provider issues no ID token",
        )
    if values["client_secret"] and values["private_key"]:
        raise wrong(
            "key-conflict", place, "a client has either a `client_secret` or a `private_key`"
        )
    for name in values["params"].keys() & _FIXED:
        raise wrong("key-conflict", place.of("params"), f"`{name}` cannot be set: bff sets it")
    if values.get("auth") == "none" and values["client_secret"]:
        message = "with `auth: none` there is no `client_secret`"
        raise wrong("key-conflict", place.of("auth"), message)
    if "auth" not in values:
        values["auth"] = "private_key_jwt" if values["private_key"] else "client_secret_basic"
    if (values["auth"] == "private_key_jwt") != bool(values["private_key"]):
        raise wrong(
            "key-conflict",
            place.of("auth", "private_key"),
            "`private_key` and `auth: private_key_jwt` need each other",
        )
    return Provider(name="", place=place, **values)


PROVIDER: Final = table(_provider, PROVIDER_KEYS, "a provider", Provider, absent=("auth",))
ISSUER: Final = table(
    lambda place, values: Issuer(name="", place=place, **values),
    {
        **_COMMON,
        "audience": Key(
            list_of(text(r"\S+", "an audience"), or_one=True),
            "Accepted audiences: `aud` of a token must contain one of them.",
            required=True,
        ),
        "jwks": Key(
            Reader(_jwks, {"type": "string", "format": "uri"}),
            "URL of its JWK Set; by default from its metadata (RFC 8414).",
        ),
    },
    "an issuer",
    Issuer,
)


def _session(place: Place, values: dict[str, Any]) -> SessionRules:
    values["secrets"] = tuple(secret for secret in values["secrets"] if secret)
    if any(len(secret) < _SECRET_LENGTH for secret in values["secrets"]):
        hint = "`openssl rand -base64 32` makes one"
        message = f"a session secret needs at least {_SECRET_LENGTH} characters"
        raise wrong("wrong-value", place, message, hint)
    if not is_local(values["store"]) and not values["secrets"]:
        message = "a store that machines share needs `secrets`: each of them decrypts the sessions"
        raise wrong("wrong-value", place, message, '`secrets: ["${file:/run/secrets/session}"]`')
    if values["idle"] > values["lifetime"]:
        raise wrong(
            "wrong-value",
            place.of("idle"),
            "`idle` is longer than the `lifetime` of a session",
        )
    values["same_site"] = values["same_site"].title()
    return SessionRules(**values)


SESSION: Final = table(
    _session,
    {
        "secrets": Key(
            list_of(_optional(SECRET)),
            "Encryption secrets: the first encrypts, all of them decrypt.",
        ),
        "store": Key(
            Reader(_optional(Reader(_store)).read, {"type": "string"}),
            "The address of the session store; by default SQLite in `BFF_STATE`.",
        ),
        "idle": Key(
            DURATION,
            "Idle timeout: a session expires after so long without a request; default 30m.",
        ),
        "lifetime": Key(DURATION, "Absolute lifetime of a session; default 8h."),
        "same_site": Key(
            one_of("strict", "lax"), "The SameSite attribute of the session cookie.", "strict"
        ),
        "prefix": Key(
            one_of("__Host-Http-", "__Host-"), "Prefix of the name of the session cookie."
        ),
        "return_to": Key(list_of(ORIGIN), "Further origins that a sign-in may redirect to."),
    },
    "the session",
    SessionRules,
    absent=("same_site",),
)
LIMITS: Final = table(
    lambda _, values: Limits(**values),
    {
        "sign_in": Key(
            _RATE, "Rate limit of sign-in requests by IP address, two a sign-in; default 20/minute."
        ),
        "person": Key(
            _RATE, "Rate limit of views, by user, or by IP address if anonymous; default none."
        ),
    },
    "the limits",
    Limits,
)
