"""What a provider is asked, how strictly its answers are read, and what survives its absence."""

import base64
import logging
import subprocess
import sys
from dataclasses import replace
from hashlib import sha256
from urllib.parse import parse_qs, urlsplit

import orjson
import pytest
from joserfc import jwt
from joserfc.jws import JWSRegistry

from bff.auth.oidc.login import Tokens
from bff.auth.oidc.token_endpoint import TokenRefused
from bff.errors import (
    BffError,
    ConfigError,
    GrantEnded,
    ProviderAway,
    ProviderMisconfigured,
    SignInFailed,
)
from tests.auth.scripted_provider import (
    ABSENT,
    CLIENT,
    ISSUER,
    SECRET,
    ScriptedProvider,
    edwards,
    elliptic,
    rsa,
)

DISCOVERY = "/.well-known/openid-configuration"
SAID = "S3CRET words of the provider"


@pytest.fixture
def op(clock):
    with ScriptedProvider(clock) as made:
        yield made


def query(url):
    return parse_qs(urlsplit(url).query)


# The way there


def test_the_authorization_request_has_all_that_the_standards_want(op):
    login = op.login(max_age=0, acr_values="gold silver")
    url = op.provider(scopes=("openid", "email")).authorization_url(login, "login")
    assert url.startswith(f"{ISSUER}/authorize?")
    challenge = base64.urlsafe_b64encode(sha256(login.verifier.encode()).digest())
    assert query(url) == {
        "response_type": ["code"],
        "client_id": [CLIENT],
        "redirect_uri": [login.redirect_uri],
        "scope": ["openid email"],
        "state": [login.state],
        "nonce": [login.nonce],
        "code_challenge": [challenge.rstrip(b"=").decode()],
        "code_challenge_method": ["S256"],
        "max_age": ["0"],
        "acr_values": ["gold silver"],
        "prompt": ["login"],
    }


def test_what_was_not_asked_for_is_not_in_the_authorization_request(op):
    assert (
        not {"max_age", "acr_values", "prompt"}
        & query(op.provider().authorization_url(op.login())).keys()
    )


def test_declared_parameters_are_added_and_replace_none_of_ours(op):
    params = {"audience": "api", "state": "mine", "redirect_uri": "https://evil.example"}
    asked = query(op.provider(params=params).authorization_url(op.login()))
    assert asked["audience"] == ["api"]
    assert asked["state"] == ["state-of-login"]
    assert asked["redirect_uri"] == ["https://app.example/auth/callback"]


def test_a_declared_prompt_is_asked_for_unless_the_sign_in_has_one_of_its_own(op):
    provider = op.provider(params={"prompt": "consent"})
    assert query(provider.authorization_url(op.login()))["prompt"] == ["consent"]
    assert query(provider.authorization_url(op.login(), "login"))["prompt"] == ["login"]


def test_the_query_that_an_endpoint_has_is_kept(op):
    op.metadata["authorization_endpoint"] = f"{ISSUER}/authorize?tenant=7"
    asked = query(op.provider().authorization_url(op.login()))
    assert (asked["tenant"], asked["client_id"]) == (["7"], [CLIENT])


# Sign-in


def test_a_sign_in_brings_the_person_and_their_tokens(op, clock):
    op.claims = {"sid": "s1", "acr": "gold", "auth_time": 5, "email": "ada@x", "other": 1}
    op.grant = {"scope": "openid email", "expires_in": 60}
    person = op.sign_in(op.provider(claims=("email", "name")))
    assert (person.issuer, person.subject, person.sid, person.acr) == (ISSUER, "ada", "s1", "gold")
    assert person.auth_time == 5
    assert person.claims == {"email": "ada@x"}
    tokens = person.tokens
    assert (tokens.access, tokens.refresh, tokens.subject) == ("access-1", "refresh-1", "ada")
    assert tokens.expires == clock() + 60
    assert tokens.scope == "openid email"


def test_the_code_is_redeemed_with_its_verifier_and_address(op):
    op.sign_in()
    assert op.asked[-1].form == {
        "grant_type": "authorization_code",
        "code": "code",
        "redirect_uri": "https://app.example/auth/callback",
        "code_verifier": "v" * 43,
    }


