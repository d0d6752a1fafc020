"""The relying-party modules of OpenID's conformance suite, and what advisories say of tokens.

Each test bears the name of the suite's module. Where that would have the client ask for userinfo
and see whether it does, here the sign-in itself must fail or not: userinfo is never asked.
"""

from base64 import b64decode, urlsafe_b64encode
from dataclasses import replace
from hashlib import sha256, sha512
from hmac import digest

import pytest

from bff.auth.oidc.id_token import check_id_token
from bff.auth.oidc.jwt import BadToken, read
from bff.auth.oidc.login import Tokens
from bff.errors import GrantEnded, ProviderAway, SignInFailed
from tests.auth.scripted_provider import (
    ABSENT,
    CLIENT,
    ISSUER,
    SECRET,
    ScriptedProvider,
    edwards,
    elliptic,
    encoded,
    public,
    rsa,
)

EVENT = "http://schemas.openid.net/event/backchannel-logout"
HELD = Tokens("access-0", 0.0, "refresh-0", "id-0", "openid", "ada")


@pytest.fixture
def op(clock):
    with ScriptedProvider(clock) as made:
        yield made


def half(hashed, access="access-1"):
    made = hashed(access.encode()).digest()
    return urlsafe_b64encode(made[: len(made) // 2]).rstrip(b"=").decode()


def modules(*names):
    """Parameters, each named after a module of the suite."""
    return [pytest.param(*values, id=f"oidcc-client-test-{name}") for name, *values in names]


# Basic and comprehensive plans


def test_oidcc_client_test(op):
    assert op.sign_in().subject == "ada"


@pytest.mark.parametrize(
    ("claims", "why"),
    modules(
        ("invalid-iss", {"iss": f"{ISSUER}/x"}, "iss"),
        ("missing-iss", {"iss": ABSENT}, "iss"),
        ("missing-sub", {"sub": ABSENT}, "sub"),
        ("empty-sub", {"sub": ""}, "sub"),
        ("invalid-aud", {"aud": "other"}, "aud"),
        ("invalid-aud-azp", {"aud": ["other"], "azp": CLIENT}, "aud"),
        ("missing-aud", {"aud": ABSENT}, "aud"),
        ("several-aud-without-azp", {"aud": [CLIENT, "other"]}, "azp"),
        ("several-aud-wrong-azp", {"aud": [CLIENT, "other"], "azp": "other"}, "azp"),
        ("invalid-azp", {"azp": "other"}, "azp"),
        ("empty-azp", {"azp": ""}, "azp"),
        ("azp-of-no-type", {"azp": [CLIENT]}, "azp"),
        ("missing-iat", {"iat": ABSENT}, "iat"),
        ("missing-exp", {"exp": ABSENT}, "exp"),
        ("nonce-invalid", {"nonce": "another"}, "nonce"),
        ("nonce-of-several", {"nonce": ["nonce-of-login"]}, "nonce"),
        ("missing-nonce", {"nonce": ABSENT}, "nonce"),
        ("empty-nonce", {"nonce": ""}, "nonce"),
        ("invalid-athash", {"at_hash": half(sha256, "another")}, "at_hash"),
        ("empty-athash", {"at_hash": ""}, "at_hash"),
        ("athash-of-another-length", {"at_hash": half(sha512)}, "at_hash"),
        ("athash-of-no-type", {"at_hash": None}, "at_hash"),
        ("sid-of-no-type", {"sid": 7}, "sid"),
    ),
)
def test_an_id_token_does_not_count(op, claims, why):
    op.claims = claims
    with pytest.raises(SignInFailed, match=f"is not valid: its {why}"):
        op.sign_in()


@pytest.mark.parametrize(("seconds", "fine"), [(-29, True), (-31, False), (-121, False)])
def test_an_id_token_is_over_when_it_says_so(op, clock, seconds, fine):
    """Authlib would give it two minutes more."""
    op.claims = {"exp": int(clock()) + seconds}
    if fine:
        assert op.sign_in().subject == "ada"
    else:
        with pytest.raises(SignInFailed, match="expired"):
            op.sign_in()


def test_an_id_token_for_several_names_us_as_the_party(op):
    op.claims = {"aud": ["other", CLIENT], "azp": CLIENT}
    assert op.sign_in().subject == "ada"


@pytest.mark.parametrize(("key", "hashed"), [(rsa, sha256), (elliptic, sha256), (edwards, sha512)])
def test_oidcc_client_test_idtoken_at_hash(op, key, hashed):
    op.key = key()
    op.keys = [public(op.key)]
    op.claims = {"at_hash": half(hashed)}
    assert op.sign_in().subject == "ada"


def test_one_algorithm_may_go_by_its_new_name(op):
    op.key = edwards()
    op.keys = [public(op.key)]
    op.header = {"alg": "Ed25519"}
    op.claims = {"at_hash": half(sha512)}
    assert op.sign_in(op.provider(algorithms=("Ed25519",))).subject == "ada"


@pytest.mark.parametrize("published", [ABSENT, "one"])
def test_oidcc_client_test_kid_absent_single_jwks(op, published):
    op.header = {"kid": ABSENT}
    op.keys = [public(rsa(), kid=published), public(elliptic(), kid=ABSENT)]
    assert op.sign_in().subject == "ada"


def test_oidcc_client_test_kid_absent_multiple_jwks(op):
    """The suite leaves it to the client; ours does not try keys in turn."""
    op.header = {"kid": ABSENT}
    op.keys = [public(rsa(), kid=ABSENT), public(rsa("two"), kid=ABSENT)]
    with pytest.raises(SignInFailed, match="several keys match"):
        op.sign_in()
    assert op.times("/jwks") == 1


def test_oidcc_client_test_idtoken_sig_rs256(op):
    assert read(op.sign_in().tokens.id_token).algorithm == "RS256"


@pytest.mark.parametrize("signature", ["", "AAAA"])
@pytest.mark.parametrize("alg", ["none", "None", "NONE"])
def test_oidcc_client_test_idtoken_sig_none(op, alg, signature):
    claims = op.id_token().split(".")[1]
    header = encoded(b'{"alg":"%s"}' % alg.encode())
    op.grant = {"id_token": f"{header}.{claims}.{signature}"}
    with pytest.raises(SignInFailed, match="not allowed"):
        op.sign_in(op.provider(algorithms=("RS256", "none")))


@pytest.mark.parametrize(
    "key",
    [
        pytest.param(rsa, id="oidcc-client-test-invalid-sig-rs256"),
        pytest.param(elliptic, id="oidcc-client-test-invalid-sig-es256"),
        pytest.param(edwards, id="oidcc-client-test-invalid-sig-eddsa"),
    ],
)
def test_a_signature_of_another_key_does_not_count(op, key):
    op.key = key("stranger")
    op.keys = [public(key(), kid="stranger")]
    with pytest.raises(SignInFailed, match="signature is wrong"):
        op.sign_in()


@pytest.mark.parametrize("key", [elliptic, edwards])
def test_oidcc_client_test_idtoken_sig_es256(op, key):
    op.key = key()
    op.keys = [public(op.key)]
    assert op.sign_in().subject == "ada"


@pytest.mark.parametrize("secret", [SECRET.encode(), rsa().as_pem(private=False), b""])
def test_oidcc_client_test_invalid_sig_hs256(op, secret):
    """Nothing symmetric is taken, not even by our own secret, and never by a public key."""
    claims = op.id_token().split(".")[1]
    start = encoded(b'{"alg":"HS256","kid":"one"}') + f".{claims}"
    op.grant = {"id_token": f"{start}.{encoded(digest(secret, start.encode(), 'sha256'))}"}
    with pytest.raises(SignInFailed, match="not allowed"):
        op.sign_in(op.provider(algorithms=("RS256", "HS256")))


def test_oidcc_client_test_userinfo_invalid_sub(op):
    op.metadata["userinfo_endpoint"] = f"{ISSUER}/userinfo"
    op.sign_in()
    assert not op.times("/userinfo")


def test_oidcc_client_test_scope_userinfo_claims(op):
    """What is asked for by scopes is taken from the ID token."""
    op.claims = {"email": "ada@example", "name": "Ada"}
    provider = op.provider(scopes=("openid", "email", "profile"), claims=("email", "name"))
    assert "scope=openid+email+profile" in provider.authorization_url(op.login())
    assert op.sign_in(provider).claims == {"email": "ada@example", "name": "Ada"}


def test_oidcc_client_test_client_secret_basic(op):
    op.sign_in()
    sent = op.asked[-1].headers["authorization"].removeprefix("Basic ")
    assert b64decode(sent).decode() == f"{CLIENT}:{SECRET}"
    assert not {"client_id", "client_secret"} & op.asked[-1].form.keys()


def test_oidcc_client_test_ignores_unparseable_key_in_jwks(op):
    op.keys += [{"kty": "AKP", "kid": "pq", "alg": "ML-DSA-1", "pub": "AA"}, {"kty": "X", "kid": 1}]
    assert op.sign_in().subject == "ada"


# Config plan


def test_oidcc_client_test_discovery_openid_config(op):
    op.metadata["authorization_endpoint"] = f"{ISSUER}/elsewhere"
    assert op.provider().authorization_url(op.login()).startswith(f"{ISSUER}/elsewhere?")


def test_oidcc_client_test_discovery_jwks_uri_keys(op):
    op.metadata["jwks_uri"] = f"{ISSUER}/other/keys"
    op.replies["/other/keys"] = lambda asked: (200, op._jwks(asked))
    assert op.sign_in().subject == "ada"
    assert not op.times("/jwks")


def test_oidcc_client_test_discovery_issuer_mismatch(op):
    op.metadata["issuer"] = "https://invalid.example"
    with pytest.raises(ProviderAway, match="another issuer"):
        op.provider().authorization_url(op.login())


def test_oidcc_client_test_signing_key_rotation(op):
    provider = op.provider()
    op.sign_in(provider)
    op.rotate()
    assert op.sign_in(provider).subject == "ada"


def test_oidcc_client_test_signing_key_rotation_just_before_signing(op):
    def rotated(_):
        op.rotate()

    provider = op.provider()
    provider.prepare()
    op.replies["/token"] = rotated
    assert op.sign_in(provider).subject == "ada"
    assert op.times("/jwks") == 2


# Refresh plan


def test_oidcc_client_test_refresh_token(op):
    op.grant = {"id_token": op.id_token(nonce=ABSENT)}
    assert op.provider().refresh(HELD).access == "access-1"


@pytest.mark.parametrize(
    "claims",
    [
        pytest.param({claim: value}, id=f"oidcc-client-test-refresh-token-invalid-{name}")
        for name, claim, value in (
            ("issuer", "iss", f"{ISSUER}/x"),
            ("sub", "sub", "grace"),
            ("aud", "aud", "other"),
            ("azp", "azp", "other"),
        )
    ],
)
def test_a_fresh_id_token_of_somebody_else_ends_the_session(op, claims):
    op.grant = {"id_token": op.id_token(**claims)}
    with pytest.raises(GrantEnded, match="refreshed ID token"):
        op.provider().refresh(HELD)


def test_nobody_is_refreshed_whose_subject_is_not_known(op):
    op.grant = {"id_token": op.id_token()}
    with pytest.raises(GrantEnded):
        op.provider().refresh(replace(HELD, subject=""))


# Back-channel logout


def test_oidcc_client_test_rp_backchannel_rpinitlogout(op, clock):
    said = op.provider().logout_token(op.logout_token())
    assert (said.issuer, said.subject, said.sid, said.jti) == (ISSUER, "ada", "session-1", "1")
    assert said.expires == int(clock()) + 120 + 30  # until when it might be shown again


@pytest.mark.parametrize("changes", [{"sub": ABSENT}, {"sid": ABSENT}])
def test_one_of_person_and_session_is_enough(op, changes):
    said = op.provider().logout_token(op.logout_token(**changes))
    assert bool(said.subject) != bool(said.sid)


@pytest.mark.parametrize(
    "typ", ["logout+jwt", "Logout+JWT", "application/logout+jwt", "JWT", "jwt", ABSENT]
)
def test_a_logout_token_says_that_it_is_one_or_nothing(op, typ):
    assert op.provider().logout_token(op.logout_token({"typ": typ})).subject == "ada"


@pytest.mark.parametrize(
    ("header", "claims"),
    [
        pytest.param(header, claims, id=f"oidcc-client-test-rp-backchannel-rpinitlogout-{name}")
        for name, header, claims in (
            ("no-event", {}, {"events": ABSENT}),
            ("wrong-event", {}, {"events": {"http://schemas.openid.net/event/other": {}}}),
            ("event-is-a-list", {}, {"events": [EVENT]}),
            ("event-is-a-text", {}, {"events": EVENT}),
            ("event-has-no-object", {}, {"events": {EVENT: None}}),
            ("event-has-a-list", {}, {"events": {EVENT: []}}),
            ("with-nonce", {}, {"nonce": "n"}),
            ("with-empty-nonce", {}, {"nonce": ""}),
            ("with-null-nonce", {}, {"nonce": None}),
            ("wrong-aud", {}, {"aud": "other"}),
            ("no-aud", {}, {"aud": ABSENT}),
            ("wrong-iss", {}, {"iss": f"{ISSUER}/x"}),
            ("no-iss", {}, {"iss": ABSENT}),
            ("no-jti", {}, {"jti": ABSENT}),
            ("empty-jti", {}, {"jti": ""}),
            ("jti-of-no-type", {}, {"jti": 7}),
            ("no-iat", {}, {"iat": ABSENT}),
            ("null-exp", {}, {"exp": None}),
            ("exp-of-no-type", {}, {"exp": "soon"}),
            ("neither-sub-nor-sid", {}, {"sub": ABSENT, "sid": ABSENT}),
            ("empty-sub-and-sid", {}, {"sub": "", "sid": ""}),
            ("sid-of-no-type", {}, {"sid": ["session-1"]}),
            ("typ-id", {"typ": "id+jwt"}, {}),
            ("typ-null", {"typ": None}, {}),
            ("typ-at", {"typ": "at+jwt"}, {}),
            ("crit", {"crit": ["exp"]}, {}),
        )
    ],
)
def test_a_logout_token_does_not_count(op, header, claims):
    token = op.logout_token(header, **claims)
    with pytest.raises(SignInFailed, match="logout token is not valid") as failed:
        op.provider().logout_token(token)
    assert failed.value.status == 400


@pytest.mark.parametrize(
    ("iat", "exp"),
    [(-300, -31), (31, 300), (0, 3700), (-7200, 60), (-4000, 3600)],
)
def test_a_logout_token_is_for_now(op, clock, iat, exp):
    now = int(clock())
    with pytest.raises(SignInFailed, match="logout token is not valid"):
        op.provider().logout_token(op.logout_token(iat=now + iat, exp=now + exp))


@pytest.mark.parametrize(("ago", "counts"), [(0, True), (149, True), (151, False)])
def test_a_logout_token_that_does_not_say_when_it_ends_counts_for_two_minutes(
    op, clock, ago, counts
):
    """`exp` has been required since December 2023; Ory Hydra and Keycloak 22 send none."""
    now = int(clock())
    token = op.logout_token({"typ": "JWT"}, exp=ABSENT, iat=now - ago)
    if counts:
        assert op.provider().logout_token(token).expires == now - ago + 150
    else:
        with pytest.raises(SignInFailed, match="too long ago"):
            op.provider().logout_token(token)


def test_oidcc_client_test_rp_backchannel_rpinitlogout_alg_none(op):
    claims = op.logout_token().split(".")[1]
    token = encoded(b'{"alg":"none","typ":"logout+jwt"}') + f".{claims}."
    with pytest.raises(SignInFailed, match="not allowed"):
        op.provider().logout_token(token)


def test_oidcc_client_test_rp_backchannel_rpinitlogout_wrong_alg(op):
    op.key = elliptic()
    op.keys.append(public(op.key))
    with pytest.raises(SignInFailed, match="not allowed"):
        op.provider(algorithms=("RS256",)).logout_token(op.logout_token())


def test_an_id_token_signs_nobody_out(op):
    provider = op.provider()
    with pytest.raises(SignInFailed):
        provider.logout_token(op.sign_in(provider).tokens.id_token)


def test_a_logout_token_signs_nobody_in(op):
    op.grant = {"id_token": op.logout_token()}
    with pytest.raises(SignInFailed, match="typ is not that of an ID token"):
        op.sign_in()
    op.grant = {"id_token": op.logout_token({"typ": "JWT"}, nonce="nonce-of-login")}
    with pytest.raises(SignInFailed, match="it is not an ID token"):
        op.sign_in()


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "x" * 9000])
def test_what_is_no_logout_token_is_refused_before_anybody_is_asked(op, token):
    with pytest.raises(SignInFailed, match="malformed"):
        op.provider().logout_token(token)
    assert not op.asked


