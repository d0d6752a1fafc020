"""The local provider, asked as an application and a browser ask it; its tokens read by others."""

import json
import time
from base64 import b64encode, urlsafe_b64encode
from hashlib import sha256
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from secrets import token_urlsafe
from threading import Thread
from urllib.parse import parse_qs, parse_qsl, quote_plus, urlencode, urlsplit

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from bff.dev.provider.app import LocalProvider
from bff.dev.provider.token_endpoint import ACCESS_TOKEN
from bff.dev.provider.tokens import LOGGED_OUT
from bff.dev.provider.values import EXCHANGE, RegisteredClient

BACK = "http://127.0.0.1:8080/auth/callback"
OUT = "http://127.0.0.1:8080/"
SECRET = "a secret: with everything/in it %"
VERIFIER = token_urlsafe(32)
CHALLENGE = urlsafe_b64encode(sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()


class Browser:
    """Keeps the provider's cookie, and follows nothing."""

    def __init__(self, provider, **always):
        self.provider, self.always, self.cookie = provider, always, ""

    def ask(self, method, path, form=None, **headers):
        parts = urlsplit(self.provider.issuer)
        connection = HTTPConnection(parts.hostname, parts.port, timeout=5)
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.cookie:
            sent["Cookie"] = self.cookie
        if form is not None:
            sent["Content-Type"] = "application/x-www-form-urlencoded"
        connection.request(method, path, None if form is None else urlencode(form), sent)
        reply = connection.getresponse()
        body = reply.read().decode()
        connection.close()
        if given := reply.getheader("Set-Cookie"):
            self.cookie = given.split(";")[0]
        return reply, body

    def authorize(self, form=None, **changed):
        asked = {
            "client_id": "shop",
            "redirect_uri": BACK,
            "response_type": "code",
            "scope": "openid profile",
            "state": "the state",
            "nonce": "the nonce",
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
            **changed,
        }
        query = urlencode({name: value for name, value in asked.items() if value is not None})
        return self.ask("GET" if form is None else "POST", f"/oauth/authorize?{query}", form)

    def answer(self, form=None, **changed):
        """What comes back to the application."""
        reply, body = self.authorize(form, **changed)
        assert reply.status == 303, body
        place, _, query = reply.getheader("Location").partition("?")
        assert place == BACK
        return dict(parse_qsl(query, strict_parsing=True))

    def sign_in(self, account="ada", **changed):
        return self.answer({"account": account}, **changed)["code"]


@pytest.fixture
def clock():
    return [time.time()]


@pytest.fixture
def told():
    """A server that keeps what it is told by the back channel, and its address."""
    heard = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            heard.append((self.path, parse_qs(body)))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        heard.append(f"http://127.0.0.1:{server.server_port}/out")
        yield heard
        server.shutdown()
        thread.join()


@pytest.fixture
def provider(clock, told):
    uri = told.pop()
    clients = [
        RegisteredClient("shop", SECRET, (BACK,), (OUT,), uri),
        RegisteredClient("other", "other", (BACK,)),
    ]
    with LocalProvider(clients, token_seconds=60, now=lambda: clock[0]) as made:
        yield made


@pytest.fixture
def browser(provider):
    return Browser(provider)


def post(provider, path, client="shop", secret=SECRET, **form):
    pair = f"{quote_plus(client)}:{quote_plus(secret)}".encode()
    basic = "Basic " + b64encode(pair).decode()
    reply, body = Browser(provider).ask("POST", path, form, Authorization=basic)
    return reply.status, json.loads(body) if body.strip() else None


def token(provider, kind, **form):
    return post(provider, "/oauth/token", grant_type=kind, **form)


def redeem(provider, code, **changed):
    form = {"code": code, "redirect_uri": BACK, "code_verifier": VERIFIER, **changed}
    return token(provider, "authorization_code", **form)


def tokens_of(browser, **changed):
    status, tokens = redeem(browser.provider, browser.sign_in(**changed))
    assert status == 200, tokens
    return tokens


def refresh(provider, value, **form):
    return token(provider, "refresh_token", refresh_token=value, **form)


def read(provider, value):
    """Header and claims, by the keys that it publishes."""
    metadata = json.loads(Browser(provider).ask("GET", "/.well-known/openid-configuration")[1])
    keys = json.loads(Browser(provider).ask("GET", urlsplit(metadata["jwks_uri"]).path)[1])
    found = jwt.decode(value, KeySet.import_key_set(keys), algorithms=["RS256"])
    return found.header, found.claims


def test_its_metadata_says_that_it_is_for_development(provider, browser):
    reply, body = browser.ask("GET", "/.well-known/openid-configuration")
    metadata = json.loads(body)
    assert reply.getheader("Content-Type") == "application/json"
    assert metadata["issuer"] == provider.issuer
    assert provider.issuer.startswith("http://127.0.0.1:")
    assert metadata["bff_development"] is True
    assert metadata["code_challenge_methods_supported"] == ["S256"]
    for name in ("authorization", "token", "revocation", "end_session"):
        assert metadata[f"{name}_endpoint"].startswith(provider.issuer)


def test_no_private_key_is_published(browser):
    (key,) = json.loads(browser.ask("GET", "/oauth/jwks")[1])["keys"]
    assert key.keys() == {"kty", "kid", "use", "alg", "n", "e"}


def test_the_form_offers_both_accounts_and_runs_no_script(browser):
    reply, body = browser.authorize()
    assert reply.status == 200
    assert "Ada Lovelace" in body
    assert "Grace Hopper" in body
    assert "<b>shop</b>" in body
    assert "default-src 'none'" in reply.getheader("Content-Security-Policy")
    assert "frame-ancestors 'none'" in reply.getheader("Content-Security-Policy")
    assert reply.getheader("Cache-Control") == "no-store"
    assert "script" not in body


def test_a_choice_goes_back_with_state_and_issuer(provider, browser):
    answer = browser.answer({"account": "grace"})
    assert answer.keys() == {"code", "state", "iss"}
    assert (answer["state"], answer["iss"]) == ("the state", provider.issuer)


def test_an_id_token_says_who_and_when(provider, browser, clock):
    tokens = tokens_of(browser, account="grace", acr_values="urn:mfa urn:other")
    header, claims = read(provider, tokens["id_token"])
    assert header["typ"] == "JWT"
    assert (claims["iss"], claims["aud"], claims["sub"]) == (provider.issuer, "shop", "grace")
    assert (claims["name"], claims["email"]) == ("Grace Hopper", "grace@example.com")
    assert (claims["plan"], claims["tenant"]) == ("pro", "navy")
    assert (claims["nonce"], claims["acr"]) == ("the nonce", "urn:mfa")
    assert claims["auth_time"] == claims["iat"] == int(clock[0])
    half = sha256(tokens["access_token"].encode()).digest()[:16]
    assert claims["at_hash"] == urlsafe_b64encode(half).rstrip(b"=").decode()


def test_an_access_token_is_as_rfc_9068_says(provider, browser, clock):
    tokens = tokens_of(browser, audience="https://api.shop.example")
    header, claims = read(provider, tokens["access_token"])
    assert header["typ"] == "at+jwt"
    assert (claims["sub"], claims["client_id"]) == ("ada", "shop")
    assert claims["aud"] == "https://api.shop.example"
    assert (claims["scope"], claims["tenant"]) == ("openid profile", "acme")
    assert claims["exp"] == int(clock[0]) + 60
    assert (tokens["token_type"], tokens["expires_in"]) == ("Bearer", 60)


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"scope": "profile"}, "invalid_scope"),
        ({"prompt": "none login"}, "invalid_request"),
        ({"prompt": "ask"}, "invalid_request"),
        ({"prompt": "none"}, "login_required"),
        ({"max_age": "soon"}, "invalid_request"),
        ({"max_age": "-1"}, "invalid_request"),
        ({"nonce": "n" * 513}, "invalid_request"),
        ({"request": "eyJ"}, "request_not_supported"),
        ({"request_uri": "https://evil.example"}, "request_not_supported"),
    ],
)
def test_what_is_wrong_goes_back_to_the_application(browser, changed, error):
    answer = browser.answer(**changed)
    assert (answer["error"], answer["state"]) == (error, "the state")
    assert answer["iss"] == browser.provider.issuer
    assert "code" not in answer


