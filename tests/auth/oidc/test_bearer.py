"""Access tokens that a request brings: whose they are, and which of them count."""

import hmac
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bff.auth.oidc.bearer import Bearer
from bff.errors import InvalidToken, ProviderAway
from bff.model.access import Issuer
from bff.model.principal import Principal
from tests.auth.scripted_provider import (
    ABSENT,
    API,
    CLIENT,
    HERE,
    ISSUER,
    ScriptedProvider,
    at_once,
    edwards,
    elliptic,
    encoded,
    public,
    rsa,
    signed,
)
from tests.examples import examples


@pytest.fixture
def op(clock):
    with ScriptedProvider(clock) as made:
        yield made


def refused(op, token, why=None, **issuer):
    with pytest.raises(InvalidToken, match=why) as wrong:
        op.bearer(**issuer).principal(token)
    description = str(wrong.value)  # as it stands in error_description (RFC 6750, section 3)
    assert all(" " <= char <= "~" and char not in '"\\' for char in description)
    assert len(description) < 100
    return description


def test_an_access_token_says_who_asks(op):
    token = op.access_token(acr="gold", roles=["admin"], email="ada@x")
    principal = op.bearer(claims=("roles", "plan")).principal(token)
    assert principal == Principal(
        issuer=ISSUER,
        subject="ada",
        client="app",
        audience=API,
        scopes=frozenset({"orders.read", "orders.write"}),
        acr="gold",
        token=token,
    )
    assert principal.claims == {"roles": ["admin"]}
    assert principal.signed_in
    assert token not in repr(principal)


def test_the_client_is_the_authorized_party_where_it_has_no_other_name(op):
    token = op.access_token(client_id=ABSENT, azp="mobile")
    assert op.bearer().principal(token).client == "mobile"


@pytest.mark.parametrize(
    ("claims", "scopes"),
    [
        ({"scope": "a b"}, {"a", "b"}),
        ({"scope": ""}, set()),
        ({"scope": ABSENT}, set()),
        ({"scope": ABSENT, "scp": ["a", "b"]}, {"a", "b"}),
        ({"scope": ABSENT, "scp": "a b"}, {"a", "b"}),
        ({"scope": "a", "scp": ["admin"]}, {"a"}),
    ],
)
def test_scopes_are_read_as_issuers_write_them(op, claims, scopes):
    assert op.bearer().principal(op.access_token(**claims)).scopes == scopes


@pytest.mark.parametrize("scope", [7, {"a": 1}, [7], [["a"]], True, None])
def test_scopes_that_are_none_are_refused(op, scope):
    refused(op, op.access_token(scope=scope), "its scope is wrong")


@pytest.mark.parametrize("claims", [{"aud": [API, "other"]}, {"aud": ["other", API]}])
def test_a_token_may_be_for_others_too(op, claims):
    assert op.bearer().principal(op.access_token(**claims)).audience == API


def test_a_token_is_for_the_audience_of_ours_that_it_names(op):
    bearer = op.bearer(audience=("first", "second"))
    assert bearer.principal(op.access_token(aud=["x", "second"])).audience == "second"


@pytest.mark.parametrize("aud", [ABSENT, None, "", "other", [], ["other"], API + "/", 7, [7, API]])
def test_a_token_for_somebody_else_is_refused(op, aud):
    refused(op, op.access_token(aud=aud), "its aud is missing or wrong")


@pytest.mark.parametrize(
    "iss", [ABSENT, None, "", "https://evil.example", ISSUER + "/", 7, [ISSUER]]
)
def test_a_token_of_another_issuer_is_refused_before_anybody_is_asked(op, iss):
    refused(op, op.access_token(iss=iss))
    assert not op.asked


@pytest.mark.parametrize("name", ["exp", "iat", "sub"])
@pytest.mark.parametrize("value", [ABSENT, None, "", "1", True, [1], {}])
def test_what_a_token_must_have_must_be_right(op, name, value):
    if name == "sub" and value == "1":
        value = 1
    refused(op, op.access_token(**{name: value}), f"its {name} is missing or wrong")


def test_a_number_that_is_none_never_expires_and_is_refused(op):
    for number in (b"NaN", b"Infinity", b"1e999"):
        claims = b'{"iss":"%s","aud":"%s","sub":"ada","iat":1,"exp":%s}' % (
            ISSUER.encode(),
            API.encode(),
            number,
        )
        refused(op, signed({"alg": "RS256", "kid": "one", "typ": "at+jwt"}, claims, op.key))