def test_the_scope_is_what_was_asked_for_unless_the_provider_says_otherwise(op):
    assert op.sign_in(op.provider(scopes=("openid", "cart"))).tokens.scope == "openid cart"


def test_an_answer_without_a_code_asks_the_provider_nothing(op):
    with pytest.raises(SignInFailed, match="no code"):
        op.provider().redeem("", None, op.login())
    assert not op.asked


def test_a_login_that_was_begun_with_another_provider_is_refused(op):
    with pytest.raises(SignInFailed, match="begun with another provider"):
        op.sign_in(provider=op.provider(name="other"))
    assert not op.times("/token")


@pytest.mark.parametrize("names_itself", [True, False])
def test_an_answer_that_names_another_issuer_is_refused_before_the_code_is_spent(op, names_itself):
    op.metadata["authorization_response_iss_parameter_supported"] = names_itself
    for wrong in ("https://evil.example", f"{ISSUER}/", ""):
        with pytest.raises(SignInFailed, match="from another provider"):
            op.sign_in(iss=wrong)
    assert not op.times("/token")


def test_a_provider_that_names_itself_must_do_so(op):
    op.metadata["authorization_response_iss_parameter_supported"] = True
    with pytest.raises(SignInFailed, match="does not say which provider"):
        op.sign_in(iss=None)
    assert op.sign_in(iss=ISSUER).subject == "ada"


def test_an_answer_without_an_id_token_signs_nobody_in(op):
    for nothing in (ABSENT, "", None):
        op.grant = {"id_token": nothing}
        with pytest.raises(SignInFailed, match="there is none"):
            op.sign_in()


def test_a_code_is_not_spent_while_the_keys_cannot_be_had(op):
    op.replies["/jwks"] = (500, b"")
    with pytest.raises(ProviderAway):
        op.sign_in()
    assert not op.times("/token")


@pytest.mark.parametrize("error", ["invalid_grant", "invalid_client", "made_up", SAID])
def test_a_refused_code_ends_in_our_words_alone(op, error, caplog):
    op.replies["/token"] = (400, {"error": error, "error_description": SAID})
    with caplog.at_level(logging.DEBUG), pytest.raises(SignInFailed) as failed:
        op.sign_in()
    assert str(failed.value) == "the provider did not accept the sign-in"
    assert SAID not in caplog.text
    assert failed.value.__cause__ is None
    assert failed.value.__suppress_context__


# Max age, step-up


@pytest.mark.parametrize(
    ("max_age", "ago", "fine"),
    [(60, 0, True), (60, 89, True), (60, 91, False), (0, 29, True), (0, 31, False)],
)
def test_a_sign_in_of_long_ago_does_not_do_where_a_recent_one_was_asked_for(
    op, clock, max_age, ago, fine
):
    op.claims = {"auth_time": clock() - ago}
    if fine:
        assert op.sign_in(max_age=max_age).auth_time == pytest.approx(clock() - ago)
    else:
        with pytest.raises(SignInFailed, match="auth_time"):
            op.sign_in(max_age=max_age)


@pytest.mark.parametrize(
    ("max_age", "before", "fine"), [(0, 30, True), (0, 31, False), (60, 90, True), (60, 91, False)]
)
@pytest.mark.parametrize("consent", [0, 500])
def test_how_long_ago_is_counted_from_when_the_sign_in_began(
    op, clock, max_age, before, fine, consent
):
    """A person may take their time over a form after they have proved who they are."""
    begun = clock() - consent
    op.claims = {"auth_time": begun - before}
    if fine:
        assert op.sign_in(max_age=max_age, at=begun)
    else:
        with pytest.raises(SignInFailed, match="auth_time"):
            op.sign_in(max_age=max_age, at=begun)


def test_a_time_in_whole_seconds_is_not_before_the_second_in_which_the_sign_in_began(op, clock):
    begun = int(clock()) + 0.9
    op.claims = {"auth_time": int(begun)}
    assert op.sign_in(op.provider(leeway=0.0), max_age=0, at=begun)