@pytest.mark.parametrize(
    "changed",
    [
        {"client_id": "nobody"},
        {"client_id": None},
        {"redirect_uri": None},
        {"redirect_uri": "https://evil.example"},
        {"redirect_uri": BACK + "/"},
        {"redirect_uri": BACK + "?a=b"},
        {"redirect_uri": "<script>"},
    ],
)
def test_what_may_not_be_sent_anywhere_is_a_page(browser, changed):
    reply, body = browser.authorize(**changed)
    assert reply.status == 400
    assert reply.getheader("Location") is None
    assert "<script>" not in body


def test_a_parameter_given_twice_is_refused(browser):
    reply, _ = browser.ask("GET", "/oauth/authorize?" + urlencode(
        [("client_id", "shop"), ("redirect_uri", BACK), ("scope", "openid"), ("scope", "openid")]
    ))  # fmt: skip
    assert "error=invalid_request" in reply.getheader("Location")


@pytest.mark.parametrize("account", ["", "mallory"])
def test_nobody_is_a_choice_too(browser, account):
    assert browser.answer({"account": account})["error"] == "access_denied"
    assert browser.cookie == ""


def test_a_choice_made_on_another_site_is_none(provider):
    query = urlencode({"client_id": "shop", "redirect_uri": BACK, "response_type": "code",
                       "scope": "openid", "code_challenge": CHALLENGE,
                       "code_challenge_method": "S256"})  # fmt: skip
    for origin in ("https://evil.example", "null"):
        reply, _ = Browser(provider).ask(
            "POST", f"/oauth/authorize?{query}", {"account": "ada"}, Origin=origin
        )
        assert "error=access_denied" in reply.getheader("Location")
        assert reply.getheader("Set-Cookie") is None


