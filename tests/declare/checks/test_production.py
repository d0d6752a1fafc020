"""What `bff serve` refuses: each with its place and its reason, and never with the secret."""

import pytest

from bff.declare.checks.production import unsafe_settings

RANDOM = "kQ3v9ZtX7pLw2RfB8mNc5YhJ4sGd6TaE"
BEFORE = "version: 1\nfrontends: {web: {access: session}, app: {access: none}}\n"
SERVICES = "services: {users: {url: 'http://127.0.0.1:1'}}\n"
PROVIDER = "providers: {shop: {issuer: 'https://id.example', client_id: c, client_secret: %s}}\n"


def found(folder, more, environ=None, services=SERVICES):
    text = BEFORE + services + more
    return folder.check({"S": RANDOM} | (environ or {}), bff=text).unsafe


@pytest.mark.parametrize(
    ("written", "value", "reason"),
    [
        (RANDOM, "", "is in this file"),
        (f'"${{S:-{RANDOM}}}"', RANDOM, "is the default in this file"),
        ('"${S}"', "change-me-change-me-change-me-now", "looks like a placeholder"),
        ('"${S}"', "your-super-secret-session-key-here", "looks like a placeholder"),
        ('"${S}"', "0123456789abcdef0123456789abcdef", "looks like a placeholder"),
        ('"${S}"', "abcdefghijklmnopqrstuvwxyzabcdefg", "looks like a placeholder"),
        ('"${S}"', "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "looks like a placeholder"),
        ('"${S}"', "k9Q2k9Q2k9Q2k9Q2k9Q2k9Q2k9Q2k9Q2", "looks like a placeholder"),
    ],
)
def test_a_secret_of_sessions_that_others_know_or_can_guess(folder, written, value, reason):
    environ = {"S": value} if value else {}
    (problem,) = found(folder, f"session:\n  secrets: [{written}]\n", environ)
    assert reason in problem.message
    assert (problem.place.line, problem.place.column) == (5, 13)
    assert problem.unsafe
    assert problem.warning
    assert not value or value not in f"{problem}"
    assert "openssl rand" in problem.hint


@pytest.mark.parametrize(
    ("value", "reason"),
    [("kQ3v9ZtX7pLw", "fewer than 16"), ("the-client-secret", "placeholder"), ("secret", "holder")],
)
def test_a_client_secret_that_can_be_guessed(folder, value, reason):
    (problem,) = found(folder, PROVIDER % '"${S}"', {"S": value})
    assert "`providers.shop.client_secret`" in problem.message
    assert reason in problem.message


@pytest.mark.parametrize(
    "credentials",
    ["basic: {user: u, password: %s}", "api_key: {value: %s}"],
)
@pytest.mark.parametrize("value", ["hunter2hunter", '"${S:-unset}"'])
def test_credentials_of_a_service_that_stand_in_the_file(folder, credentials, value):
    environ = {"S": ""} if "S:-" in value else {}
    service = f"{{url: 'http://127.0.0.1:1', credentials: {{{credentials % value}}}}}"
    (problem,) = found(folder, "", environ, f"services: {{users: {service}}}\n")
    assert "in this file" in problem.message


@pytest.mark.parametrize(
    "credentials",
    ["basic: {user: u, password: %s}", "api_key: {value: %s}"],
)
@pytest.mark.parametrize("value", ["hunter2hunter", '"${S:-unset}"'])
def test_credentials_of_a_relay_that_stand_in_its_file(folder, credentials, value):
    relay = f"relay: /f/{{path...}} -> users:/{{path...}}\ncredentials: {{{credentials % value}}}\n"
    (folder.path / "relays").mkdir()
    (folder.path / "relays/files.yaml").write_text(relay)
    environ = {"S": ""} if "S:-" in value else {}
    (problem,) = found(folder, "", environ)
    assert "in this file" in problem.message
    assert problem.place.file.endswith("relays/files.yaml")


@pytest.mark.parametrize(
    "secret",
    [RANDOM, "9f86d081884c7d659a2feaa0c55ad015", "1847502936475018", "a-test-K3vZ9pQx7LwR2"],
)
def test_a_random_secret_is_fine(folder, secret):
    more = PROVIDER % '"${S}"' + 'session: {secrets: ["${T}", "${U:-}"]}\n'
    assert found(folder, more, {"S": secret, "T": RANDOM}) == ()


@pytest.mark.parametrize(
    ("store", "told"),
    [
        ("redis://:hunter2@redis:6379/0", True),
        ("rediss+sentinel://bff:hunter2@a:1,b:2/main", True),
        ("${STORE:-redis://:hunter2@redis:6379/0}", True),
        ("redis+sentinel://a:1/main?sentinel_password=hunter2", True),
        ("redis+sentinel://a:1/main?sentinel_password=${S}", False),
        ("redis://:${S}@redis:6379/0", False),
        ("redis://bff:${file:/dev/null}${S}@redis:6379/0", False),
        ("${REDIS}", False),
        ("redis://redis:6379/0", False),
    ],
)
def test_the_password_of_a_store_that_stands_in_the_file(folder, store, told):
    more = f'session: {{secrets: ["${{S}}"], store: "{store}"}}\n'
    problems = found(folder, more, {"REDIS": "redis://:hunter2@redis:6379/0"})
    assert ["password of `session.store`" in each.message for each in problems] == [True] * told
    assert not any("hunter2" in f"{each}" for each in problems)


def test_what_is_not_declared_is_no_secret(folder):
    assert found(folder, PROVIDER % '"${S:-}"', {"S": ""}) == ()


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ("http://shop.example", "not https"),
        ("http://shop.example:8080", "not https"),
        ("http://localhost:3000", ""),
        ("http://127.0.0.1:3000", ""),
        ("https://shop.example", ""),
    ],
)
def test_pages_with_a_session_are_https(folder, more, told):
    text = BEFORE.replace("access: session", f"access: session, origins: ['{more}']")
    problems = folder.check({}, bff=text + SERVICES).unsafe
    assert [told in each.message for each in problems] == [True] * bool(told)


