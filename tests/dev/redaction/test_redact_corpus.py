"""No secret is written: in no place that can be sent or read, in no encoding."""

import html
import json
import re
from base64 import b64encode, urlsafe_b64encode
from urllib.parse import quote, quote_plus, urlencode

import pytest

from bff.declare.config import assemble
from bff.declare.load import parse
from bff.dev.recordings.archive import Archive
from bff.dev.redaction.declared import NOTHING, DeclaredSecrets, declared_secrets
from bff.dev.rules import RedactionRules, read_rules
from bff.model.exchange import Reply
from bff.plan.bodies import encode_form, encode_multipart
from tests.dev.sample_exchanges import exchanged

VALUE = 'hunter-22/é&+ "x"'
TOKEN = "tok_4711"
NO_RULES = RedactionRules()
JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
XML = "application/xml"


def with_headers(made, request=(), reply=(), target=None):
    from dataclasses import replace

    sent = replace(
        made.request,
        headers=tuple(request) or made.request.headers,
        target=target or made.request.target,
    )
    return replace(
        made,
        request=sent,
        reply=Reply(200, tuple(reply) or made.reply.headers, made.reply.body),
    )


def reply(kind, body, *more, target="/x"):
    body = body if isinstance(body, bytes) else body.encode()
    return exchanged("users", target, body, headers=(("content-type", kind), *more))


def request(kind, body):
    body = body if isinstance(body, bytes) else body.encode()
    made = exchanged("users", "/x", b"{}", posted=body)
    return with_headers(made, request=[("content-type", kind)])


def saved(folder, *made, secrets=NOTHING, rules=NO_RULES):
    """Everything that is written, and why what is not."""
    done = Archive(folder, b"a key", "all", secrets).save(made, rules)
    files = [path for path in folder.rglob("*") if path.is_file()]
    return "".join(path.read_bytes().decode("latin-1") for path in files), done.refused


def leaks(text, secret):
    """The encodings of a secret that are in a text."""
    raw = secret.encode()
    escaped = json.dumps(secret)[1:-1]
    forms = {
        *(secret, quote(secret, ""), quote(secret), quote_plus(secret), quote(secret, "").lower()),
        *(escaped, json.dumps(escaped)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]),
        *(
            html.escape(secret),
            b64encode(raw).decode(),
            urlsafe_b64encode(raw).decode().rstrip("="),
        ),
        *(raw.hex(), secret.encode("utf-8").decode("latin-1")),
    }
    return [each for each in forms if each in text]


