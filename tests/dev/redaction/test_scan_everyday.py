"""Replies of everyday services are saved as they are; tokens of well-known ones are found."""

import json
import re
from pathlib import Path

import pytest

from bff.dev.recordings.archive import Archive, causes
from bff.dev.rules import RedactionRules, read_rules
from tests.dev.sample_exchanges import exchanged

EVERYDAY = json.loads((Path(__file__).parent / "everyday.json").read_text())


@pytest.mark.parametrize("service", EVERYDAY)
def test_what_is_public_by_nature_is_saved_as_it_is(service, tmp_path):
    headers = [("content-type", "application/json"), *map(tuple, EVERYDAY[service]["headers"])]
    body = json.dumps(EVERYDAY[service]["body"]).encode()
    made = exchanged("users", "/x", body, headers=tuple(headers))
    done = Archive(tmp_path, b"a key", "all").save([made], RedactionRules())
    assert not done.refused


S3 = """<?xml version="1.0" encoding="UTF-8"?>
<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>b</Name>
<NextContinuationToken>1ueGcxLPRx1Tr/XYExHnhbYLgveDs2J/wm36Hy4vbOwM=</NextContinuationToken>
<Contents><Key>photos/2026/a.jpg</Key><ETag>&quot;9b2cf535f27731c974343645a3985328&quot;</ETag>
<Owner><ID>75aa57f09aa0c8caeab4f8c24e99d10f8e7faeebf76c078efc7c6caea54ba06a</ID></Owner></Contents>
<RequestId>4442587FB7D0A2F9</RequestId>
<HostId>Xk5oP8qR2sT6uV0wX4yZ8aB2cD6eF0gH4iJ8kL2mN6o=</HostId>
</ListBucketResult>"""
PAGE = """<!doctype html><html><head>
<meta name="csrf-token" content="q9XvB2mL7rT4kW8sD1fG6hJ3zN5cPyRe">
<script nonce="q9XvB2mL7rT4kW8sD1fG6hJ3zN5cPyRe"
 src="/assets/app-9f86d081884c7d659a2feaa0c55ad015.js"
 integrity="sha384-q9XvB2mL7rT4kW8sD1fG6hJ3zN5cPyReq9XvB2mL7rT4kW8sD1fG6hJ3"></script></head>
<body><input type="hidden" name="csrfmiddlewaretoken" value="AbCdEf0123456789AbCdEf0123456789">
</body></html>"""


@pytest.mark.parametrize(("kind", "body"), [("application/xml", S3), ("text/html", PAGE)])
def test_documents_of_everyday_services_are_saved_too(kind, body, tmp_path):
    made = exchanged("files", "/x", body.encode(), headers=(("content-type", kind),))
    done = Archive(tmp_path, b"a key", "all").save([made], RedactionRules())
    assert not done.refused
    text = (tmp_path / "files.har").read_text()
    assert "1ueGcxLPRx1Tr" not in text
    assert "AbCdEf0123456789" not in text
    if kind == "text/html":
        assert 'content=\\"q9XvB2mL' not in text, "of the meta tag, not of the nonce"


TOKENS = [
    "hf_" + "aBcDeFgHiJkLmNoPqRsTuVwXyZaBcDeFgH",
    "dop_v1_" + "9f86d081884c7d65" * 4,
    "shpat_" + "9f86d081884c7d659a2feaa0c55ad015",
    "github_pat_" + "11AAAAAAA0" * 5,
    "ghs_" + "a1" * 18,
    "glpat-" + "abcdefghij0123456789",
    "npm_" + "a1" * 18,
    "pypi-" + "AgEIcHlwaS5vcmcCJDU5",
    "xapp-1-" + "A012345-6789",
    "AIza" + "SyA1234567890abcdefghijklmnopqrstuv",
    "ya29." + "a0AfH6SMBx1234567890",
    "SG." + "abcdefghijklmnop1234." + "abcdefghijklmnop1234",
    "whsec_" + "abcdefghijklmnop1234",
    "rk_live_" + "abcdefghijklmnop1234",
    "hvs." + "CAESIJ1234567890abcdefgh",
    "sk-ant-" + "api03-abcdefghijklmnop",
    "9f86d081884c7d659a2feaa0c55ad016",
    "9f86d081884c7d659a2feaa0c55ad0169f86d081884c7d659a2feaa0c55ad016",
    "https://hooks.slack.com/services/" + "T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX",
]


@pytest.mark.parametrize("token", TOKENS)
@pytest.mark.parametrize("name", ["note", "key"])
def test_tokens_and_keys_are_found(token, name, tmp_path):
    made = exchanged("users", "/x", json.dumps({name: token}).encode())
    done = Archive(tmp_path, b"a key", "all").save([made], RedactionRules())
    assert done.refused
    assert not list(tmp_path.glob("*.har"))


@pytest.mark.parametrize("name", ["etag", "x-request-id", "x-amz-cf-id"])
def test_a_certain_token_is_found_where_random_ones_are_public(name, tmp_path):
    headers = (("content-type", "application/json"), (name, TOKENS[0]))
    made = exchanged("users", "/x", b"{}", headers=headers)
    assert Archive(tmp_path, b"a key", "all").save([made], RedactionRules()).refused


def test_a_cause_is_told_once_and_its_line_lets_it_pass(tmp_path):
    random, blob = (
        "q9XvB2mL7rT4kW8sD1fG6hJ3zN5cPyRe",
        ("x-blob", "q9XvB2mL7rT4kW8sD1fG6hJ3zN5cPyRe"),
    )
    made = [
        exchanged("users", f"/x/{number}?opaque={random}",
                  json.dumps({"items": [{"bio": random}, {"bio": random}]}).encode(),
                  headers=(("content-type", "application/json"), blob),
                  visit=str(number))
        for number in range(5)
    ]  # fmt: skip
    archive = Archive(tmp_path, b"a key", "all")
    (found,) = archive.save(made, RedactionRules()).refused.values()
    told = {(len(cause), cause[0].secret, cause[0].allow) for cause in causes(found)}
    assert told == {
        (10, 'paths = ["items[].bio"]', 'allow = ["items[].bio"]'),
        (5, 'headers = ["x-blob"]', 'allow = ["x-blob"]'),
        (5, 'query = ["opaque"]', ""),
    }
    rules = tmp_path / "rules.toml"
    rules.write_text('[redact]\nallow = ["items[].bio", "X-Blob"]\nquery = ["opaque"]\n')
    assert not archive.save(made, read_rules(tmp_path).redact).refused
    text = (tmp_path / "users.har").read_text()
    assert not re.search(f"opaque={random}", text)
    assert random not in text, "it is secret in the query, and so it is everywhere"
