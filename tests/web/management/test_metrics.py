"""Metrics: what Prometheus reads, and that no client can invent any of it."""

import pytest
from prometheus_client.parser import text_string_to_metric_families
from werkzeug.test import EnvironBuilder, TestResponse, run_wsgi_app

from bff.cache.cache import Cache
from bff.dev.stubs.stub import StubReply
from bff.errors import Forbidden
from bff.model.principal import Principal
from bff.observe.instruments import BUCKETS, INSTRUMENTS
from bff.web.management.listener import MANAGED

HOME = "get: /home/{id}\ncalls:\n  a: {get: users:/a}\n  b: {get: users:/b, fallback: 1}\n"
HOME += "shape: {a: a, b: b}\n"
SERVED = "http_server_request_duration_seconds"
SENT = "http_client_request_duration_seconds"


def scrape(shop):
    """What the management listener tells Prometheus: (name, labels) -> value."""
    builder = EnvironBuilder("/metrics", headers={"Host": "127.0.0.1:9090"})
    environ = builder.get_environ() | {MANAGED: True}
    reply = TestResponse(*run_wsgi_app(shop.app.wsgi_app, environ), builder.get_request())
    assert reply.status_code == 200
    assert reply.mimetype == "text/plain"
    return [
        sample for family in text_string_to_metric_families(reply.text) for sample in family.samples
    ]


def found(shop, name, **labels):
    return [
        (each.labels, each.value)
        for each in scrape(shop)
        if each.name == name and labels.items() <= each.labels.items() and each.value
    ]


def value(shop, name, **labels):
    ((_, one),) = found(shop, name, **labels)
    return one


@pytest.fixture
def shop(site):
    def make(*views, **more):
        more.setdefault("users", lambda _: StubReply.json(1))
        return site(*views, management="127.0.0.1:9090", **more)

    return make


def test_a_view_is_counted_by_what_it_is_and_what_it_was_answered(shop):
    place = shop(HOME)
    for each in (1, 2, 3):
        place.get(f"/web/home/{each}")
    labels = {
        "frontend": "web",
        "view": "v0",
        "http_route": "/web/home/{id}",
        "http_request_method": "GET",
        "http_response_status_code": "200",
    }
    assert found(place, f"{SERVED}_count") == [(labels, 3)]
    limits = [each.labels["le"] for each in scrape(place) if each.name == f"{SERVED}_bucket"]
    assert [float(each) for each in limits] == [*BUCKETS, float("inf")]


def test_calls_are_counted_by_their_outcomes_and_requests_by_their_status(shop):
    def answer(request):
        return StubReply(status=500) if request.path == "/b" else StubReply.json(1)

    place = shop(HOME, users=answer)
    place.get("/web/home/1")
    calls = {"frontend": "web", "view": "v0", "service": "users"}
    assert value(place, "bff_calls_total", call="a", outcome="ok", reason="", **calls) == 1
    failed = {"call": "b", "outcome": "fallback", "reason": "status"}
    assert value(place, "bff_calls_total", **failed, **calls) == 1
    wrong = {"http_response_status_code": "500", "error_type": "500", "attempt": "first"}
    assert value(place, f"{SENT}_count", service="users", **wrong) == 1


def test_retries_hedges_and_time_outs_are_told_apart(shop):
    replies = iter([StubReply(status=503), StubReply.json(1), StubReply(fault="hang")])
    view = "get: /x\ntimeout: 300ms\ncall: {get: users:/a}\n"
    retries = ", retry: {retries: 1, first: 1ms}"
    place = shop(view, users=lambda _: next(replies), service=retries)
    assert [place.get("/web/x").status_code for _ in "ab"] == [200, 504]
    assert value(place, f"{SENT}_count", attempt="retry") == 1
    assert value(place, f"{SENT}_count", error_type="timeout") == 1
    assert value(place, "bff_calls_total", outcome="failed", reason="timeout") == 1
    assert value(place, "bff_deadlines_missed_total", frontend="web", view="v0") == 1


def test_a_hedge_is_counted_as_one(shop):
    replies = iter([StubReply(fault="hang"), StubReply.json(1)])
    place = shop(
        "get: /x\ntimeout: 5s\ncall: {get: users:/a, hedge: 20ms}\n",
        users=lambda _: next(replies),
    )
    assert place.get("/web/x").status_code == 200
    assert value(place, f"{SENT}_count", attempt="hedge") == 1
    assert value(place, f"{SENT}_count", attempt="first", error_type="cancelled") == 1