NAMES = re.split(
    r"\s+",
    "password pwd passwd passphrase newPassword user_password PASSWORD current-password pin otp"
    " apikey apiKey api_key X-Api-Key clientSecret client_secret access_token refreshToken"
    " csrfmiddlewaretoken JSESSIONID session_id sessionid authorization x-functions-key"
    " Ocp-Apim-Subscription-Key private_key signature sig code_verifier recovery_code"
    " security-code consumerKey authCode secretAccessKey webhookSecret"
    " user[password] login.password",
)


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_is_secret_hides_its_value_in_every_kind_of_body(name, tmp_path):
    tag = re.sub(r"\W", "-", name)
    made = [
        reply(JSON, json.dumps({name: VALUE})),
        reply(JSON, json.dumps({"a": [{"b": {name: VALUE}}]})),
        reply(JSON, json.dumps({name: {"value": VALUE, "type": "x"}})),
        reply(JSON, json.dumps({name: [VALUE]})),
        reply(JSON, json.dumps({"name": name, "value": VALUE})),
        reply(JSON, json.dumps({"value": VALUE, "key": name})),
        reply(JSON, json.dumps({"headers": [[name, VALUE]]})),
        reply(JSON, json.dumps({"inner": json.dumps({name: VALUE})})),
        reply(JSON, json.dumps({"inner": json.dumps({"more": json.dumps({name: VALUE})})})),
        reply(JSON, json.dumps({"next": "https://s/x?" + urlencode({name: VALUE})})),
        reply(JSON, json.dumps({"coded": b64encode(json.dumps({name: VALUE}).encode()).decode()})),
        reply(JSON, f'{{{json.dumps(name)}: {json.dumps(VALUE)}, {json.dumps(name)}: ""}}'),
        reply("application/x-ndjson", json.dumps({name: VALUE}) + "\n{}\n"),
        reply("text/plain", f'failed with {name}="{VALUE[:12]}" today'),
        reply(XML, f"<a><{tag}>{html.escape(VALUE)}</{tag}></a>"),
        reply(XML, f'<a><b {tag}="{html.escape(VALUE)}"/></a>'),
        reply(XML, f'<a><p name="{name}">{html.escape(VALUE)}</p></a>'),
        reply(XML, f'<a><p key="{name}" value="{html.escape(VALUE)}"/></a>'),
        reply(XML, f"<a><e><Value>{html.escape(VALUE)}</Value><Key>{name}</Key></e></a>"),
        reply(XML, f"<a><{tag}><![CDATA[hunter-22/]]></{tag}></a>"),
        reply("text/html", f'<html><input name="{name}" value="{html.escape(VALUE)}"></html>'),
        request(JSON, json.dumps({name: VALUE})),
        request(*encode_form({name: VALUE, "q": "1"})),
        request(*encode_multipart({name: VALUE})),
        request(*encode_multipart({"f": {"filename": "a.json", "type": JSON,
                                         "content": json.dumps({name: VALUE})}})),
        request(FORM, urlencode({"payload": json.dumps({name: VALUE})})),
        reply(JSON, "{}", target="/x?" + urlencode({name: VALUE})),
        reply(JSON, "{}", target="/x?to=" + quote("https://a/b?" + urlencode({name: VALUE}), "")),
        reply(JSON, "{}", ("location", "/cb?" + urlencode({name: VALUE}))),
        reply(JSON, "{}", ("location", "https://a/cb#" + urlencode({name: VALUE}))),
        reply(JSON, "{}", ("link", f"<https://a/cb?{urlencode({name: VALUE})}>; rel=next")),
        reply(JSON, "{}", ("link", f"</cb?{urlencode({name: VALUE})}>; rel=next, </x>; rel=up")),
    ]  # fmt: skip
    for number, each in enumerate(made):
        folder = tmp_path / str(number)
        text, refused = saved(folder, each)
        assert not refused, (number, refused)
        assert not leaks(text, VALUE), (number, text)
        assert "hunter-22" not in text, (number, text)


MIDST = [
    "username=ada&password={}",
    "password: {}",
    'db:\n  password: "{}"\n',
    "note: password={}",
    "curl -H 'X-Api-Key: {}' https://x",
    "failed: Authorization: Bearer {} was rejected",
    "<input name='password' value='{}'>",
    "postgres://user:{}@db/x",
    "see https://a/#/cb?access_token={} and more",
    "%7B%22password%22%3A%22{}%22%7D",
    'cb({{"password":"{}"}})',
]


@pytest.mark.parametrize("text", MIDST)
@pytest.mark.parametrize("secret", ["hunter22x", "swordfish"])
def test_a_secret_in_the_midst_of_a_text_is_hidden(text, secret, tmp_path):
    whole = text.format(secret)
    made = [reply("text/plain", whole), reply(JSON, json.dumps({"a": whole}))]
    for number, each in enumerate([*made, reply("text/html", f"<html><p>{whole}</p></html>")]):
        written, refused = saved(tmp_path / str(number), each)
        assert not refused
        assert ("Bearer" in text and secret.isalpha()) or secret not in written


@pytest.mark.parametrize(
    "text", ["if (a <b don't> c)", "<b don't>", "a<b>c", "1 < 2 > 0", "%zz%7b"]
)
def test_a_text_that_looks_like_markup_and_is_none_stays(text, tmp_path):
    _, refused = saved(tmp_path, reply(JSON, json.dumps({"a": text})))
    assert not refused
    entry = json.loads((tmp_path / "users.har").read_text())["log"]["entries"][0]
    assert json.loads(entry["response"]["content"]["text"]) == {"a": text}


