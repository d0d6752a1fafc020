"""What looks like a secret is found with its place; what does not is let pass."""

import re
from base64 import b64encode

import orjson
import pytest

from bff.dev.redaction.scan import findings
from bff.dev.rules import AllowList
from bff.dev.shop.recordings import shop_recordings

RECORDINGS = shop_recordings()
KEY = "sk" + "_live_" + "4eC39HqLyjWDarjtT1zdp7dc"
SECRETS = {
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl": "a JSON Web Token",
    "-----BEGIN RSA " + "PRIVATE KEY-----": "a private key",
    "Bearer 0123456789abcdef0123": "credentials",
    "https://ada:lovelace@example.org/": "credentials in an address",
    "AKIA" + "IOSFODNN7EXAMPLE": "a key of a cloud provider",
    "ghp_" + "a1" * 18: "a token of a code host",
    "xoxb-" + "1234567890-abc": "a token of a chat",
    KEY: "a key of a payment provider",
    "q9XvB2mL7rT4kW8sD1fG6hJ3zN5cPyRe": "a random key",
}
HARMLESS = [
    "redacted-0123456789",
    "Bearer redacted-0123456789",
    "3f786850e387550fdab836ed7e6dc881de23001b",
    "123e4567-e89b-12d3-a456-426614174000",
    "a-slug-of-many-words-that-is-rather-long-2026",
    "images/2026/Large/Kettle/Front-View-01.jpg",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36",
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
]


def entry(text="", *, url="http://s/x", header="", posted=""):
    return {
        "request": {
            "method": "GET",
            "url": url,
            "headers": [{"name": "X-Note", "value": header}],
            "postData": {"text": posted},
        },
        "response": {"headers": [], "content": {"text": text}},
    }


@pytest.mark.parametrize("secret", SECRETS)
def test_a_secret_is_found_wherever_it_stands(secret):
    body = orjson.dumps({"items": [{"note": f"it is {secret} so"}]}).decode()
    places = {
        "response.content.text at items[0].note": entry(body),
        "request.postData.text at items[0].note": entry(posted=body),
        "response.content.text": entry(f"it is {secret} so"),
        "request.headers.X-Note": entry(header=secret),
        "request.url": entry(url=f"http://s/x?y={secret}"),
    }
    allow = AllowList(patterns=(re.compile(re.escape(secret)),))
    for place, each in places.items():
        (found,) = findings(each, 3, "")
        assert (found.where, found.what) == (f"log.entries[3] GET /x: {place}", SECRETS[secret])
        assert findings(each, 3, "", allow) == []


def test_it_is_found_in_a_title_and_a_form_and_behind_base64_too():
    key = "q9XvB2mL7rT4kW8sD1fG6hJ3zN5cPyRe"
    form = entry() | {"request": {"method": "POST", "url": "http://s/x", "postData": {
        "params": [{"name": "note", "value": key}]}}}  # fmt: skip
    coded = entry()
    body = b64encode(orjson.dumps({"note": key})).decode()
    coded["response"]["content"] = {"text": body, "encoding": "base64"}
    found = [*findings(entry(), 0, f"/web/x?y={key}"), *findings(form, 1, "")]
    found += findings(coded, 2, "")
    assert [each.where for each in found] == [
        "log.entries[0] GET /x: page's title",
        "log.entries[1] POST /x: request.postData.params.note",
        "log.entries[2] GET /x: response.content.text at note",
    ]


def test_the_place_does_not_tell_a_secret_that_stands_in_the_path():
    key = "q9XvB2mL7rT4kW8sD1fG6hJ3zN5cPyRe"
    (found,) = findings(entry(url=f"http://s/of/{key}"), 0, "")
    assert found.where == "log.entries[0] GET …: request.url"


@pytest.mark.parametrize("text", HARMLESS)
def test_what_is_no_secret_is_let_pass(text):
    assert findings(entry(text, header=text), 0, "") == []


@pytest.mark.parametrize("file", sorted(RECORDINGS.glob("*.har")), ids=lambda file: file.stem)
def test_nothing_in_the_shops_recordings_looks_like_one(file):
    entries = orjson.loads(file.read_bytes())["log"]["entries"]
    assert not [found for each in entries for found in findings(each, 0, "")]
