"""Headers: what crosses, what does not, and the structured ones that every answer carries."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.datastructures import Headers

from bff.dev.stubs.stub import StubReply
from bff.model.exchange import Outcome
from bff.web.headers import calls_header, forwardable, respondable, timing_header

KEY = re.compile(r"[a-z*][a-z0-9_\-.*]*")
TOKEN = re.compile(r"[A-Za-z*][!#$%&'*+\-.^_`|~0-9A-Za-z:/]*")
INTEGER = re.compile(r"-?\d{1,15}(?![\d.])")


def dictionary(text):
    """Parse a dictionary of tokens with parameters, strictly by RFC 9651, section 4.2.2."""
    found, at = {}, 0

    def take(pattern):
        nonlocal at
        match = pattern.match(text, at)
        assert match, f"{pattern.pattern} at {at} of {text!r}"
        at = match.end()
        return match[0]

    def bare_item():
        if INTEGER.match(text, at):
            return int(take(INTEGER))
        return take(TOKEN)

    while at < len(text):
        name = take(KEY)
        assert name not in found
        take(re.compile("="))
        value, parameters = bare_item(), {}
        while at < len(text) and text[at] == ";":
            take(re.compile("; *"))
            key = take(KEY)
            parameters[key] = True
            if at < len(text) and text[at] == "=":
                at += 1
                parameters[key] = bare_item()
        found[name] = (value, parameters)
        if at < len(text):
            take(re.compile("[ \t]*,[ \t]*"))
            assert at < len(text), "a comma at the end"
    return found


def test_the_parser_of_this_test_knows_what_is_wrong():
    assert dictionary("a=ok, b=x;c=1;d") == {"a": ("ok", {}), "b": ("x", {"c": 1, "d": True})}
    for wrong in ("A=ok", "a=ok,", "a=;b", "a==b", "a=ok b=ok", 'a="x'):
        with pytest.raises(AssertionError):
            dictionary(wrong)


def test_outcomes_are_written_as_decided():
    outcomes = {
        "user": Outcome("ok"),
        "orders": Outcome("fallback", "timeout"),
        "reviews": Outcome("failed", "status", 503, failed=2, of=6),
        "promo": Outcome("skipped", "when"),
    }
    assert calls_header(outcomes) == (
        "user=ok, orders=fallback;reason=timeout, "
        "reviews=failed;reason=status;status=503;failed=2;of=6, promo=skipped;reason=when"
    )


REASONS = ["", "timeout", "unreachable", "status", "bad_reply", "unfillable", "when", "dependency"]
REASONS += ["cancelled", "too_many", "shape", "credentials"]
NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,10}", fullmatch=True)
OUTCOMES = st.builds(
    Outcome,
    kind=st.sampled_from(["ok", "stale", "fallback", "skipped", "failed"]),
    reason=st.sampled_from(REASONS),
    status=st.none() | st.integers(100, 599),
    failed=st.integers(0, 100),
    of=st.integers(0, 100),
    started=st.none() | st.floats(0, 60),
    took=st.floats(0, 60),
    detail=st.text(),
)


@given(st.dictionaries(NAMES, OUTCOMES, max_size=5))
def test_bff_calls_is_a_dictionary_of_rfc_9651(outcomes):
    found = dictionary(calls_header(outcomes))
    assert list(found) == list(outcomes), "one member a call, in order"
    for name, (kind, parameters) in found.items():
        each = outcomes[name]
        assert kind == each.kind
        assert parameters.get("reason", "") == each.reason
        assert parameters.get("status") == each.status
        assert parameters.get("failed", 0) == each.failed


@given(st.dictionaries(NAMES, OUTCOMES, max_size=5), st.floats(0, 60))
def test_server_timing_is_one_entry_per_call_that_started_and_the_total(outcomes, total):
    form = re.compile(r'[a-z][a-z0-9_-]*;dur=\d+\.\d(;desc="[a-z]+ \d+\.\d")?')
    entries = timing_header(outcomes, total).split(", ")
    assert all(form.fullmatch(entry) for entry in entries)
    started = [name for name, each in outcomes.items() if each.started is not None]
    assert [entry.split(";")[0] for entry in entries] == [*started, "view-total"]


@pytest.mark.parametrize(
    ("given", "names", "crosses"),
    [
        ([("X-A", "1"), ("X-B", "2")], ["x-a"], {"x-a": "1"}),
        ([("x-A", "1"), ("X-a", "2")], ["x-a"], {"x-a": "1, 2"}),
        ([("X-A", "1"), ("Connection", "close, X-A")], ["x-a"], {}),
        ([("X-A", "1"), ("Connection", "close"), ("Connection", "x-a , b")], ["x-a"], {}),
        ([("X-A", "1"), ("Connection", "x-ab")], ["x-a"], {"x-a": "1"}),
        ([], ["x-a"], {}),
        ([("X-A", "")], ["x-a"], {"x-a": ""}),
    ],
)
def test_forwarded_headers(given, names, crosses):
    assert forwardable(Headers(given), names) == crosses


def test_a_reply_header_with_a_line_break_goes_no_further():
    given = (("x-a", "fine"), ("x-b", "a\r\nX-Evil: 1"), ("x-c", "a\0"))
    assert respondable(given) == (("x-a", "fine"),)


VIEW = """
get: /x
call:
  get: users:/x
  headers: {X-Of: "{headers.\\"x-app\\"}"}
  forward: [X-App, Accept-Language, User-Agent]
  respond: [X-Version, Set-Cookie2]