def test_numbers_are_as_secret_as_texts(tmp_path):
    body = {"pin": 4711, "otp": 123456, "code": 271828, "passcode": 998877,
            "secret": {"value": 5511},
            "name": "cvv", "value": 737, "tokens": 31, "status_code": 404,
            "password_changed_at": 1700000000}  # fmt: skip
    saved(tmp_path, request(JSON, json.dumps(body)))
    found = json.loads(
        json.loads((tmp_path / "users.har").read_text())["log"]["entries"][0]["request"][
            "postData"
        ]["text"]
    )
    for name in ("pin", "otp", "code", "passcode", "value"):
        assert isinstance(found[name], int)
        assert found[name] != body[name]
    assert found["secret"]["value"] != 5511
    for name in ("tokens", "status_code", "password_changed_at"):
        assert found[name] == body[name]


@pytest.mark.parametrize(
    "value",
    [
        f"Bearer {TOKEN}",
        f"bearer  {TOKEN}",
        f"Basic {b64encode(f'ada:{TOKEN}'.encode()).decode()}",
        f"ApiKey {TOKEN}",
        f"token {TOKEN}",
        f"Whatever-2 {TOKEN}",
        f'Digest username="ada", response="{TOKEN}"',
        f"AWS4-HMAC-SHA256 Credential={TOKEN}/2026, Signature={TOKEN}",
        TOKEN,
    ],
)
def test_authorization_of_any_scheme_is_hidden_and_what_it_carried_is_found_elsewhere(
    value, tmp_path
):
    made = exchanged("users", "/x", json.dumps({"echo": f"got {TOKEN}!"}).encode())
    other = exchanged("users", "/login", b"{}", posted=json.dumps({"password": TOKEN}).encode())
    text, refused = saved(tmp_path, with_headers(made, request=[("Authorization", value)]), other)
    assert not refused
    assert not leaks(text, TOKEN)
    assert value.split()[-1] not in text


def test_cookies_of_both_directions_are_hidden_however_they_are_written(tmp_path):
    made = exchanged("users", "/x", b"{}")
    made = with_headers(
        made,
        request=[("cookie", 'a="first-1";b=second%2D2;  c=third-3')],
        reply=[("set-cookie", "sid=fourth-4; Path=/"), ("x-echo", "second-2 and first-1")],
    )
    text, _ = saved(tmp_path, made)
    for each in ("first-1", "second-2", "second%2D2", "third-3", "fourth-4"):
        assert each not in text


SECRETS = {
    "plain": "zorro-4711-quick",
    "odd": "a/b+c=d&e\"f<g>'h%i\\j",
    "spaces": "four words of mine 7",
    "unicode": "grüße-an-alle-4711",
    "short": "s3cr3t",
    "digits": "90210777123",
    "letters": "correcthorsebattery",
}


@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS.keys())
def test_a_declared_secret_is_hidden_wherever_it_stands_and_however_it_is_coded(secret, tmp_path):
    raw = secret.encode()
    basic = b64encode(b"svc:" + raw).decode()
    made = [
        reply(JSON, json.dumps({"note": secret})),
        reply(JSON, json.dumps({"note": secret}, ensure_ascii=False)),
        reply(JSON, json.dumps({"note": f"we got <{secret}> there"})),
        reply(JSON, json.dumps({"note": json.dumps({"x": secret})})),
        reply(JSON, json.dumps([[secret]])),
        reply(JSON, json.dumps({"b": b64encode(raw).decode()})),
        reply(JSON, json.dumps({"b": urlsafe_b64encode(b"svc:" + raw + b":x").decode()})),
        reply(JSON, json.dumps({"h": raw.hex()})),
        reply(JSON, json.dumps({"u": "https://a/?q=" + quote(secret, "")})),
        reply(JSON, json.dumps({"u": "https://a/" + quote(secret, "") + "/b"})),
        reply("text/plain", f"it is {secret} so"),
        reply("text/plain; charset=iso-8859-1", f"it is {secret} so".encode("latin-1")),
        reply(XML, f"<a><b>{html.escape(secret)}</b></a>"),
        reply(XML, f'<a b="{html.escape(secret)}"/>'),
        reply("text/html", f"<html><p>{html.escape(secret)}</p></html>"),
        reply("text/csv", f"a,b\n1,{secret}\n"),
        reply(JSON, "{}", ("x-note", quote(secret))),
        reply(JSON, "{}", ("x-note", f"Basic {basic}")),
        reply(JSON, "{}", target="/a/" + quote(secret, "") + "/b?" + urlencode({"q": secret})),
        request(*encode_form({"q": secret})),
        request(*encode_multipart({"q": secret})),
        request(JSON, json.dumps({"q": secret})),
    ]
    declared = DeclaredSecrets((secret,))
    for number, each in enumerate(made):
        text, refused = saved(tmp_path / str(number), each, secrets=declared)
        assert not refused, (number, refused)
        assert not leaks(text, secret), (number, text)
        assert basic not in text