@pytest.mark.parametrize("at", [ABSENT, None, "0", True, [1], {}])
def test_a_recent_sign_in_must_be_told_with_a_time(op, at):
    op.claims = {"auth_time": at}
    with pytest.raises(SignInFailed, match="auth_time"):
        op.sign_in(max_age=0)


@pytest.mark.parametrize("at", ["0", True, [1], {}])
def test_a_time_that_is_none_is_refused_even_where_nobody_asked(op, at):
    op.claims = {"auth_time": at}
    with pytest.raises(SignInFailed, match="auth_time"):
        op.sign_in()


def test_nobody_signs_in_in_the_future(op, clock):
    op.claims = {"auth_time": clock() + 31}
    with pytest.raises(SignInFailed, match="auth_time"):
        op.sign_in()


@pytest.mark.parametrize("acr", [ABSENT, "", "bronze", "gold silver", ["gold"]])
def test_a_weaker_way_than_was_asked_for_does_not_do(op, acr):
    op.claims = {"acr": acr}
    with pytest.raises(SignInFailed, match="acr"):
        op.sign_in(acr_values="gold silver")


def test_one_of_the_ways_that_were_asked_for_does(op):
    op.claims = {"acr": "silver"}
    assert op.sign_in(acr_values="gold silver").acr == "silver"


# Token answers


@pytest.mark.parametrize(
    "grant",
    [
        {"access_token": ABSENT},
        {"access_token": ""},
        {"access_token": 7},
        {"access_token": "a\r\nx-admin: 1"},
        {"access_token": "a b"},
        {"access_token": "é"},
        {"token_type": ABSENT},
        {"token_type": "DPoP"},
        {"token_type": ["Bearer"]},
        {"expires_in": True},
        {"expires_in": -1},
        {"expires_in": "-1"},
        {"expires_in": "soon"},
        {"expires_in": "nan"},
        {"expires_in": ""},
        {"expires_in": [60]},
        {"refresh_token": 7},
        {"id_token": {"a": 1}},
        {"scope": ["openid"]},
    ],
)
def test_a_token_answer_that_is_not_as_the_standard_says_is_none(op, grant):
    op.grant = grant
    with pytest.raises(ProviderAway):
        op.sign_in()


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b'"x"', b"null", b"\xff", b"NaN", b"[" * 5000, b'{"a":1']
)
def test_a_token_answer_that_is_no_object_is_none(op, body):
    op.replies["/token"] = (200, body)
    with pytest.raises(ProviderAway):
        op.provider().client_credentials("", "")


@pytest.mark.parametrize("status", [201, 204, 301, 302, 400, 401, 404, 408, 429, 500, 503])
def test_no_other_status_brings_tokens(op, status):
    fine = {"access_token": "a", "token_type": "Bearer"}
    op.replies["/token"] = (status, fine)
    with pytest.raises(ProviderAway, match=str(status)):
        op.provider().refresh(Tokens("a", 0.0, "r", subject="ada"))


def test_the_type_of_a_token_is_read_in_any_case_and_its_life_assumed_if_nobody_says(op, clock):
    for nothing in (ABSENT, None):
        op.grant = {"token_type": "bEARER", "expires_in": nothing}
        assert op.provider().client_credentials("", "").expires == clock() + 300


@pytest.mark.parametrize(
    ("written", "seconds"), [("60", 60), ("3599.5", 3599.5), (0, 0), (1e300, 400 * 24 * 3600)]
)
def test_the_life_of_a_token_is_a_number_or_its_text(op, clock, written, seconds):
    op.grant = {"expires_in": written}
    assert op.provider().client_credentials("", "").expires == clock() + seconds


def test_the_life_of_a_token_begins_when_it_was_asked_for(op, clock):
    def slow(_):
        clock.advance(4)

    op.replies["/token"] = slow
    asked = clock()
    assert op.provider().client_credentials("", "").expires == asked + 60


# Refresh

HELD = Tokens("access-0", 0.0, "refresh-0", "id-0", "openid", "ada")


