"""W3C Trace Context: read where it is declared to be trusted, told to services, and exported."""

import re
import sys
from time import sleep

import pytest

from bff.cache.cache import Cache
from bff.declare.settings import Settings
from bff.dev.stubs.stub import StubReply
from bff.errors import ConfigError
from bff.model.trace import begun, continued
from bff.parts import open_spans
from tests.otlp_receiver import Receiver, attributes

HOME = "get: /home\ncalls:\n  a: {get: users:/a}\n  b: {get: users:/b}\nshape: {a: a, b: b}\n"
ID, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
GIVEN = [("traceparent", f"00-{ID}-{PARENT}-01"), ("tracestate", "vendor=1"), ("baggage", "a=1")]
SENT = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-(0[01])")


NAMED = """
get: /users/{name}
params: {q: {}}
call: {get: "users:/u/{params.name}", query: {q: "{params.q}"}}
"""


def well(_request):
    return StubReply.json(1)


def told(shop):
    """What each service was told: trace, span, flags."""
    return [SENT.fullmatch(each.header("traceparent")).groups() for each in shop.stubs.requests()]


def test_services_are_told_of_a_trace_that_is_not_the_clients_unless_it_is_trusted(site):
    shop = site(HOME, users=well)
    shop.get("/web/home", headers=GIVEN)
    (first, own, flags), (second, other, _) = told(shop)
    assert (first, flags) == (second, "00")
    assert first != ID
    assert own != other
    asked = shop.stubs.requests()[0]
    assert (asked.header("tracestate"), asked.header("baggage")) == (None, None)
    assert shop.heard[0].trace.id == first


def test_a_trusted_clients_trace_goes_on(site):
    shop = site(HOME, users=well, trusting=True)
    shop.get("/web/home", headers=GIVEN)
    assert {(trace, flags) for trace, _, flags in told(shop)} == {(ID, "01")}
    asked = shop.stubs.requests()[0]
    assert (asked.header("tracestate"), asked.header("baggage")) == ("vendor=1", None)
    assert (shop.heard[0].trace.id, shop.heard[0].trace.parent) == (ID, PARENT)


@pytest.mark.parametrize(
    "parent",
    [
        "",
        "00",
        f"00-{ID}-{PARENT}",
        f"00-{ID}-{PARENT}-01-more",
        f"ff-{ID}-{PARENT}-01",
        f"00-{'0' * 32}-{PARENT}-01",
        f"00-{ID}-{'0' * 16}-01",
        f"00-{ID.upper()}-{PARENT}-01",
        f"00-{ID}-{PARENT}-01, 00-{ID}-{PARENT}-01",
        f" 00-{ID}-{PARENT}-01\r\nx: y",
    ],
)
def test_what_is_no_trace_begins_one(parent):
    found = continued(parent, "vendor=1")
    assert found.id != ID
    assert (found.parent, found.state, found.sampled) == ("", "", False)


def test_a_later_version_may_say_more():
    assert continued(f"01-{ID}-{PARENT}-03-more", "").id == ID


@pytest.mark.parametrize("state", ["a=1\r\nx: y", "a=é", "a=" + "x" * 600])
def test_a_state_that_cannot_be_passed_on_is_dropped(state):
    assert continued(f"00-{ID}-{PARENT}-01", state).state == ""


def test_no_two_traces_have_one_id():
    assert len({begun().id for _ in range(100)}) == 100


def test_a_batch_is_one_trace(site):
    shop = site(HOME, users=well, batch=5)
    body = {"requests": {"x": "/home", "y": "/home?q=1"}}
    answer = shop.app.test_client().post("/web/_batch", json=body, base_url="http://bff.example")
    assert answer.status_code in {200, 421}
    parts = [each.trace for each in shop.heard]
    assert len({each.id for each in parts}) == 1


@pytest.fixture
def receiver(monkeypatch):
    with Receiver() as found:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", found.url)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=ours")
        monkeypatch.setenv("OTEL_SERVICE_NAME", "shop")
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "20")
        yield found


def spans(receiver, number):
    """The spans that were received, when there are so many, by their names."""
    for _ in range(200):
        if len(receiver.spans) >= number:
            break
        sleep(0.05)
    found = receiver.spans
    assert len(found) == number
    return found