def test_what_is_kept_is_counted_for_views_and_for_calls(shop):
    kept = "get: /k\ncache: {ttl: 60s}\ncall: {get: users:/a}\n"
    call = "get: /c\ncall: {get: users:/c, cache: {ttl: 60s}}\n"
    place = shop(kept, call, cache=Cache(1_000_000))
    for path in ("/web/k", "/web/k", "/web/c", "/web/c"):
        assert place.get(path).status_code == 200
    looked_up = "bff_cache_requests_total"
    assert value(place, looked_up, view="v0", call="", result="miss") == 1
    assert value(place, looked_up, view="v0", call="", result="hit") == 1
    assert value(place, looked_up, view="v1", call="call", result="miss") == 1
    assert value(place, looked_up, view="v1", call="call", result="hit") == 1
    assert value(place, "bff_cache_bytes") > 0
    assert value(place, "bff_cache_bound_bytes") == 1_000_000


def test_a_breaker_that_opens_is_seen(shop):
    policy = ", breaker: {of: 5, failures: 50%}"
    place = shop(HOME, users=lambda _: StubReply(status=500), service=policy)
    for _ in range(6):
        place.get("/web/home/1")
    (address,) = (each.split("//")[1] for each in place.stubs.urls.values())
    assert value(place, "bff_address_state", state="open", address=address) == 1
    assert value(place, "bff_address_changes_total", state="open", address=address) >= 1
    assert value(place, "bff_calls_total", call="a", reason="circuit_open") >= 1


def test_who_is_refused_is_counted(shop):
    def nobody(*_):
        raise Forbidden("no")

    place = shop("get: /x\ncall: {get: users:/a}\n", principal=nobody)
    assert place.get("/web/x").status_code == 403
    assert value(place, f"{SERVED}_count", view="v0", http_response_status_code="403") == 1
    assert value(place, "bff_session_events_total", event="refused", reason="Forbidden") == 1


def test_what_is_nowhere_is_counted_without_a_name(shop):
    place = shop(HOME)
    place.get("/web/S3CRET")
    place.get("/S3CRET/x")
    place.get("/web/home/S3CRET", method="S3CRET")
    place.get("/web/home/1", host="s3cret.example")
    names = {(each["view"], each["http_response_status_code"]) for each, _ in counted(place)}
    assert names == {("", "404"), ("", "405"), ("v0", "421")}
    assert {each["http_request_method"] for each, _ in counted(place)} == {"GET", "_OTHER"}


def counted(shop):
    return found(shop, f"{SERVED}_count")


def test_nothing_that_a_client_sends_is_a_label(shop):
    """However many different things are asked for, the series are as many as after the first."""
    place = shop(HOME, principal=lambda *_: Principal("https://id.example", "S3CRET"))

    def ask(number):
        headers = [
            ("User-Agent", f"S3CRET{number}"),
            ("X-Request-Id", f"S3CRET-{number:08}"),
            ("Accept-Language", f"x{number}"),
            ("traceparent", f"00-{number + 1:032x}-{number + 1:016x}-01"),
        ]
        place.get(f"/web/home/S3CRET{number}?q=S3CRET{number}", headers=headers)
        place.get(f"/web/S3CRET{number}", headers=headers)
        place.get("/web/home/1", headers=headers, method=f"S3CRET{number}")

    ask(0)
    series = {(each.name, *sorted(each.labels.items())) for each in scrape(place)}
    for number in range(1, 30):
        ask(number)
    after = {(each.name, *sorted(each.labels.items())) for each in scrape(place)}
    assert after == series
    assert "S3CRET" not in repr(series)


def test_the_health_of_the_process_is_not_counted(shop):
    place = shop(HOME)
    place.get("/livez"), place.get("/readyz")
    assert not counted(place)


def test_every_metric_has_its_name_by_its_kind():
    for each in INSTRUMENTS:
        assert each.name.startswith(("bff_", "http_"))
        assert each.name.endswith("_total") is (each.kind == "counter"), each.name
        assert each.name.endswith("_seconds") or each.kind != "histogram", each.name
    assert len({each.name for each in INSTRUMENTS}) == len(INSTRUMENTS)