"""
SENT = [
    *[("X-App", "7"), ("X-Other", "8"), ("Cookie", "a=b"), ("Authorization", "Bearer x")],
    *[("Accept-Language", "de"), ("User-Agent", "phone"), ("X-Forwarded-For", "1.2.3.4")],
    *[("Proxy-Authorization", "x"), ("TE", "trailers"), ("Upgrade", "h2c"), ("Origin", "http://x")],
    *[("Referer", "http://x"), ("Traceparent", "00-x"), ("Baggage", "a=b"), ("If-None-Match", "x")],
]
REPLIED = [
    *[("X-Version", "3"), ("X-Inside", "db7"), ("Set-Cookie", "a=b"), ("Server", "nginx/1")],
    *[("X-Powered-By", "PHP"), ("Via", "1.1 inner"), ("Content-Type", "application/json")],
    *[("Location", "http://inner"), ("ETag", '"x"'), ("Cache-Control", "public"), ("Vary", "*")],
]


def test_only_declared_headers_cross_either_way(site):
    shop = site(VIEW, users=lambda _: StubReply.json({}, headers=REPLIED))
    reply = shop.get("/web/x", headers=SENT)
    assert reply.status_code == 200
    (asked,) = shop.stubs.requests()
    names = sorted(name.lower() for name, _ in asked.headers)
    declared = ["user-agent", "x-app", "accept-language", "x-of"]
    assert names == sorted(["host", "accept", "accept-encoding", "traceparent", *declared])
    assert "00-x" not in asked.header("traceparent"), "it is ours, of a trace of ours"
    assert (asked.header("x-app"), asked.header("user-agent")) == ("7", "phone")
    crossed = {name.lower() for name, _ in reply.headers}
    ours = {"content-type", "content-length", "cache-control", "bff-calls", "x-request-id"}
    ours |= {"etag", "vary"}
    hardening = {"content-security-policy", "referrer-policy", "x-frame-options"}
    hardening |= {"cross-origin-resource-policy", "x-content-type-options"}
    assert crossed == ours | hardening | {"x-version"}
    assert reply.headers["Cache-Control"] == "private, no-cache"


def test_a_header_that_connection_names_does_not_cross(site):
    shop = site(VIEW, users=lambda _: StubReply.json({}))
    shop.get("/web/x", headers=[("X-App", "7"), ("Connection", "keep-alive, x-app")])
    (asked,) = shop.stubs.requests()
    assert asked.header("x-app") is None
    assert asked.header("x-of") is None


def test_a_reply_header_that_its_connection_names_does_not_cross(site):
    headers = [("X-Version", "3"), ("Connection", "x-version")]
    shop = site(VIEW, users=lambda _: StubReply.json({}, headers=headers))
    assert "X-Version" not in shop.get("/web/x").headers


def test_bytes_of_a_forwarded_header_arrive_as_they_came(site):
    shop = site(VIEW, users=lambda _: StubReply.json({}))
    came = "naïve €".encode().decode("latin-1")  # as WSGI hands headers over (PEP 3333)
    shop.get("/web/x", headers=[("X-App", came)])
    (asked,) = shop.stubs.requests()
    assert asked.header("x-app") == came


@pytest.mark.parametrize("value", ["a\x01b", "a\x7fb", "a\x0bb", "a\r\nX-Evil: 1", "a\0b"])
@pytest.mark.parametrize(
    ("rung", "status", "outcome"),
    [("", 400, "skipped;reason=cancelled"), (", optional: true", 200, "failed;reason=unfillable")],
)
def test_a_forwarded_header_that_cannot_be_sent_is_not(site, value, rung, status, outcome):
    view = f"get: /x\ncall: {{get: users:/x, forward: [X-App]{rung}}}\n"
    shop = site(view, users=lambda _: StubReply.json({}))
    environ = {"HTTP_HOST": "shop.example", "HTTP_X_APP": value}
    reply = shop.app.test_client().get("/web/x", environ_overrides=environ)
    assert (reply.status_code, reply.headers["BFF-Calls"]) == (status, f"call={outcome}")
    assert rung or reply.json["errors"] == [
        {"parameter": "x-app", "in": "header", "detail": "cannot be sent to a service"}
    ]
    assert shop.stubs.requests() == []


def test_a_partial_answer_is_not_stored(site):
    view = "get: /x\ncalls: {a: {get: users:/x, optional: true}}\nshape: {a: a}\n"
    shop = site(view, users=lambda _: StubReply(500))
    reply = shop.get("/web/x")
    assert (reply.status_code, reply.get_json()) == (200, {"a": None})
    assert reply.headers["Cache-Control"] == "no-store"
    assert reply.headers["BFF-Calls"] == "a=failed;reason=status;status=500"


@pytest.mark.parametrize(
    ("accepted", "locale"),
    [("de", "de"), ("fr, de;q=0.5", "de"), ("fr", "en"), ("", "en"), ("*", "en")],
)
def test_the_locale_is_one_of_the_frontends(site, accepted, locale):
    from bff.model.principal import Principal

    who = Principal("https://i", "ada")
    shop = site(
        'get: /x\ncall: {get: users:/x, headers: {Accept-Language: "{locale}"}}\n',
        users=lambda _: StubReply.json({}),
        principal=lambda *_: who,
    )
    shop.get("/web/x", headers=[("Accept-Language", accepted)])
    (asked,) = shop.stubs.requests()
    assert asked.header("accept-language") == locale