def test_a_view_is_a_span_and_each_of_its_calls_one_below_it(site, receiver):
    shop = site(HOME, users=well, trusting=True, traces=True)
    shop.get("/web/home", headers=GIVEN)
    found = spans(receiver, 3)
    (view,) = [each for each in found if each.kind == each.SPAN_KIND_SERVER]
    calls = [each for each in found if each.kind == each.SPAN_KIND_CLIENT]
    assert view.name == "GET /web/home"
    assert (view.trace_id.hex(), view.parent_span_id.hex()) == (ID, PARENT)
    assert {each.parent_span_id for each in calls} == {view.span_id}
    assert {each.span_id.hex() for each in calls} == {span for _, span, _ in told(shop)}
    starts = [each.start_time_unix_nano - view.start_time_unix_nano for each in calls]
    assert max(starts) < 10e9, "they are of one time"
    about = attributes(view)
    assert about.pop("bff.request_id")
    assert about == {
        "http.request.method": "GET",
        "http.route": "/web/home",
        "http.response.status_code": 200,
        "bff.frontend": "web",
        "bff.view": "v0",
        "bff.late": False,
    }
    about = attributes(next(each for each in calls if attributes(each)["bff.call"] == "a"))
    assert about.pop("server.port") > 0
    assert about == {
        "http.request.method": "GET",
        "http.response.status_code": 200,
        "server.address": "127.0.0.1",
        "bff.service": "users",
        "bff.attempt": "first",
        "bff.frontend": "web",
        "bff.view": "v0",
        "bff.call": "a",
    }
    assert receiver.headers[0]["authorization"] == "ours"
    assert receiver.resources[0]["service.name"] == "shop"


def test_a_retry_is_a_span_that_says_so(site, receiver):
    replies = iter([StubReply(status=503), StubReply.json(1)])
    view = "get: /home\ncall: {get: users:/a}\n"
    service = ", retry: {retries: 1, first: 1ms}"
    shop = site(view, users=lambda _: next(replies), service=service, traces=True)
    assert shop.get("/web/home").status_code == 200
    calls = [each for each in spans(receiver, 3) if each.kind == each.SPAN_KIND_CLIENT]
    first, again = sorted(calls, key=lambda each: each.start_time_unix_nano)
    assert attributes(first)["error.type"] == "503"
    assert first.status.code == first.status.STATUS_CODE_ERROR
    assert attributes(again)["bff.attempt"] == "retry"
    assert attributes(again)["http.request.resend_count"] == 1


def test_a_call_that_is_answered_from_what_is_kept_is_a_span_of_its_own_kind(site, receiver):
    view = "get: /home\ncall: {get: users:/a, cache: {ttl: 60s}}\n"
    shop = site(view, users=well, cache=Cache(1_000_000), traces=True)
    shop.get("/web/home"), shop.get("/web/home")
    found = spans(receiver, 4)
    (kept,) = [each for each in found if each.kind == each.SPAN_KIND_INTERNAL]
    assert attributes(kept)["bff.cache"] == "hit"
    assert len({each.trace_id for each in found}) == 2


def test_nothing_of_the_request_is_in_a_span(site, receiver):
    shop = site(
        NAMED,
        users=lambda _: StubReply(status=500, body=b"S3CRET"),
        traces=True,
    )
    headers = [("Cookie", "a=S3CRET"), ("X-Request-Id", "harmless-id")]
    shop.get("/web/users/S3CRET?q=S3CRET", headers=headers)
    assert "S3CRET" not in repr(spans(receiver, 2))


def test_who_samples_nothing_exports_nothing_and_says_so_to_services(site, receiver, monkeypatch):
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_off")
    shop = site(HOME, users=well, traces=True)
    shop.get("/web/home", headers=GIVEN)
    assert {flags for _, _, flags in told(shop)} == {"00"}
    assert not receiver.spans


ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}


@pytest.mark.parametrize(
    ("environ", "asked"),
    [
        ({}, False),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, True),
        (ENDPOINT, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://collector:4318/v1/traces"}, True),
        (ENDPOINT | {"OTEL_TRACES_EXPORTER": "none"}, False),
        (ENDPOINT | {"OTEL_SDK_DISABLED": "true"}, False),
    ],
)
def test_opentelemetrys_own_variables_ask_for_traces(environ, asked):
    assert Settings.from_env(environ).traces is asked


@pytest.mark.parametrize(
    "environ",
    [{"OTEL_TRACES_EXPORTER": "zipkin"}, ENDPOINT | {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}],
)
def test_what_is_not_exported_to_is_refused(environ):
    with pytest.raises(ConfigError, match="is not supported"):
        Settings.from_env(environ)


def test_without_the_extra_whoever_asks_for_traces_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "bff.observe.spans", None)
    assert open_spans(Settings()) is None
    with pytest.raises(ConfigError, match=r"OpenTelemetry is not installed.*"):
        open_spans(Settings(traces=True))