@pytest.mark.parametrize(
    ("claims", "why"),
    [
        ({"exp": -31}, "it has expired"),
        ({"nbf": 40}, "its nbf"),
        ({"iat": 40, "exp": 300}, "its iat"),
    ],
)
def test_the_times_of_a_token_are_kept(op, clock, claims, why):
    now = int(clock())
    refused(op, op.access_token(**{name: now + at for name, at in claims.items()}), why)


def test_clocks_may_differ_a_little(op, clock):
    now = int(clock())
    for claims in ({"exp": now - 28}, {"nbf": now + 28}, {"iat": now + 28}):
        assert op.bearer().principal(op.access_token(**claims)).subject == "ada"


@pytest.mark.parametrize("typ", ["at+jwt", "AT+JWT", "application/at+jwt", "JWT", ABSENT])
def test_issuers_call_their_access_tokens_by_different_types(op, typ):
    assert op.bearer().principal(op.access_token({"typ": typ})).subject == "ada"


@pytest.mark.parametrize("typ", ["logout+jwt", "id+jwt", "dpop+jwt", "secevent+jwt", "x"])
def test_a_token_of_another_type_is_refused(op, typ):
    refused(op, op.access_token({"typ": typ}), "its typ")


@pytest.mark.parametrize(
    "claims",
    [
        {"nonce": "n"},
        {"nonce": ""},
        {"at_hash": "x"},
        {"c_hash": "x"},
        {"events": {}},
        {"typ": "ID"},
        {"token_use": "id"},
    ],
)
@pytest.mark.parametrize("typ", ["JWT", ABSENT, "at+jwt"])
def test_an_id_token_is_no_access_token(op, claims, typ):
    refused(op, op.access_token({"typ": typ}, **claims), "it is not an access token")


def test_the_id_token_of_a_sign_in_is_no_access_token(op):
    token = op.sign_in().tokens.id_token
    refused(op, token, "it is not an access token", audience=(CLIENT,))


@pytest.mark.parametrize(
    "token",
    ["", ".", "..", "a.b.c", "a.b", "a.b.c.d", "a.b.c.d.e", "é.e.e", "\ud800", "x" * 8193, "a b c"],
)
def test_what_is_no_token_is_refused(op, token):
    refused(op, token, "it is malformed")
    assert not op.asked


def test_a_token_of_more_than_eight_kilobytes_is_refused(op):
    token = op.access_token(padding="x" * 6200)
    assert len(token) > 8192
    refused(op, token, "it is malformed")


@pytest.mark.parametrize("header", [b"[]", b'"alg"', b'["alg"]', b'["alg","b64"]', b"7", b"null"])
def test_a_header_that_is_no_object_is_refused(op, header):
    rest = op.access_token().partition(".")[2]
    refused(op, f"{encoded(header)}.{rest}", "it is malformed")


@pytest.mark.parametrize("payload", [b"[]", b'"iss"', b"", b"{", b"\xff", b"[" * 5000])
def test_claims_that_are_no_object_are_refused(op, payload):
    refused(op, signed({"alg": "RS256", "kid": "one"}, payload, op.key), "it is malformed")


@pytest.mark.parametrize("alg", [None, 7, "", ["RS256"], {}, "rs256", "RS257", "HS256", "none"])
def test_an_algorithm_that_is_not_on_the_list_is_refused_before_anybody_is_asked(op, alg):
    header = encoded(b'{"alg":%s,"kid":"one"}' % str(alg).replace("'", '"').encode())
    if isinstance(alg, str):
        header = encoded(b'{"alg":"%s","kid":"one"}' % alg.encode())
    _, claims, signature = op.access_token().split(".")
    refused(op, f"{header}.{claims}.{signature}")
    assert not op.asked


def test_a_list_of_algorithms_is_kept_to(op):
    refused(op, op.access_token(), "not allowed", algorithms=("ES256",))
    refused(op, op.access_token(), "not allowed", algorithms=())


@pytest.mark.parametrize("key", [rsa, elliptic, edwards])
def test_every_kind_of_key_verifies(op, key):
    op.key = key()
    op.keys = [public(op.key)]
    assert op.bearer().principal(op.access_token()).subject == "ada"


def test_a_symmetric_algorithm_is_refused_even_where_it_was_declared(op):
    pem = op.key.as_pem(private=False)
    op.keys = [public(op.key), {"kty": "oct", "k": encoded(pem), "kid": "one"}]
    claims = op.access_token().split(".")[1]
    start = encoded(b'{"alg":"HS256","kid":"one","typ":"at+jwt"}') + f".{claims}"
    token = f"{start}.{encoded(hmac.digest(pem, start.encode(), 'sha256'))}"
    refused(op, token, "not allowed", algorithms=("HS256", "RS256"))