@pytest.mark.parametrize("origin", ["*", "https://*", "https://*.shop.example", "null", "https://"])
def test_no_origin_is_a_wildcard(folder, origin):
    text = BEFORE.replace("access: session", f"access: session, origins: ['{origin}']")
    (problem,) = folder.problems(bff=text + SERVICES)
    assert not problem.warning
    assert "exact origin" in problem.message


JWKS = "issuers: {i: {issuer: 'https://id.example', audience: a, jwks: '%s'}}\n"


@pytest.mark.parametrize(
    "url",
    ["http://id.example/keys", "http://10.0.0.1/k", "ftp://id.example/k", "/keys", "https://"],
)
def test_keys_of_an_issuer_are_got_by_https(folder, url):
    (problem,) = folder.problems(bff=BEFORE + SERVICES + JWKS % url)
    assert not problem.warning
    assert "is not an https URL: its keys could be replaced in transit" in problem.message


@pytest.mark.parametrize(
    "url",
    [
        "https://id.example/keys",
        "https://id.example/keys/?appid=7",
        "http://127.0.0.1:9/keys",
        "http://127.0.0.2/keys",
        "http://[::1]/keys",
        "http://localhost/keys",
    ],
)
def test_keys_of_an_issuer_may_be_on_this_machine_and_their_address_is_used_as_it_is(folder, url):
    checked = folder.check({}, bff=BEFORE + SERVICES + JWKS % url)
    assert checked.unsafe == ()
    assert checked.config.issuers["i"].jwks == url


@pytest.mark.parametrize(
    ("environ", "told"),
    [
        ({"FLASK_DEBUG": "1"}, "FLASK_DEBUG"),
        ({"FLASK_DEBUG": "True"}, "FLASK_DEBUG"),
        ({"FLASK_DEBUG": "y"}, "FLASK_DEBUG"),
        ({"FLASK_DEBUG": "0"}, ""),
        ({"FLASK_DEBUG": "No"}, ""),
        ({"BFF_LOCAL": "{}"}, "BFF_LOCAL"),
        ({"FORWARDED_ALLOW_IPS": "*"}, "FORWARDED_ALLOW_IPS"),
        ({"FORWARDED_ALLOW_IPS": "10.0.0.1, *"}, "FORWARDED_ALLOW_IPS"),
        ({"FORWARDED_ALLOW_IPS": "127.0.0.1,0.0.0.0/0"}, "FORWARDED_ALLOW_IPS"),
        ({"FORWARDED_ALLOW_IPS": "::/0"}, "FORWARDED_ALLOW_IPS"),
        ({"FORWARDED_ALLOW_IPS": "0.0.0.0/0.0.0.0"}, "FORWARDED_ALLOW_IPS"),
        ({"FORWARDED_ALLOW_IPS": "10.0.0.0/8"}, ""),
        ({}, ""),
    ],
)
def test_settings_that_let_anybody_in_or_show_too_much(environ, told):
    assert [told in each.message for each in unsafe_settings(environ)] == [True] * bool(told)
