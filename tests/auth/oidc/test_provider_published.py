"""What a provider publishes: believed with care, kept, fetched anew, and never too often."""

import threading

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key

from bff.errors import ProviderAway, SignInFailed
from tests.auth.scripted_provider import (
    ABSENT,
    ISSUER,
    ScriptedProvider,
    edwards,
    elliptic,
    encoded,
    public,
    rsa,
)

DISCOVERY = "/.well-known/openid-configuration"


@pytest.fixture
def op(clock):
    with ScriptedProvider(clock) as made:
        yield made


def test_metadata_of_another_issuer_is_believed_by_nobody(op):
    for wrong in (
        "https://evil.example",
        f"{ISSUER}/",
        f"{ISSUER.upper()}",
        ABSENT,
        None,
        [ISSUER],
    ):
        op.metadata["issuer"] = wrong
        with pytest.raises(ProviderAway, match="another issuer"):
            op.sign_in()


@pytest.mark.parametrize(
    "name",
    [
        "authorization_endpoint",
        "token_endpoint",
        "jwks_uri",
        "revocation_endpoint",
        "end_session_endpoint",
    ],
)
@pytest.mark.parametrize(
    "url",
    [
        "http://op.example/x",
        "http://127.0.0.1/x",
        "ftp://op.example/x",
        "//op.example/x",
        "https:///x",
        "https://ada:pw@op.example/x",
        "https://op.example/x#f",
        "https://op.example:99999/x",
        "https://op.example/\r\nx",
        "javascript:alert(1)",
        7,
        ["https://op.example"],
    ],
)
def test_an_endpoint_that_is_not_https_is_not_used(op, name, url):
    op.metadata[name] = url
    with pytest.raises(ProviderAway, match=f"{name} is not safe"):
        op.provider().prepare()


@pytest.mark.parametrize("name", ["authorization_endpoint", "token_endpoint", "jwks_uri"])
def test_an_endpoint_that_is_needed_must_be_there(op, name):
    op.metadata[name] = ABSENT
    with pytest.raises(ProviderAway, match=f"the {name} is missing"):
        op.provider().prepare()


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "localhost", "[::1]:1"])
def test_a_provider_on_this_machine_may_do_without_tls(clock, host):
    with ScriptedProvider(clock, f"http://{host}") as op:
        assert op.sign_in().subject == "ada"


@pytest.mark.parametrize("issuer", ["http://op.example", "http://127.0.0.1.evil.example", "op"])
def test_no_other_provider_may(clock, issuer):
    with ScriptedProvider(clock, issuer) as op, pytest.raises(ProviderAway, match="neither https"):
        op.provider().prepare()
    assert not op.asked


def test_a_local_provider_cannot_send_us_elsewhere_without_tls(clock):
    with ScriptedProvider(clock, "http://127.0.0.1") as op:
        op.metadata["token_endpoint"] = "http://internal.example/x"
        with pytest.raises(ProviderAway, match="token_endpoint is not safe"):
            op.provider().prepare()


def test_the_slash_that_an_issuer_ends_with_is_not_there_twice(clock):
    with ScriptedProvider(clock, f"{ISSUER}/") as op:
        assert op.sign_in().issuer == f"{ISSUER}/"
        assert op.asked[0].path == DISCOVERY


def test_metadata_and_keys_are_asked_for_once_and_again_after_an_hour(op, clock):
    provider = op.provider()
    for _ in range(3):
        op.sign_in(provider)
    assert (op.times(DISCOVERY), op.times("/jwks")) == (1, 1)
    clock.advance(3601)
    op.sign_in(provider)
    assert (op.times(DISCOVERY), op.times("/jwks")) == (2, 2)


def test_new_addresses_are_used_once_the_metadata_is_fetched_anew(op, clock):
    provider = op.provider()
    provider.prepare()
    op.metadata["authorization_endpoint"] = f"{ISSUER}/moved"
    assert "/authorize?" in provider.authorization_url(op.login())
    clock.advance(3601)
    assert "/moved?" in provider.authorization_url(op.login())


def test_old_keys_are_used_while_the_provider_is_away_and_for_no_more_than_a_day(op, clock):
    provider = op.provider()
    provider.prepare()
    op.replies |= {DISCOVERY: (503, b""), "/jwks": (503, b"")}
    clock.advance(3601)
    for _ in range(3):
        assert op.sign_in(provider).subject == "ada"
    assert (op.times("/jwks"), op.times(DISCOVERY)) == (2, 2)  # one try, then a cooldown
    clock.advance(24 * 3600)
    for _ in range(3):
        with pytest.raises(ProviderAway):
            op.sign_in(provider)
    assert op.times(DISCOVERY) == 3  # one more try, then a breath


def test_a_provider_that_comes_back_is_asked_again_at_once(op, clock):
    provider = op.provider()
    op.replies[DISCOVERY] = (503, b"")
    with pytest.raises(ProviderAway):
        provider.prepare()
    del op.replies[DISCOVERY]
    clock.advance(1.1)
    assert op.sign_in(provider).subject == "ada"


def test_a_token_that_is_not_signed_as_it_should_fetches_the_keys_once(op):
    provider = op.provider()
    provider.prepare()
    op.key = rsa("stranger")
    op.header = {"kid": "one"}
    for _ in range(5):
        with pytest.raises(SignInFailed, match="signature is wrong"):
            op.sign_in(provider)
    assert op.times("/jwks") == 2


