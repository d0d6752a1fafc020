"""Replies of everyday services are saved as they are; tokens of well-known ones are found."""

import json
import re

import pytest

from bff.dev.archive import Archive, causes
from bff.dev.rules import Redaction, read_rules
from tests.dev.recordings import exchanged

ETAG = ("etag", 'W/"1b3-7Zq2J0mG4n8pQkB5R0lYt2yHcXo9"')
CF = ("x-amz-cf-id", "Wm3sE9pXyQ7zK1vT5uR8aB2cD4eF6gH0iJ_kLmNoPqRsTuVwXyZ12==")
CSP = ("content-security-policy", "script-src 'self' 'nonce-q9XvB2mL7rT4kW8sD1fG6hJ3zN5cPyRe'")
PNG = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwAD"
EVERYDAY = {
    "express": ([ETAG, ("x-powered-by", "Express"), ("date", "Mon, 02 Nov 2026 09:00:00 GMT"),
                 ("set-cookie", "connect.sid=s%3AAbCdEf0123456789.q9XvB2mL7rT4kW8sD1fG6h; Path=/")],
                {"items": [{"id": "665f1f77bcf86cd799439011", "avatar": PNG}]}),
    "rails": ([("etag", 'W/"5a1b3c4d5e6f708192a3b4c5d6e7f809"'), CSP,
               ("x-request-id", "q9XvB2mL7rT4kW8sD1fG6hJ3zN5cPyRe"), ("x-runtime", "0.012")],
              {"image": "https://s/rails/active_storage/blobs/redirect/"
                        "eyJfcmFpbHMiOnsibWVzc2FnZSI6IkJBaHBCZz09IiwiZXhwIjpudWxsLCJwdXIiOiJibG9iX2lkIn19"
                        "--3f786850e387550fdab836ed7e6dc881de23001b/a.jpg",
               "digest": "9b2cf535f27731c974343645a39853289b2cf535f27731c974343645a3985328"}),
    "spring": ([("etag", '"0686897696a7c876b7e0686897696a7c"'), ("x-b3-traceid", "463ac35c9f6413ad48485a3953bb6124")],
               {"_links": {"self": {"href": "https://s/orders/1"}}, "traceId": "463ac35c9f6413ad48485a3953bb6124"}),
    "django": ([("vary", "Cookie"), ("set-cookie", "csrftoken=q9XvB2mL7rT4kW8sD1fG6hJ3zN5cPyRe; Path=/")],
               {"next": "https://s/api/?cursor=cD0yMDI2LTExLTAyKzA5JTNBMDAlM0EwMC4wMDAwMDAlMkIwMCUzQTAw"}),
    "cloudfront": ([CF, ("x-amz-id-2", "Xk5oP8qR2sT6uV0wX4yZ8aB2cD6eF0gH4iJ8kL2mN6oP0qR4sT8uV2wX6yZ0aB4="),
                    ("x-amz-request-id", "4B5E0D7F8A9C1B2D"), ("x-cache", "Miss from cloudfront"),
                    ("x-amz-version-id", "3sL4kqtJlcpXroDTDmJ+rmSpXd3dIbrHY+MTRCxf3vjVBH40Nr8X8gdRQBpUMLUo")],
                   {"ok": True}),
    "github": ([("x-github-request-id", "C0DE:1234:ABCDEF:123456:65432100"),
                ("etag", 'W/"9f86d081884c7d659a2feaa0c55ad0159f86d081884c7d659a2feaa0c55ad015"')],
               {"node_id": "MDEwOlJlcG9zaXRvcnkxMjk2MjY5MTI5NjI2OQ==", "gravatar_id": "",
                "sha": "6dcb09b5b57875f334f61aebed695e2e4193db5e",
                "avatar_url": "https://www.gravatar.com/avatar/9f86d081884c7d659a2feaa0c55ad015",
                "tree": {"url": "https://api/git/trees/6dcb09b5b57875f334f61aebed695e2e4193db5e"}}),
    "gitlab": ([("x-gitlab-meta", '{"correlation_id":"01HX5Y9ZK3J7Q2W8E4R6T1Y5U0","version":"1"}')],
               {"diff_refs": {"base_sha": "6dcb09b5b57875f334f61aebed695e2e4193db5e"},
                "web_url": "https://g/a/-/commit/6dcb09b5b57875f334f61aebed695e2e4193db5e",
                "sha256": "9f86d081884c7d659a2feaa0c55ad0159f86d081884c7d659a2feaa0c55ad015"}),
    "relay": ([], {"data": {"node": {"id": "VXNlcjoxMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDE="},
                            "edges": [{"cursor": "q9XvB2mL7rT4kW8sD1fG6hJ3zN5cPyRe"}],
                            "pageInfo": {"endCursor": "YXJyYXljb25uZWN0aW9uOjEwMDAwMDAwMDAwMA==",
                                         "startCursor": "q9XvB2mL7rT4kW8sD1fG6hJ3zN5cPyRe"}}}),
    "stripe": ([("request-id", "req_q9XvB2mL7rT4kW"), ("idempotency-key", "q9XvB2mL7rT4kW8sD1fG6hJ3zN5cPyRe"),
                ("stripe-version", "2026-10-01")],
               {"id": "pi_3MtwBwLkdIwHu7ix28a3tqPa9", "customer": "cus_NffrFeUfNV2Hib",
                "latest_charge": "ch_3MmlLrLkdIwHu7ix0snN0B15a9", "price": "price_1MoBy5LkdIwHu7ixZhnattbh",
                "client_secret": "pi_3MtwBwLkdIwHu7ix28a3tqPa_secret_YrKJUKribcBjcG8HVhfZluoGH"}),
    "npm": ([("cf-ray", "8b1c2d3e4f5a6b7c-FRA"), ("nel", '{"report_to":"cf-nel"}'),
             ("report-to", '{"endpoints":[{"url":"https://a.nel.cloudflare.com/report/v4?s=q9XvB2mL7rT4kW8sD1fG6hJ3zN5cPyRe"}]}')],
            {"dist": {"shasum": "3f786850e387550fdab836ed7e6dc881de23001b",
                      "integrity": "sha512-q9XvB2mL7rT4kW8sD1fG6hJ3zN5cPyReq9XvB2mL7rT4kW8sD1fG6hJ3zN5cPyRe=="}}),
    "tracing": ([("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
                 ("x-amzn-trace-id", "Root=1-67891233-abcdef012345678912345678"),
                 ("x-cloud-trace-context", "105445aa7843bc8bf206b12000100000/1")],
                {"requestId": "q9XvB2mL7rT4kW8sD1fG6hJ3zN5cPyRe"}),
    "oci": ([("docker-content-digest", "sha256:9f86d081884c7d659a2feaa0c55ad0159f86d081884c7d659a2feaa0c55ad015")],
            {"image": "alpine@sha256:9f86d081884c7d659a2feaa0c55ad0159f86d081884c7d659a2feaa0c55ad015"}),
}  # fmt: skip


@pytest.mark.parametrize("service", EVERYDAY)
def test_what_is_public_by_nature_is_saved_as_it_is(service, tmp_path):
    headers, body = EVERYDAY[service]
    made = exchanged("users", "/x", json.dumps(body).encode(),
                     headers=(("content-type", "application/json"), *headers))  # fmt: skip
    done = Archive(tmp_path, b"a key", "all").save([made], Redaction())
    assert not done.refused


S3 = """<?xml version="1.0" encoding="UTF-8"?>
<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>b</Name>
<NextContinuationToken>1ueGcxLPRx1Tr/XYExHnhbYLgveDs2J/wm36Hy4vbOwM=</NextContinuationToken>
<Contents><Key>photos/2026/a.jpg</Key><ETag>&quot;9b2cf535f27731c974343645a3985328&quot;</ETag>
<Owner><ID>75aa57f09aa0c8caeab4f8c24e99d10f8e7faeebf76c078efc7c6caea54ba06a</ID></Owner></Contents>
<RequestId>4442587FB7D0A2F9</RequestId><HostId>Xk5oP8qR2sT6uV0wX4yZ8aB2cD6eF0gH4iJ8kL2mN6o=</HostId>
</ListBucketResult>"""
PAGE = """<!doctype html><html><head><meta name="csrf-token" content="q9XvB2mL7rT4kW8sD1fG6hJ3zN5cPyRe">
<script nonce="q9XvB2mL7rT4kW8sD1fG6hJ3zN5cPyRe" src="/assets/app-9f86d081884c7d659a2feaa0c55ad015.js"
 integrity="sha384-q9XvB2mL7rT4kW8sD1fG6hJ3zN5cPyReq9XvB2mL7rT4kW8sD1fG6hJ3"></script></head>
<body><input type="hidden" name="csrfmiddlewaretoken" value="AbCdEf0123456789AbCdEf0123456789">
</body></html>"""


@pytest.mark.parametrize(("kind", "body"), [("application/xml", S3), ("text/html", PAGE)])
def test_documents_of_everyday_services_are_saved_too(kind, body, tmp_path):
    made = exchanged("files", "/x", body.encode(), headers=(("content-type", kind),))
    done = Archive(tmp_path, b"a key", "all").save([made], Redaction())
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
    done = Archive(tmp_path, b"a key", "all").save([made], Redaction())
    assert done.refused
    assert not list(tmp_path.glob("*.har"))


@pytest.mark.parametrize("name", ["etag", "x-request-id", "x-amz-cf-id"])
def test_a_certain_token_is_found_where_random_ones_are_public(name, tmp_path):
    headers = (("content-type", "application/json"), (name, TOKENS[0]))
    made = exchanged("users", "/x", b"{}", headers=headers)
    assert Archive(tmp_path, b"a key", "all").save([made], Redaction()).refused


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
    (found,) = archive.save(made, Redaction()).refused.values()
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