def test_who_is_signed_in_is_not_asked_again(browser):
    first = browser.sign_in("grace")
    assert "HttpOnly" in browser.authorize({"account": "grace"})[0].getheader("Set-Cookie")
    assert browser.answer()["code"] != first
    assert "code" in browser.answer(prompt="none")
    _, claims = read(
        browser.provider, redeem(browser.provider, browser.answer()["code"])[1]["id_token"]
    )
    assert claims["sub"] == "grace"


@pytest.mark.parametrize(
    "changed",
    [
        {"prompt": "login"},
        {"prompt": "select_account"},
        {"prompt": "login", "login_hint": "ada"},
        {"max_age": "0"},
        {"max_age": "59"},
        {"acr_values": "urn:mfa"},
    ],
)
def test_the_form_is_shown_again_for_who_asks_for_that(browser, clock, changed):
    browser.sign_in()
    clock[0] += 60
    reply, body = browser.authorize(**changed)
    assert reply.status == 200
    assert "signed in</span>" in body
    if changed.get("prompt") is None:
        assert browser.answer(prompt="none", **changed)["error"] == "login_required"


def test_max_age_0_asks_again_within_the_same_second(browser):
    browser.sign_in()
    assert browser.authorize(max_age="0")[0].status == 200
    assert browser.answer(prompt="none", max_age="0")["error"] == "login_required"


def sid_of(provider, tokens):
    return read(provider, tokens["id_token"])[1]["sid"]


def test_whoever_proves_again_who_they_are_goes_on_in_the_same_session(browser, clock):
    first = read(browser.provider, tokens_of(browser)["id_token"])[1]
    clock[0] += 60
    again = read(
        browser.provider, tokens_of(browser, prompt="login", acr_values="urn:mfa")["id_token"]
    )[1]
    assert again["sid"] == first["sid"]
    assert (again["acr"], again["auth_time"]) == ("urn:mfa", first["auth_time"] + 60)
    other = tokens_of(browser, account="grace", prompt="select_account")
    assert sid_of(browser.provider, other) != first["sid"]
    assert "Grace" in browser.ask("GET", "/oauth/account")[1]


def test_consent_is_asked_for_and_is_no_new_sign_in(browser, clock):
    first = read(browser.provider, tokens_of(browser)["id_token"])[1]
    clock[0] += 60
    reply, body = browser.authorize(prompt="consent")
    assert reply.status == 200
    assert "Allow shop to read your account?" in body
    assert ("Ada" in body, "Grace" in body) == (True, False)
    assert browser.answer({"account": ""}, prompt="consent")["error"] == "access_denied"
    code = browser.answer({"account": "ada", "consent": "yes"}, prompt="consent")["code"]
    claims = read(browser.provider, redeem(browser.provider, code)[1]["id_token"])[1]
    assert (claims["sid"], claims["auth_time"]) == (first["sid"], first["auth_time"])