def test_a_refresh_keeps_what_did_not_come_anew(op, clock):
    fresh = op.provider().refresh(HELD)
    assert fresh == replace(HELD, access="access-1", expires=clock() + 60)
    assert op.asked[-1].form == {"grant_type": "refresh_token", "refresh_token": "refresh-0"}


def test_a_refresh_takes_what_came_anew(op):
    token = op.id_token(nonce=ABSENT)
    op.grant = {"refresh_token": "refresh-1", "id_token": token, "scope": "openid x"}
    fresh = op.provider().refresh(HELD)
    assert (fresh.refresh, fresh.id_token, fresh.scope) == ("refresh-1", token, "openid x")


def test_a_dead_refresh_token_ends_the_grant(op):
    op.replies["/token"] = (400, {"error": "invalid_grant", "error_description": SAID})
    with pytest.raises(GrantEnded) as ended:
        op.provider().refresh(HELD)
    assert SAID not in str(ended.value)


@pytest.mark.parametrize(
    "reply",
    [
        (400, {"error": "invalid_client"}),
        (400, {"error": "temporarily_unavailable"}),
        (400, {"error": ["invalid_grant"]}),
        (500, {"error": "invalid_grant"}),
        (429, {"error": "invalid_grant"}),
        (200, {"error": "invalid_grant"}),
        (403, b"<html>invalid_grant"),
    ],
)
def test_nothing_else_ends_the_grant(op, reply):
    op.replies["/token"] = reply
    with pytest.raises(ProviderAway):
        op.provider().refresh(HELD)


def test_a_refresh_token_is_not_spent_while_the_keys_cannot_be_had(op):
    op.replies["/jwks"] = (500, b"")
    with pytest.raises(ProviderAway):
        op.provider().refresh(HELD)
    assert not op.times("/token")


@pytest.mark.parametrize("published", ["away", "not yet"])
def test_a_refresh_whose_key_cannot_be_had_keeps_what_it_brought(op, published):
    """The refresh token before is spent: without the new one the session would be over."""
    provider = op.provider()
    provider.prepare()
    keys = op.keys
    op.rotate()
    if published == "away":
        op.replies["/jwks"] = (500, b"")
    else:
        op.keys = keys
    op.grant = {"id_token": op.id_token(), "refresh_token": "refresh-1"}
    for _ in range(2):  # the second is within the cooldown
        fresh = provider.refresh(HELD)
        assert (fresh.access, fresh.refresh, fresh.id_token) == ("access-1", "refresh-1", "id-0")
    op.grant = {"id_token": op.id_token(sub="grace"), "refresh_token": "refresh-2"}
    with pytest.raises(GrantEnded, match="another person's"):
        provider.refresh(HELD)
    with pytest.raises((ProviderAway, SignInFailed)):
        op.sign_in(provider)


def test_a_refresh_with_a_forged_id_token_ends_the_grant(op):
    head, claims, _ = op.id_token().split(".")
    op.grant = {"id_token": f"{head}.{claims}.{'A' * 342}", "refresh_token": "refresh-1"}
    with pytest.raises(GrantEnded, match="its signature is wrong"):
        op.provider().refresh(HELD)


# Other grants


def test_a_token_is_exchanged_for_one_audience(op):
    op.grant = {"issued_token_type": "urn:ietf:params:oauth:token-type:access_token"}
    tokens = op.provider().exchange("the-access", "orders", "orders.read")
    assert (tokens.access, tokens.scope, tokens.subject) == ("access-1", "orders.read", "")
    assert op.asked[-1].form == {
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "subject_token": "the-access",
        "subject_token_type": "urn:ietf:params:oauth:token-type:access_token",
        "requested_token_type": "urn:ietf:params:oauth:token-type:access_token",
        "audience": "orders",
        "scope": "orders.read",
    }