def test_a_signature_of_somebody_else_is_refused(op):
    theirs = op.access_token()
    op.key = rsa("stranger")
    op.header = {"kid": "one"}
    refused(op, op.access_token(), "its signature is wrong")
    head, _, signature = theirs.split(".")
    _, claims, _ = op.access_token(sub="grace").split(".")
    refused(op, f"{head}.{claims}.{signature}", "its signature is wrong")
    refused(op, f"{head}.{claims}.", "its signature is wrong")


def test_a_token_of_one_issuer_is_not_verified_with_the_keys_of_another(op, clock):
    with ScriptedProvider(clock, "https://other.example") as other:
        other.key = rsa("other")
        other.keys = [public(other.key)]
        of_either = iter([op.http(), other.http()])
        issuers = [Issuer(each, HERE, each, (API,)) for each in (ISSUER, other.issuer)]
        bearer = Bearer(issuers, lambda _: next(of_either), clock, at_once)
        assert bearer.principal(other.access_token()).issuer == other.issuer
        for kid in ("other", "one"):
            with pytest.raises(InvalidToken, match="signature is wrong"):
                bearer.principal(other.access_token({"kid": kid}, iss=ISSUER))


def test_keys_may_be_where_the_declaration_says_and_no_metadata_is_asked_for(op):
    op.replies["/keys.json"] = lambda asked: (200, op._jwks(asked))
    assert op.bearer(jwks=f"{ISSUER}/keys.json").principal(op.access_token()).subject == "ada"
    assert [each.path for each in op.asked] == ["/keys.json"]


@pytest.mark.parametrize("jwks", ["http://op.example/keys", "http://127.1.evil/k", "file:///k"])
def test_keys_are_not_fetched_without_tls(op, jwks):
    with pytest.raises(ProviderAway, match="neither https"):
        op.bearer(jwks=jwks).principal(op.access_token())
    assert not op.asked


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2:9", "localhost", "[::1]"])
def test_keys_may_be_declared_on_this_machine_without_tls(op, host):
    """Beside an issuer of https too: the address is the operator's own word."""
    op.replies["/keys"] = lambda asked: (200, op._jwks(asked))
    assert op.bearer(jwks=f"http://{host}/keys").principal(op.access_token()).subject == "ada"


def test_keys_that_cannot_be_had_are_no_fault_of_the_token(op):
    op.replies["/jwks"] = (503, b"")
    with pytest.raises(ProviderAway):
        op.bearer().principal(op.access_token())


def test_a_new_key_is_fetched_and_a_storm_of_unknown_ones_is_not(op):
    bearer = op.bearer()
    bearer.principal(op.access_token())
    op.rotate()
    assert bearer.principal(op.access_token()).subject == "ada"
    for number in range(10):
        with pytest.raises(InvalidToken):
            bearer.principal(op.access_token({"kid": f"unknown-{number}"}))
    assert op.times("/jwks") == 2


def test_a_token_without_kid_is_verified_by_the_only_key_that_fits(op):
    op.keys = [public(rsa()), public(elliptic())]
    assert op.bearer().principal(op.access_token({"kid": ABSENT})).subject == "ada"
    op.keys = [public(rsa()), public(rsa("two"))]
    refused(op, op.access_token({"kid": ABSENT}), "several keys match")


def test_a_bad_token_does_not_wait_for_a_provider_that_is_away(op):
    bearer = op.bearer()
    bearer.principal(op.access_token())
    op.replies["/jwks"] = (503, b"")
    head, claims, _ = op.access_token().split(".")
    with pytest.raises(InvalidToken):
        bearer.principal(f"{head}.{claims}.AAAA")


parts = st.one_of(
    st.binary(max_size=40).map(encoded),
    st.text(max_size=20),
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["alg", "kid", "typ", "crit", "b64", "iss", "aud", "exp"]), inner
            )
        ),
        max_leaves=8,
    ).map(lambda value: encoded(str(value).replace("'", '"').encode())),
)


@settings(max_examples=examples(200), deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(parts, min_size=1, max_size=4))
def test_nothing_that_is_sent_as_a_token_raises_anything_else(made):
    with ScriptedProvider(time.time) as op, pytest.raises(InvalidToken):
        op.bearer().principal(".".join(made))