def test_consent_stands_in_for_no_sign_in(browser, clock):
    browser.sign_in()
    clock[0] += 60
    for more in ({"prompt": "login consent"}, {"prompt": "consent", "max_age": "10"}):
        reply, body = browser.authorize({"account": "ada", "consent": "yes"}, **more)
        assert reply.status == 200
        assert "Choose an account" in body


def test_fresh_enough_is_fresh_enough(browser, clock):
    browser.sign_in(acr_values="urn:mfa")
    clock[0] += 60
    assert "code" in browser.answer(max_age="60")
    assert "code" in browser.answer(acr_values="urn:other urn:mfa")


def test_a_hint_skips_the_form(browser):
    tokens = redeem(browser.provider, browser.answer(login_hint="grace")["code"])[1]
    assert read(browser.provider, tokens["id_token"])[1]["sub"] == "grace"
    assert browser.authorize(prompt="select_account", login_hint="grace")[0].status == 200
    other = redeem(browser.provider, browser.answer(login_hint="ada")["code"])[1]
    assert read(browser.provider, other["id_token"])[1]["sub"] == "ada"
    assert Browser(browser.provider).authorize(login_hint="mallory")[0].status == 200


def test_always_somebody_skips_the_form():
    with LocalProvider([RegisteredClient("shop", SECRET, (BACK,))], always="ada") as provider:
        browser = Browser(provider)
        assert browser.answer(prompt="none")["error"] == "login_required"
        assert "code" in browser.answer()
        assert "code" in browser.answer(prompt="login")
        assert browser.authorize(prompt="select_account")[0].status == 200


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"code": "guessed"}, "invalid_grant"),
        ({"redirect_uri": BACK + "/"}, "invalid_grant"),
        ({"code_verifier": "x" * 43}, "invalid_grant"),
        ({"code_verifier": ""}, "invalid_grant"),
        ({"client": "other", "secret": "other"}, "invalid_grant"),
        ({"secret": "wrong"}, "invalid_client"),
        ({"client": "nobody"}, "invalid_client"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
    ],
)
def test_a_code_is_for_one_client_with_its_verifier(provider, browser, changed, error):
    form = {"grant_type": "authorization_code", "code": browser.sign_in(), "redirect_uri": BACK}
    form = form | {"code_verifier": VERIFIER} | changed
    status, answer = post(provider, "/oauth/token", **form)
    assert answer["error"] == error
    assert status == (401 if error == "invalid_client" else 400)


def test_without_authentication_there_is_nothing(provider, browser):
    for path in ("/oauth/token", "/oauth/revoke"):
        reply, body = browser.ask("POST", path, {"grant_type": "client_credentials"})
        assert reply.status == 401
        assert reply.getheader("WWW-Authenticate").startswith("Basic")
        assert json.loads(body)["error"] == "invalid_client"
    assert provider.tokens.granted.total() == 0


def test_a_code_ends_after_a_minute(provider, browser, clock):
    code = browser.sign_in()
    clock[0] += 60
    assert redeem(provider, code)[1]["error"] == "invalid_grant"


def test_a_code_used_twice_ends_what_came_of_it(provider, browser):
    code = browser.sign_in()
    _, tokens = redeem(provider, code)
    assert redeem(provider, code)[1]["error"] == "invalid_grant"
    assert refresh(provider, tokens["refresh_token"])[1]["error"] == "invalid_grant"


def test_a_refresh_token_is_replaced_by_its_use(provider, browser, clock):
    old = tokens_of(browser)
    clock[0] += 30
    status, fresh = refresh(provider, old["refresh_token"])
    assert status == 200
    assert fresh["refresh_token"] != old["refresh_token"]
    assert fresh["access_token"] != old["access_token"]
    _, claims = read(provider, fresh["id_token"])
    assert "nonce" not in claims
    assert claims["auth_time"] == claims["iat"] - 30
    assert refresh(provider, fresh["refresh_token"])[0] == 200
    assert provider.tokens.granted["refresh_token"] == 2


def test_a_refresh_token_used_twice_ends_the_grant(provider, browser):
    old = tokens_of(browser)["refresh_token"]
    fresh = refresh(provider, old)[1]["refresh_token"]
    assert refresh(provider, old)[1]["error"] == "invalid_grant"
    assert refresh(provider, fresh)[1]["error"] == "invalid_grant"