@pytest.mark.parametrize(
    ("code", "subject"),
    [
        ("invalid_grant", True),
        ("invalid_request", True),
        ("invalid_token", True),
        ("interaction_required", True),
        ("invalid_target", False),
        ("invalid_scope", False),
        ("access_denied", False),
        ("made_up", False),
        ("invalid_client", None),
        ("unauthorized_client", None),
        ("unsupported_grant_type", None),
    ],
)
def test_an_exchange_tells_a_token_that_does_not_do_from_what_is_set_up_wrong(op, code, subject):
    op.replies["/token"] = (400, {"error": code})
    with pytest.raises(ProviderMisconfigured if subject is None else TokenRefused) as refused:
        op.provider().exchange("the-access", "orders", "")
    assert f"{ISSUER}/token refused the grant: {code}" in refused.value.detail
    if subject is not None:
        assert refused.value.subject is subject


def test_client_credentials_are_our_own(op):
    tokens = op.provider().client_credentials("orders", "orders.read")
    assert (tokens.access, tokens.scope) == ("access-1", "orders.read")
    expected = {"audience": "orders", "scope": "orders.read", "grant_type": "client_credentials"}
    assert op.asked[-1].form == expected


def test_client_credentials_that_are_refused_name_the_code_of_the_standard(op):
    op.replies["/token"] = (401, {"error": "invalid_client", "error_description": SAID})
    with pytest.raises(ProviderAway, match="invalid_client") as away:
        op.provider().client_credentials("", "")
    assert SAID not in str(away.value)


# Revocation and sign-out


def test_a_token_is_revoked_with_proof_of_who_asks(op):
    op.provider().revoke("refresh-0")
    asked = op.asked[-1]
    assert (asked.path, asked.form) == ("/revoke", {"token": "refresh-0"})
    assert asked.headers["authorization"].startswith("Basic ")


@pytest.mark.parametrize("path", [DISCOVERY, "/revoke"])
def test_a_revocation_that_fails_is_nobodys_problem(op, path):
    def broken(_):
        raise OSError(SAID)

    op.replies[path] = broken
    op.provider().revoke("refresh-0")
    assert op.asked[-1].path == path


def test_what_cannot_be_revoked_is_not(op):
    op.metadata["revocation_endpoint"] = ABSENT
    op.provider().revoke("refresh-0")
    assert not op.times("/revoke")


def test_the_way_to_sign_out_there(op):
    asked = op.provider().end_session("the-id-token", "https://app.example/bye", "s")
    assert asked.url.startswith(f"{ISSUER}/end?")
    assert query(asked.url) == {
        "id_token_hint": ["the-id-token"],
        "client_id": [CLIENT],
        "post_logout_redirect_uri": ["https://app.example/bye"],
        "state": ["s"],
    }


def test_there_is_no_way_where_the_provider_has_none_or_is_away(op):
    op.metadata["end_session_endpoint"] = ABSENT
    assert op.provider().end_session("t", "https://app.example", "s") is None
    op.replies[DISCOVERY] = (500, b"")
    assert op.provider().end_session("t", "https://app.example", "s") is None


def test_an_address_that_would_be_too_long_is_none(op):
    """nginx, which may stand before a provider, reads request lines of 8,192 bytes."""
    for length, short in ((5600, True), (7800, True), (8000, False)):
        asked = op.provider().end_session("t" * length, "https://app.example/bye", "s")
        assert (asked.params["id_token_hint"], bool(asked.url)) == ("t" * length, short)
        assert len(asked.url) <= 8000


# Who we are


def test_id_and_secret_are_form_urlencoded_before_they_are_basic(op):
    op.provider(client_id="a:b c", client_secret="ü%/+ &").client_credentials("", "")
    sent = op.asked[-1].headers["authorization"].removeprefix("Basic ")
    assert base64.b64decode(sent) == b"a%3Ab+c:%C3%BC%25%2F%2B+%26"


def test_the_secret_goes_into_the_body_where_that_is_declared(op):
    op.provider(auth="client_secret_post").client_credentials("", "")
    asked = op.asked[-1]
    assert (asked.form["client_id"], asked.form["client_secret"]) == (CLIENT, SECRET)
    assert "authorization" not in asked.headers


