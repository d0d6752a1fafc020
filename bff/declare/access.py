"""How people sign in and whose tokens count, as `bff.yaml` declares them."""

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

_SECRET_LENGTH: Final = 32  # characters: what a random 192-bit text has in base64
_RATE: Final = text(r"[1-9]\d{0,6}/(second|minute|hour)", "a rate", 'such as "20/minute"')
_PEM: Final = text(r"-----BEGIN [A-Z ]+-----[\s\S]+", "a key in PEM", "`${file:/run/secrets/key}`")


def _issuer(node: Node) -> str:
    """An issuer's identifier, exactly as its tokens have it: nothing is stripped from it."""
    ADDRESS.read(node)
    if not may_be_declared(node.raw):
        message = f"`{node.written}` is not https: its tokens could be forged on the way"
        raise wrong("provider-address", node.place, message)
    return node.raw


def _jwks(node: Node) -> str:
    """The address of an issuer's keys, as it is fetched: it may have a query."""
    if not may_be_declared(node.raw):
        message = f"`{node.written}` is not an https address: anybody could give other keys"
        raise wrong(
            "provider-address", node.place, message, "`https://…`; plain http on this machine only"
        )
    return node.raw


def _store(node: Node) -> str:
    try:
        check_address(node.raw)
    except ValueError as error:  # it says nothing of the address, which may hold a password
        hint = "`redis://redis.internal:6379/0`, or `sqlite:/var/lib/bff/sessions.db`"
        message = f"this is not the address of a session store: {error}"
        raise wrong("wrong-value", node.place, message, hint) from None
    return node.raw


def _optional(reader: Reader) -> Reader:
    """The same, or nothing: a reference to what is not set."""
    return Reader(lambda node: reader.read(node) if node.raw else "", reader.schema)


ISSUER_URL: Final = Reader(_issuer, {"type": "string", "format": "uri"})
_COMMON: Final = {
    "issuer": Key(ISSUER_URL, "Its identifier, exactly as in its tokens.", required=True),
    "claims": Key(list_of(text()), "Claims that `session.claims` has."),
    "algorithms": Key(
        list_of(one_of("RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA")),
        "What its tokens may be signed with.",
    ),
    "timeout": Key(DURATION, "How long one request to it may take; 5s if not said."),
    "leeway": Key(DURATION, "How far its clock may be off ours; 30s if not said."),
    "tls": Key(TLS, "A private authority, and a certificate of our own."),
}
PROVIDER_KEYS: Final = {
    **_COMMON,
    "client_id": Key(text(r"\S+", "an id"), "Who we are to it.", required=True),
    "client_secret": Key(_optional(SECRET), "Our secret there, by reference."),
    "private_key": Key(_optional(_PEM), "Our key (PEM), by reference, for private_key_jwt."),
    "key_id": Key(text(), "The `kid` of that key."),
    "auth": Key(one_of(*get_args(ClientAuth)), "How we prove who we are."),
    "scopes": Key(list_of(text(r"\S+", "a scope")), "What is asked for at sign-in."),
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
            "without the scope `openid` nobody vouches for who signs in",
        )
    if values["client_secret"] and values["private_key"]:
        raise wrong("key-conflict", place, "a client has a secret or a key, not both")
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
            "`private_key_jwt` needs a `private_key`, and only that needs one",
        )
    return Provider(name="", place=place, **values)


PROVIDER: Final = table(_provider, PROVIDER_KEYS, "a provider", Provider, absent=("auth",))
ISSUER: Final = table(
    lambda place, values: Issuer(name="", place=place, **values),
    {
        **_COMMON,
        "audience": Key(
            list_of(text(r"\S+", "an audience"), or_one=True),
            "Whom a token must be meant for: one of these.",
            required=True,
        ),
        "jwks": Key(
            Reader(_jwks, {"type": "string", "format": "uri"}),
            "Where its keys are; found by its metadata if not said.",
        ),
    },
    "an issuer",
    Issuer,
)


def _session(place: Place, values: dict[str, Any]) -> SessionRules:
    values["secrets"] = tuple(each for each in values["secrets"] if each)
    if any(len(each) < _SECRET_LENGTH for each in values["secrets"]):
        hint = "`openssl rand -base64 32` makes one"
        raise wrong(
            "wrong-value", place, f"a secret has at least {_SECRET_LENGTH} characters", hint
        )
    if not is_local(values["store"]) and not values["secrets"]:
        message = "a store that machines share needs `secrets`: each of them decrypts the sessions"
        raise wrong("wrong-value", place, message, '`secrets: ["${file:/run/secrets/session}"]`')
    if values["idle"] > values["lifetime"]:
        raise wrong(
            "wrong-value",
            place.of("idle"),
            "a session cannot be idle (`idle`) for longer than it lives",
        )
    values["same_site"] = values["same_site"].title()
    return SessionRules(**values)


SESSION: Final = table(
    _session,
    {
        "secrets": Key(
            list_of(_optional(SECRET)), "What encrypts sessions: the first; all decrypt."
        ),
        "store": Key(
            Reader(_optional(Reader(_store)).read, {"type": "string"}),
            "The address of the session store; by default SQLite in `BFF_STATE`.",
        ),
        "idle": Key(DURATION, "How long one may be idle; 30m if not said."),
        "lifetime": Key(DURATION, "How long one lives at most; 8h if not said."),
        "same_site": Key(one_of("strict", "lax"), "SameSite of its cookie.", "strict"),
        "prefix": Key(one_of("__Host-Http-", "__Host-"), "The prefix of its cookie's name."),
        "return_to": Key(list_of(ORIGIN), "Further origins that a sign-in may come back to."),
    },
    "the session",
    SessionRules,
    absent=("same_site",),
)
LIMITS: Final = table(
    lambda _, values: Limits(**values),
    {
        "sign_in": Key(
            _RATE, "Steps of signing in from one address: two a sign-in. 20/minute if not said."
        ),
        "person": Key(_RATE, "Requests for views of one person, or address; no limit."),
    },
    "the limits",
    Limits,
)