def test_a_logout_token_of_more_than_eight_kilobytes_is_refused(op):
    with pytest.raises(SignInFailed, match="malformed"):
        op.provider().logout_token(op.logout_token(padding="x" * 6200))


def test_a_logout_token_that_cannot_be_checked_may_be_sent_again(op):
    op.replies["/jwks"] = (503, b"")
    with pytest.raises(ProviderAway):
        op.provider().logout_token(op.logout_token())


# RP-initiated logout


def test_oidcc_client_test_rp_init_logout(op):
    asked = op.provider().end_session("hint", "https://app.example/bye", "the-state")
    assert asked.url.startswith(f"{ISSUER}/end?")
    assert "state=the-state" in asked.url


def test_oidcc_client_test_rp_init_logout_no_state(op):
    asked = op.provider().end_session("hint", "https://app.example/bye", "")
    assert "state" not in asked.params
    assert "state=" not in asked.url


# Advisories


@pytest.mark.parametrize(
    "header",
    [
        pytest.param({"jwk": public(rsa("stranger"))}, id="CVE-2026-27962 jwk"),
        pytest.param({"jku": "https://evil.example/jwks"}, id="CVE-2026-27962 jku"),
        pytest.param({"x5u": "https://evil.example/x5u"}, id="CVE-2026-27962 x5u"),
        pytest.param({"x5c": ["AAAA"]}, id="CVE-2026-27962 x5c"),
        pytest.param({"crit": ["x"], "x": 1}, id="CVE-2025-59420 unknown"),
        pytest.param({"crit": ["b64"], "b64": True}, id="CVE-2025-59420 known"),
        pytest.param({"crit": []}, id="CVE-2025-59420 empty"),
        pytest.param({"crit": "x"}, id="CVE-2025-59420 no list"),
        pytest.param({"crit": 7}, id="CVE-2025-59420 number"),
        pytest.param({"b64": False}, id="RFC 7797 without crit"),
    ],
)
@pytest.mark.parametrize("key", ["one", "stranger"])
def test_a_token_that_brings_its_key_or_a_rule_of_its_own_does_not_count(op, header, key):
    op.key = rsa(key)
    op.header = header
    provider = op.provider()
    with pytest.raises(SignInFailed, match=r"header has a parameter|malformed"):
        op.sign_in(provider)
    with pytest.raises(SignInFailed, match=r"header has a parameter|malformed"):
        provider.logout_token(op.logout_token())
    assert {each.path for each in op.asked} <= {
        "/.well-known/openid-configuration",
        "/jwks",
        "/token",
    }


def test_an_unknown_member_of_a_header_is_passed_over(op):
    op.header = {"x-vendor": 7, "x5t": "AA"}
    assert op.sign_in().subject == "ada"


@pytest.mark.parametrize(
    "member", [{"kid": 7}, {"kid": ["one"]}, {"typ": 7}, {"x5t": 7}, {"cty": []}]
)
def test_a_header_of_wrong_types_does_not_count(op, member):
    op.header = member
    with pytest.raises(SignInFailed, match="header is malformed"):
        op.sign_in()


@pytest.mark.parametrize("alg", ["XX999", "ES257", "", "EdDSA2", "RSmd5"])
def test_cve_2026_28498_at_hash_by_an_algorithm_that_nobody_knows(op, clock, alg):
    jwt = read(op.id_token(at_hash="anything"))
    strange = replace(jwt, header={"alg": alg})
    with pytest.raises(BadToken, match="at_hash"):
        check_id_token(strange, op.provider().provider, "access-1", clock())