def test_a_public_client_shows_its_name_alone(op):
    op.provider(auth="none").client_credentials("", "")
    asked = op.asked[-1]
    assert asked.form == {"grant_type": "client_credentials", "client_id": CLIENT}
    assert "authorization" not in asked.headers


@pytest.mark.parametrize(
    ("key", "algorithm"), [(rsa, "RS256"), (elliptic, "ES256"), (edwards, "EdDSA")]
)
def test_an_assertion_is_for_this_issuer_for_a_minute_and_for_once(op, clock, key, algorithm):
    pem = key().as_pem(private=True).decode()
    provider = op.provider(auth="private_key_jwt", private_key=pem, key_id="k1", client_secret="")
    for _ in range(2):
        provider.client_credentials("", "")
    forms = [each.form for each in op.asked if each.path == "/token"]
    assert {each["client_assertion_type"] for each in forms} == {
        "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    }

    class Quiet(JWSRegistry):
        def get_alg(self, name):
            return self.algorithms[name]

    read = [jwt.decode(each["client_assertion"], key(), registry=Quiet()) for each in forms]
    assert read[0].header == {"typ": "JWT", "alg": algorithm, "kid": "k1"}
    jtis = {each.claims.pop("jti") for each in read}
    assert len(jtis) == 2
    now = int(clock())
    expected = {"iss": CLIENT, "sub": CLIENT, "aud": ISSUER, "iat": now, "exp": now + 60}
    assert read[0].claims == expected


@pytest.mark.parametrize("pem", ["", "S3CRET", "-----BEGIN PRIVATE KEY-----\nS3CRET\n"])
def test_a_private_key_that_is_none_is_a_problem_of_the_configuration(op, pem):
    with pytest.raises(ConfigError, match="private key of `main`") as wrong:
        op.provider(auth="private_key_jwt", private_key=pem)
    assert "S3CRET" not in str(wrong.value)


def test_nothing_secret_is_in_what_a_sign_in_prints(op):
    person = op.sign_in()
    shown = f"{person!r} {op.login()!r} {op.provider().provider!r}"
    secrets = ["access-1", "refresh-1", person.tokens.id_token, SECRET]
    secrets += ["state-of-login", "nonce-of-login", "v" * 43]
    assert not [each for each in secrets if each in shown]


def test_whatever_goes_wrong_no_message_has_a_token_or_code_in_it(op, caplog):
    broken = [(400, {"error": "invalid_grant", "access_token": "access-1"}), (500, b"access-1")]
    held, messages = Tokens("S3CRET-a", 0.0, "S3CRET-r", subject="ada"), []
    for reply in [*broken, (200, b"access-1"), (302, b"")]:
        op.replies["/token"] = reply
        provider = op.provider(client_secret="S3CRET-c")
        for ask in (
            lambda: provider.redeem("S3CRET-code", None, op.login()),  # noqa: B023
            lambda: provider.refresh(held),  # noqa: B023
            lambda: provider.exchange("S3CRET-a", "x", ""),  # noqa: B023
        ):
            with caplog.at_level(logging.DEBUG), pytest.raises(BffError) as raised:
                ask()
            messages.append(str(raised.value))
    assert len(messages) == 12
    assert not [each for each in messages if "S3CRET" in each or "access-1" in each]
    assert "S3CRET" not in caplog.text


def test_what_a_provider_says_is_in_no_log(op, caplog):
    with caplog.at_level(logging.DEBUG):
        person = op.sign_in()
    assert person.tokens.id_token not in caplog.text
    assert not [each for each in ("access-1", "refresh-1", "v" * 43, SECRET) if each in caplog.text]


def test_authlib_is_imported_without_its_clients_and_warns_of_nothing():
    code = "import sys, bff.auth.oidc.provider, bff.auth.oidc.bearer; print(*sys.modules)"
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603  (ours)
    assert "authlib.oauth2" in done.stdout.split()
    assert "authlib.integrations" not in done.stdout
    assert not done.stderr


def test_the_tokens_of_a_sign_in_survive_json(op):
    person = op.sign_in(op.provider(claims=("aud",)))
    assert orjson.loads(orjson.dumps(person.claims)) == {"aud": CLIENT}