@pytest.mark.parametrize("value", ["", ".", "x", "x.y", "x" * 5000])
def test_what_is_no_refresh_token_is_refused(provider, value):
    assert refresh(provider, value)[1]["error"] == "invalid_grant"


def test_a_refresh_token_of_another_client_is_refused_and_lives_on(provider, browser):
    mine = tokens_of(browser)["refresh_token"]
    form = {"client": "other", "secret": "other", "refresh_token": mine}
    assert token(provider, "refresh_token", **form)[1]["error"] == "invalid_grant"
    assert refresh(provider, mine)[0] == 200


def exchange(provider, subject_token, **changed):
    form = {"subject_token": subject_token, "subject_token_type": ACCESS_TOKEN}
    return token(provider, EXCHANGE, **(form | {"audience": "orders"} | changed))


def test_a_token_is_exchanged_for_one_audience(provider, browser):
    mine = tokens_of(browser)["access_token"]
    status, answer = exchange(provider, mine, scope="orders.read")
    assert (status, answer["issued_token_type"]) == (200, ACCESS_TOKEN)
    header, claims = read(provider, answer["access_token"])
    assert header["typ"] == "at+jwt"
    assert (claims["sub"], claims["aud"], claims["scope"]) == ("ada", "orders", "orders.read")
    assert claims["act"] == {"sub": "shop"}
    assert "refresh_token" not in answer


def test_only_a_token_that_counts_is_exchanged(provider, browser, clock):
    tokens = tokens_of(browser)
    mine = tokens["access_token"]
    for changed in (
        {"subject_token_type": "urn:ietf:params:oauth:token-type:id_token"},
        {"subject_token": tokens["id_token"]},
        {"subject_token": mine[:-8] + "AAAAAAAA"},
        {"audience": ""},
        {"actor_token": mine},
        {"requested_token_type": "urn:ietf:params:oauth:token-type:refresh_token"},
    ):
        assert exchange(provider, **({"subject_token": mine} | changed))[0] == 400, changed
    clock[0] += 60
    assert exchange(provider, mine)[1]["error"] == "invalid_request"


def test_a_client_gets_a_token_of_its_own(provider):
    status, answer = token(provider, "client_credentials", audience="orders", scope="orders.read")
    assert status == 200
    assert answer.keys() == {"access_token", "token_type", "expires_in", "scope"}
    claims = read(provider, answer["access_token"])[1]
    assert (claims["sub"], claims["aud"]) == ("shop", "orders")
    assert "tenant" not in claims


@pytest.mark.parametrize("which", ["refresh_token", "access_token"])
def test_what_is_revoked_has_ended(provider, browser, which):
    tokens = tokens_of(browser)
    assert post(provider, "/oauth/revoke", "other", "other", token=tokens[which])[0] == 200
    assert exchange(provider, tokens["access_token"])[0] == 200  # it was not theirs to revoke
    assert post(provider, "/oauth/revoke", token=tokens[which])[0] == 200
    assert refresh(provider, tokens["refresh_token"])[1]["error"] == "invalid_grant"
    assert exchange(provider, tokens["access_token"])[0] == 400
    assert post(provider, "/oauth/revoke", token="nothing")[0] == 200


@pytest.mark.parametrize("which", ["refresh_token", "access_token"])
def test_signing_in_again_adds_to_the_grant_that_ends_as_a_whole(provider, browser, which):
    first, again = tokens_of(browser), redeem(provider, browser.answer()["code"])[1]
    assert refresh(provider, first["refresh_token"])[0] == 200
    status, again = refresh(provider, again["refresh_token"])
    assert status == 200
    elsewhere = tokens_of(Browser(provider))
    post(provider, "/oauth/revoke", token=first[which])
    assert refresh(provider, again["refresh_token"])[1]["error"] == "invalid_grant"
    assert exchange(provider, again["access_token"])[0] == 400
    assert refresh(provider, elsewhere["refresh_token"])[0] == 200
    assert "code" in browser.answer(prompt="none"), "the sign-in there goes on"
    assert refresh(provider, tokens_of(browser)["refresh_token"])[0] == 200


def test_a_stolen_token_ends_the_whole_grant_too(provider, browser):
    first, again = tokens_of(browser), redeem(provider, browser.answer()["code"])[1]
    refresh(provider, first["refresh_token"])
    assert refresh(provider, first["refresh_token"])[1]["error"] == "invalid_grant"
    assert refresh(provider, again["refresh_token"])[1]["error"] == "invalid_grant"