ROOT = """
version: 1
frontends: {web: {access: none}}
services:
  a: {url: "http://a.test", credentials: {basic: {user: svc, password: "${PW}"}}}
  b: {url: "http://b.test", credentials: {api_key: {header: X-Partner, value: "${KEY}"}}}
  c: {url: "${C_URL}", headers: {X-Tenant-Code: "${TENANT}", X-Env: "${ENVIRONMENT:-staging-42}"}}
providers:
  main: {issuer: "https://id.test", client_id: "${CLIENT}", client_secret: "${CLIENT_SECRET}"}
session: {secrets: ["${SESSION}"]}
"""
ENVIRON = {
    "PW": "basic-pass-1",
    "KEY": "partner-key-2",
    "C_URL": "http://user:url-pass-3@c.test",
    "TENANT": "tenant-code-4",
    "CLIENT": "public-client-5",
    "CLIENT_SECRET": "client-secret-6",
    "SESSION": "session-secret-7-and-it-is-long-enough",
}


def test_every_secret_of_a_configuration_is_known():
    environ = ENVIRON | {"C_URL": "http://c.test"}
    config = assemble(parse(ROOT, "bff.yaml", environ), {}, {})
    found = declared_secrets(
        config, {"STRIPE_API_KEY": "of-a-python-view-8", "HOME": "/home/someone"}
    )
    assert set(found.values) >= {
        *("basic-pass-1", "svc:basic-pass-1", b64encode(b"svc:basic-pass-1").decode()),
        *("partner-key-2", "tenant-code-4", "client-secret-6", "of-a-python-view-8"),
        "session-secret-7-and-it-is-long-enough",
    }
    assert found.headers == {"authorization", "x-partner"}
    for public in ("http://c.test", "public-client-5", "staging-42", "/home/someone"):
        assert public not in found.values


@pytest.mark.parametrize(
    ("kind", "body", "why"),
    [
        ("application/zip", b"PK\x03\x04\xff\xfe\x00", "not text"),
        ("application/octet-stream", b"\x00\x01password=hunter22", "control characters"),
        ("image/png", b"password\xff=hunter22", "not text"),
        (JSON, b'{"password": "hunter22"', "not JSON"),
        (JSON, '{"password": "hunter22"}'.encode("utf-16"), "not text in utf-8"),
        ("application/problem+json", b"oops password", "not JSON"),
        (XML, b"<a><password>hunter22</password>", "not XML"),
        (XML, b'<!DOCTYPE a [<!ENTITY p "hunter22">]><a>&p;</a>', "not XML"),
        ("text/plain; charset=x-unknown", b"password hunter22", "unknown character set"),
        ("text/plain; charset=hex", b"68756e746572", "unknown character set"),
        ("multipart/mixed; boundary=b", b"--b\r\nA: 1\r\n\r\nhunter22", "incomplete"),
        (
            "multipart/mixed; boundary=b",
            b"--b\r\nContent-Transfer-Encoding: base64\r\n\r\naHVudGVyMjI=\r\n--b--\r\n",
            "transfer encoding",
        ),
    ],
)
def test_what_cannot_be_read_is_not_saved_and_why_is_said(kind, body, why, tmp_path):
    text, refused = saved(tmp_path, reply(kind, body))
    assert text == ""
    ((finding,),) = refused.values()
    assert why in finding.what
    assert finding.where == "GET /x: the response's body"
    rules = tmp_path / "rules.toml"
    rules.write_text(f"[redact]\n{finding.allow}\n")
    text, refused = saved(tmp_path, reply(kind, body), rules=read_rules(tmp_path).redact)
    assert not refused, "the line that is told lets it pass"
    assert text


