"""Ways in that lead nowhere, and keys and certificates that cannot be used, are found early."""

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from cryptography.x509.oid import NameOID

from bff.declare.checks.sign_in import sign_in_problems

ROOT = """\
version: 1
frontends: {web: {access: session}, app: {access: [bearer]}}
services: {users: {url: 'http://127.0.0.1:1'}}
"""
PROVIDER = "providers:\n  shop: {issuer: 'https://id.example', client_id: c, %s}\n"
FORM = (Encoding.PEM, PrivateFormat.PKCS8)
SHORT = rsa.generate_private_key(65537, 1024)  # noqa: S505 - that is what is refused
P256 = ec.generate_private_key(ec.SECP256R1())


def problems(folder, more, **environ):
    return list(sign_in_problems(folder.check(environ, bff=ROOT + more).config))


def test_a_frontend_with_sessions_and_no_provider_is_doubtful(folder):
    (problem,) = problems(folder, "")
    assert problem.warning
    assert problem.place.line == 2
    assert "users cannot sign in at `web`: `providers` is empty" in problem.message


@pytest.mark.parametrize("written", ["scopes: [openid]", 'client_secret: "${NONE:-}"'])
def test_an_empty_client_secret_is_doubtful(folder, written):
    (problem,) = problems(folder, PROVIDER % written)
    assert problem.warning
    assert problem.place.line == 5
    assert "`client_secret` of `shop` is empty" in problem.message


@pytest.mark.parametrize("secret", ["kQ3v9ZtX7pLw2RfB8mNc5YhJ"])
def test_with_a_secret_all_is_well(folder, secret):
    assert problems(folder, PROVIDER % 'client_secret: "${S}"', S=secret) == []


@pytest.mark.parametrize(
    ("key", "good"),
    [
        (P256.private_bytes(*FORM, NoEncryption()), True),
        (P256.private_bytes(*FORM, BestAvailableEncryption(b"x")), False),
        (P256.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo), False),
        (ec.generate_private_key(ec.SECP256K1()).private_bytes(*FORM, NoEncryption()), False),
        (SHORT.private_bytes(*FORM, NoEncryption()), False),
        (b"-----BEGIN PRIVATE KEY-----\nnone\n-----END PRIVATE KEY-----", False),
    ],
    ids=["P-256", "with a password", "public", "another curve", "short", "none"],
)
def test_a_private_key_is_one_that_can_sign(folder, key, good):
    told = problems(folder, PROVIDER % 'private_key: "${KEY}"', KEY=key.decode())
    assert [each.warning for each in told] == [] if good else [False]
    if not good:
        assert "the private key of `shop` cannot be used" in told[0].message
        assert key.decode() not in str(told[0])


@pytest.mark.parametrize("key", ["ca", "cert"])
def test_files_of_certificates_are_there(folder, key):
    tls = f"tls: {{{key}: /nowhere/ca.pem" + (", key: /nowhere/key.pem" * (key == "cert")) + "}"
    told = problems(folder, PROVIDER % f'client_secret: "${{S}}", {tls}', S="kQ3v9ZtX7pLw2RfB")
    cannot = f"the certificates of `shop` cannot be used: `{key}`, /nowhere/ca.pem: No such file"
    assert told[0].message == f"{cannot} or directory"
    assert len(told) == (1 if key == "ca" else 2), "each file that is not there is named"
    issuer = f"issuers: {{i: {{issuer: 'https://id.example', audience: a, {tls}}}}}\n"
    told = problems(folder, PROVIDER % 'client_secret: "${S}"' + issuer, S="kQ3v9ZtX7pLw2RfB")
    assert ["certificates of `i`" in each.message for each in told] == [True] * len(told)


def test_a_provider_may_know_us_by_our_certificate_alone(folder, tmp_path):
    told = problems(folder, PROVIDER % "auth: none")
    assert [each.warning for each in told] == [True]
    assert "any client can impersonate this one at `shop`" in told[0].message
    told = problems(folder, PROVIDER % f"auth: none, tls: {{cert: {tmp_path}/none.pem}}")
    assert ["none.pem" in each.message for each in told] == [True]


def test_a_provider_that_wants_no_secret_is_given_none(folder):
    (problem,) = folder.problems(
        {"S": "x" * 32}, bff=ROOT + PROVIDER % 'auth: none, client_secret: "${S}"'
    )
    assert "with `auth: none` there is no `client_secret`" in problem.message


def test_an_encrypted_key_is_an_error_and_asks_for_no_password(folder, tmp_path):
    """OpenSSL would ask for it at a terminal, and `bff check` would wait for ever."""
    key = P256.private_bytes(*FORM, BestAvailableEncryption(b"x"))
    (tmp_path / "key.pem").write_bytes(key)
    (tmp_path / "cert.pem").write_text(certificate())
    tls = f"tls: {{cert: {tmp_path}/cert.pem, key: {tmp_path}/key.pem}}"
    (problem,) = problems(folder, PROVIDER % f"auth: none, {tls}")
    assert f"`key`, {tmp_path}/key.pem" in problem.message


def test_a_file_that_is_no_certificate_is_named(folder, tmp_path):
    (tmp_path / "cert.pem").write_text("none")
    tls = f"tls: {{cert: {tmp_path}/cert.pem}}"
    (problem,) = problems(folder, PROVIDER % f"auth: none, {tls}")
    assert f"`cert`, {tmp_path}/cert.pem" in problem.message


def certificate():
    """One that we have signed for ourselves."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "bff")])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder(name, name, P256.public_key(), 1, now, now + timedelta(1))
    return made.sign(P256, SHA256()).public_bytes(Encoding.PEM).decode()