def test_a_key_that_changes_under_its_name_is_fetched_anew(op):
    provider = op.provider()
    op.sign_in(provider)
    op.key = rsa("two")
    op.header = {"kid": "one"}
    op.keys = [public(op.key, kid="one")]
    assert op.sign_in(provider).subject == "ada"
    assert op.times("/jwks") == 2


def test_a_storm_of_unknown_keys_is_one_fetch_in_half_a_minute(op, clock):
    provider = op.provider()
    provider.prepare()

    def storm():
        for number in range(20):
            op.header = {"kid": f"unknown-{number}"}
            with pytest.raises(SignInFailed):
                op.sign_in(provider)

    storm()
    assert op.times("/jwks") == 2
    clock.advance(31)
    storm()
    assert op.times("/jwks") == 3


def test_many_who_find_no_keys_fetch_them_once(op):
    provider, gate = op.provider(), threading.Event()
    started = threading.Barrier(9)

    def slow(_):
        assert gate.wait(10)

    op.replies["/jwks"] = slow
    results = []

    def work():
        started.wait()
        results.append(op.sign_in(provider).subject)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for each in threads:
        each.start()
    started.wait()
    gate.set()
    for each in threads:
        each.join(10)
    assert results == ["ada"] * 8
    assert (op.times(DISCOVERY), op.times("/jwks")) == (1, 1)


def test_keys_that_are_of_no_use_are_passed_over(op):
    small = {"kty": "RSA", "kid": "one", "n": "AQAB", "e": "AQAB"}
    odd = [7, {}, {"kty": "new"}, {"kty": []}, {"kty": "RSA"}, {"kty": "EC", "crv": "P-0"}, small]
    odd += [
        {"kty": "oct", "k": "c2VjcmV0", "kid": "one"},
        {"kty": "OKP", "crv": "Ed25519", "x": "A"},
    ]
    op.keys = [*odd, *op.keys]
    assert op.sign_in().subject == "ada"


def test_a_key_that_is_too_short_is_no_key(op):
    raw = generate_private_key(65537, 1024).public_key().public_numbers()  # noqa: S505  (is refused)
    op.keys = [public(op.key, n=encoded(raw.n.to_bytes(256, "big")))]  # as long as it should be
    with pytest.raises(SignInFailed, match="signature is wrong"):
        op.sign_in()


def test_a_key_for_something_else_does_not_make_the_choice_hard(op):
    op.header = {"kid": ABSENT}
    op.keys += [public(rsa("two"), use=ABSENT, key_ops=["encrypt"])]
    assert op.sign_in().subject == "ada"


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"keys": {}}', b'{"keys": 7}'])
def test_keys_that_are_no_set_are_a_provider_away(op, body):
    op.replies["/jwks"] = (200, body)
    with pytest.raises(ProviderAway):
        op.sign_in()


def test_a_key_that_is_for_something_else_verifies_nothing(op):
    for other in ({"use": "enc"}, {"alg": "PS256"}, {"use": ABSENT, "key_ops": ["encrypt"]}):
        op.keys = [public(op.key, **other)]
        with pytest.raises(SignInFailed, match="signature is wrong"):
            op.sign_in()


def test_a_key_that_is_listed_twice_is_one(op):
    op.keys = [public(op.key), public(op.key), public(rsa("two"), kid="one")]
    assert op.sign_in().subject == "ada"


def test_keys_of_many_kinds_stand_beside_the_one_that_signs(op):
    """As Keycloak, Entra ID and Okta publish them: for encryption, with certificates, and new."""
    x25519 = {"kty": "OKP", "crv": "X25519", "x": encoded(b"x" * 32), "use": "enc", "kid": "x"}
    op.key, op.header = edwards(), {"kid": ABSENT}
    op.keys = [
        public(rsa("two"), use="enc", alg="RSA-OAEP"),
        public(rsa("three"), x5c=[encoded(b"certificate")], x5t=encoded(b"thumb")),
        public(elliptic(), use="sig", alg="ES256", issuer="https://op.example"),
        x25519,
        {"kty": "AKP", "alg": "ML-DSA-44", "pub": "AAAA"},
        public(op.key),
    ]
    assert op.sign_in().subject == "ada"


def test_while_an_old_document_is_fetched_anew_no_request_waits_for_it(op, clock):
    """The hour is over, and the provider hangs."""
    jobs = []

    def later(key, job):
        jobs.append((key, job))
        return True

    provider = op.provider(later=later)
    provider.prepare()
    op.replies["/jwks"] = lambda _: pytest.fail("nobody waits for this")
    clock.advance(3601)
    for _ in range(3):
        assert op.sign_in(provider).subject == "ada"
    assert {key for key, _ in jobs}, "it is fetched in the background"
    assert op.times("/jwks") == 1


def test_what_cannot_be_fetched_anew_is_logged(op, clock, caplog):
    provider = op.provider()
    provider.prepare()
    clock.advance(3601)
    op.replies["/jwks"] = (404, b"")
    assert op.sign_in(provider).subject == "ada"
    (record,) = [each for each in caplog.records if "could not be refreshed" in each.message]
    assert record.detail == f"{ISSUER}/jwks answered 404"