def test_a_pseudonym_is_the_same_in_every_encoding_and_every_place(tmp_path):
    made = [
        exchanged("users", "/login", json.dumps({"token": TOKEN}).encode()),
        exchanged("users", f"/of/{TOKEN}/x?t={TOKEN}", b"[]"),
        reply(XML, f"<a>{TOKEN}</a>"),
    ]
    text, _ = saved(tmp_path, *made)
    assert len(set(re.findall("redacted-[0-9a-f]{10}", text))) == 1


def test_what_is_not_secret_stays_as_it_is_written(tmp_path):
    bodies = [
        (JSON, b'{ "a": 1.10, "big": 123456789012345678901234567890, "a": null, "code": "EUR" }'),
        (
            JSON,
            b'{"error": {"code": "resource_missing", "status_code": 404}, "token_type": "Bearer"}',
        ),
        (JSON, b'{"errors": {"password": ["is too short (minimum is 8 characters)"]}}'),
        (JSON, b'{"total_tokens": 35, "author": "Ada", "secretary": "Grace", "primary_key": "id"}'),
        (XML, b'<?xml version="1.0"?>\n<a x = "1"><!-- c --> &amp; <b/></a>\n'),
        ("text/html", b"<!doctype html><html><p>Forgot password?<br><script>if (a<b) c()</script>"),
    ]
    for number, (kind, body) in enumerate(bodies):
        folder = tmp_path / str(number)
        _, refused = saved(folder, reply(kind, body))
        assert not refused
        entry = json.loads((folder / "users.har").read_text())["log"]["entries"][0]
        assert entry["response"]["content"]["text"] == body.decode()


def test_a_boundary_that_was_made_of_a_secret_is_not_written(tmp_path):
    kind, body = encode_multipart({"password": "hunter22"})
    boundary = kind.partition("boundary=")[2]
    text, _ = saved(tmp_path, request(kind, body))
    assert boundary not in text


def test_the_rules_name_fields_of_forms_and_elements_of_xml_as_they_name_members(tmp_path):
    (tmp_path / "rules.toml").write_text('[redact]\npaths = ["email", "..phone", "a.city"]\n')
    rules = read_rules(tmp_path).redact
    made = [
        request(FORM, "email=ada%40a.example&phone=030-1234&name=Ada"),
        request(*encode_multipart({"email": "ada@a.example", "name": "Ada"})),
        reply(XML, "<a><b><phone>030-1234</phone></b><city>Berlin</city></a>"),
        reply(JSON, '{"x": [{"phone": "030-1234"}]}'),
    ]
    text, refused = saved(tmp_path / "made", *made, rules=rules)
    assert not refused
    for each in ("ada@a", "ada%40a", "030-1234", "Berlin"):
        assert each not in text
    assert "Ada" in text


def test_an_image_is_saved_but_not_with_a_secret_in_it(tmp_path):
    kind = "image/png"
    _, refused = saved(tmp_path / "a", reply(kind, b"\x89PNG\r\n\x1a\n\xff\x00"))
    assert not refused
    declared = DeclaredSecrets(("zorro-4711-quick",))
    hidden = b"\x89PNG\r\n\x1a\n\xff\x00zorro-4711-quick"
    _, refused = saved(tmp_path / "b", reply(kind, hidden), secrets=declared)
    assert refused


def test_an_address_with_user_information_and_a_title_are_as_clean(tmp_path):
    from dataclasses import replace

    made = exchanged("users", "/x", b"{}", title="/web/home?access_token=tok_4711")
    made = replace(made, base="http://svc:hunter-22x@users.test")
    text, refused = saved(tmp_path, made)
    assert not refused
    assert "hunter-22x" not in text
    assert TOKEN not in text
