"""What looks like a secret is found with its place; what does not is let pass."""

import re
from pathlib import Path

import orjson
import pytest

from bff.dev.scan import findings

RECORDINGS = Path(__file__).parents[2] / "config/recordings"
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
    for place, each in places.items():
        (found,) = findings(each, "log.entries[3]", ())
        assert (found.where, found.what) == (f"log.entries[3].{place}", SECRETS[secret])
        assert findings(each, "log.entries[3]", [re.compile(re.escape(secret))]) == []


@pytest.mark.parametrize("text", HARMLESS)
def test_what_is_no_secret_is_let_pass(text):
    assert findings(entry(text, header=text), "log.entries[0]", ()) == []


@pytest.mark.parametrize("file", sorted(RECORDINGS.glob("*.har")), ids=lambda file: file.stem)
def test_nothing_in_the_shops_recordings_looks_like_one(file):
    entries = orjson.loads(file.read_bytes())["log"]["entries"]
    assert not [found for each in entries for found in findings(each, file.name, ())]