def end_session(browser, **query):
    return browser.ask("GET", f"/oauth/end-session?{urlencode(query)}")


def test_a_sign_out_comes_back_and_tells_the_applications(provider, browser, told):
    tokens = tokens_of(browser)
    hint = {"id_token_hint": tokens["id_token"], "post_logout_redirect_uri": OUT, "state": "s"}
    reply, _ = end_session(browser, **hint)
    assert (reply.status, reply.getheader("Location")) == (303, f"{OUT}?state=s")
    ((path, form),) = told
    header, claims = read(provider, form["logout_token"][0])
    sid = read(provider, tokens["id_token"])[1]["sid"]
    assert (path, header["typ"]) == ("/out", "logout+jwt")
    assert (claims["aud"], claims["sub"], claims["sid"]) == ("shop", "ada", sid)
    assert claims["events"] == {LOGGED_OUT: {}}
    assert claims["jti"]
    assert claims["exp"] - claims["iat"] == 120
    assert "nonce" not in claims
    assert refresh(provider, tokens["refresh_token"])[1]["error"] == "invalid_grant"
    assert browser.answer(prompt="none")["error"] == "login_required"


def test_a_hint_may_be_old_and_come_from_anywhere(provider, browser, clock):
    tokens = tokens_of(browser)
    clock[0] += 3600
    elsewhere = Browser(provider)
    hint = {"id_token_hint": tokens["id_token"], "post_logout_redirect_uri": OUT}
    assert end_session(elsewhere, **hint)[0].getheader("Location") == OUT
    assert browser.answer(prompt="none")["error"] == "login_required"


@pytest.mark.parametrize("place", ["https://evil.example/", OUT + "x", BACK])
def test_a_sign_out_comes_back_to_no_strange_place(browser, place):
    tokens = tokens_of(browser)
    for query in ({"id_token_hint": tokens["id_token"]}, {"client_id": "shop"}, {}):
        reply, _ = end_session(browser, post_logout_redirect_uri=place, **query)
        assert reply.status == 400
        assert reply.getheader("Location") is None
    assert "code" in browser.answer(prompt="none")


def test_the_browser_alone_can_sign_out_too(browser, told):
    tokens_of(browser, account="grace")
    assert "Signed in as Grace Hopper" in browser.ask("GET", "/oauth/account")[1]
    reply, body = browser.ask("POST", "/oauth/end-session", {})
    assert reply.status == 200
    assert "Not signed in" in body
    assert len(told) == 1
    assert "Not signed in" in browser.ask("GET", "/oauth/account")[1]


def test_an_application_that_is_away_keeps_nobody_signed_in():
    client = RegisteredClient("shop", SECRET, (BACK,), (OUT,), "http://127.0.0.1:1/out")
    with LocalProvider([client]) as provider:
        browser = Browser(provider)
        tokens = tokens_of(browser)
        assert end_session(browser, id_token_hint=tokens["id_token"])[0].status == 200
        assert refresh(provider, tokens["refresh_token"])[1]["error"] == "invalid_grant"


def test_other_host_names_are_refused(browser):
    for host in ("evil.example", "127.0.0.1", "localhost"):
        assert browser.ask("GET", "/.well-known/openid-configuration", Host=host)[0].status == 421


def test_what_is_too_much_is_refused(browser):
    assert browser.ask("POST", "/oauth/end-session", {"state": "x" * 20_000})[0].status == 413


def test_of_too_many_the_oldest_is_forgotten(provider, browser, monkeypatch):
    monkeypatch.setattr("bff.dev.provider.grants.MOST", 3)
    codes = [browser.sign_in() for _ in range(4)]
    assert redeem(provider, codes[0])[1]["error"] == "invalid_grant"
    assert [redeem(provider, code)[0] for code in codes[1:]] == [200, 200, 200]


def test_no_code_and_no_secret_is_written_anywhere(browser, capfd):
    tokens_of(browser)
    browser.ask("GET", "/nothing?code=secret")
    browser.ask("BREW", "/oauth/token?code=secret")
    assert capfd.readouterr() == ("", "")
    assert SECRET not in repr(RegisteredClient("shop", SECRET, (BACK,)))
