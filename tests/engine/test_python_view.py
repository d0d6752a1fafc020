"""Views in Python: they start calls, wait for some, and have the same promises as any view."""

import orjson
import pytest

import bff
from bff.declare.check import check_config
from bff.declare.config import assemble
from bff.declare.load import parse
from bff.declare.python import PythonView
from bff.dev.recordings.virtual import VirtualClock
from bff.engine.answer import Failure, ViewRequest
from bff.engine.python_view import run_python_view
from bff.engine.runtime import Runtime
from bff.errors import Unreachable, ViewFailed
from bff.model.exchange import Deadline, Reply
from bff.model.principal import NOBODY
from bff.model.python import VIEW
from bff.upstream.guard import Guards
from tests.simulation import Played, SimulatedEffects, SimulatedExchange

ROOT = {
    "version": 1,
    "frontends": {"web": {"access": "none"}},
    "services": {
        "s": {"url": "http://s.test", "timeout": "400ms", "respond": ["X-Of"]},
        "secured": {"url": "http://secured.test", "credentials": "session"},
    },
}
SCOPE = {
    "params": {"limit": 2, "page": 7},
    "session": {"sub": "u-1", "claims": {"plan": "pro"}, "signed_in": True},
    "headers": {},
    "services": {},
    "frontend": "web",
    "locale": None,
}


class Ran:
    """What became of a view, and of time."""

    def __init__(self, function, script, calls, options):
        method = "post" if any("post" in call for call in calls.values()) else "get"
        params = {"limit": {"type": "integer"}, "page": {}}
        keys = {method: "/page", "params": params, "calls": calls, "timeout": "1s"}
        python = PythonView(function, getattr(bff.view(**keys | options)(function), VIEW))
        root = parse(orjson.dumps(ROOT).decode(), "bff.yaml", {})
        config = assemble(root, {"page": python.node}, {}, {"page": python})
        self.plan = check_config(config).plans["page"]["web"]
        self.services = config.services
        self.clock = VirtualClock()
        self.exchange = SimulatedExchange(self.clock, script)
        self.effects = SimulatedEffects(self.clock, 0.1)

    def answer(self, key=""):
        asked = ViewRequest(SCOPE, {}, NOBODY, key=key)
        guards = Guards(self.services, 32, self.clock)
        return run_python_view(
            self.plan,
            asked,
            Deadline(1.0),
            Runtime(self.exchange, self.effects, self.clock, guards),
        )

    @property
    def sent(self):
        """What was sent, and when in milliseconds."""
        return [(each.what.target, round(each.at * 1000)) for each in self.exchange.started]


@pytest.fixture
def conversing():
    """Make a view: `conversing(function, calls, replies)`; replies are milliseconds and a value."""

    def make(function, calls, replies=None, **options):
        def script(request):
            after, value = (replies or {}).get(request.target, (10, request.target))
            if after is None:
                return None
            if isinstance(value, Exception):
                return Played(after / 1000, value)
            status = value if isinstance(value, int) and value >= 300 else 200
            headers = (("content-type", "application/json"), ("x-of", request.target))
            return Played(after / 1000, Reply(status, headers, orjson.dumps(value)))

        return Ran(function, script, calls, options)

    return make


A, B, C = ({"get": f"s:/{name}"} for name in "abc")


def kinds(answer):
    return {name: (each.kind, each.reason) for name, each in answer.outcomes.items()}


def test_starts_overlap_and_waits_do_not(conversing):
    def page(ask):
        a, b = ask.start("a"), ask.start("b")
        return [a.value, b.value, ask.start("c").value]

    ran = conversing(page, {"a": A, "b": B, "c": C}, {"/a": (30, 1), "/b": (20, 2), "/c": (5, 3)})
    answer = ran.answer()
    assert answer.value == [1, 2, 3]
    assert ran.sent == [("/a", 0), ("/b", 0), ("/c", 30)]
    assert ran.clock.now() == pytest.approx(0.035)
    assert kinds(answer) == {"a": ("ok", ""), "b": ("ok", ""), "c": ("ok", "")}
    assert answer.outcomes["b"].took == pytest.approx(0.02)
    assert answer.outcomes["c"].started == pytest.approx(0.03)


def test_waiting_for_several_ends_when_the_last_has(conversing):
    def page(ask):
        a, b = ask.start("a"), ask.start("b")
        assert a.outcome is None
        ask.wait(a, b)
        assert (a.outcome.kind, b.outcome.kind) == ("ok", "ok")
        ask.wait()
        ask.wait(a)

    ran = conversing(page, {"a": A, "b": B}, {"/a": (30, 1), "/b": (20, 2)})
    assert ran.answer().value is None
    assert ran.clock.now() == pytest.approx(0.03)


def test_a_call_that_is_started_twice_is_sent_once(conversing):
    def page(ask):
        return [ask.start("a").value, ask.start("a").value]

    ran = conversing(page, {"a": A}, {"/a": (10, 1)})
    assert ran.answer().value == [1, 1]
    assert ran.sent == [("/a", 0)]


def test_what_a_call_needs_starts_by_itself(conversing):
    calls = {
        "a": A,
        "b": {"get": "s:/b/{a}"},
        "c": {"get": "s:/c/{b}", "query": {"a": "{a}"}},
        "other": {"get": "s:/other"},
    }
    ran = conversing(lambda ask: ask.start("c").value, calls, {"/a": (10, 1), "/b/1": (20, 2)})
    answer = ran.answer()
    assert answer.value == "/c/2?a=1"
    assert ran.sent == [("/a", 0), ("/b/1", 10), ("/c/2?a=1", 30)]
    assert list(answer.outcomes) == ["a", "b", "c"]


def test_a_call_whose_need_was_there_already_starts_at_once(conversing):
    def page(ask):
        first = ask.start("a").value
        return [first, ask.start("b").value]

    ran = conversing(page, {"a": A, "b": {"get": "s:/b/{a}"}}, {"/a": (10, 1), "/b/1": (10, 2)})
    assert ran.answer().value == [1, 2]
    assert ran.sent == [("/a", 0), ("/b/1", 10)]


def test_a_skipped_and_an_optional_call_are_null(conversing):
    def page(ask):
        pending = [ask.start(name) for name in "abc"]
        return [(each.value, each.outcome.kind) for each in pending]

    calls = {"a": A | {"optional": True}, "b": B | {"when": "a"}, "c": C | {"fallback": 9}}
    answer = conversing(page, calls, {"/a": (5, 404), "/c": (5, Unreachable("x"))}).answer()
    assert answer.value == [(None, "failed"), (None, "skipped"), (9, "fallback")]
    assert kinds(answer)["b"] == ("skipped", "when")


def test_calls_that_need_credentials_wait_for_them(conversing):
    calls = {"a": A, "mine": {"get": "secured:/mine"}}
    ran = conversing(lambda ask: [ask.start("a").value, ask.start("mine").value], calls)
    assert ran.answer().value == ["/a", "/mine"]
    assert ran.sent == [("/a", 0), ("/mine", 100)]


# -- values that code gives --------------------------------------------------------------------


ONE = {"get": "s:/one/{id}", "query": {"n": "{n?}"}}


def test_each_start_with_values_is_a_call_of_its_own(conversing):
    def page(ask):
        ones = [ask.start("one", id=each, n="x") for each in (1, 2, 1)]
        return [each.value for each in ones]

    ran = conversing(page, {"one": ONE}, {"/one/2?n=x": (50, "late")}, given=["id", "n"])
    answer = ran.answer()
    assert answer.value == ["/one/1?n=x", "late", "/one/1?n=x"]
    assert [at for _, at in ran.sent] == [0, 0, 0]
    assert list(answer.outcomes) == ["one"]
    assert answer.outcomes["one"].took == pytest.approx(0.05)
    assert answer.respond == (("x-of", "/one/1?n=x"),)


def test_of_several_starts_the_failures_are_counted(conversing):
    def page(ask):
        return [each.value for each in [ask.start("one", id=each, n=0) for each in (1, 2, 3)]]

    replies = {"/one/2?n=0": (10, 500), "/one/3?n=0": (30, 500)}
    answer = conversing(page, {"one": ONE | {"fallback": 0}}, replies, given=["id", "n"]).answer()
    assert answer.value == ["/one/1?n=0", 0, 0]
    outcome = answer.outcomes["one"]
    assert (outcome.kind, outcome.reason, outcome.status) == ("fallback", "status", 500)
    assert (outcome.failed, outcome.of) == (2, 3)
    assert outcome.took == pytest.approx(0.03)


def test_a_value_that_is_given_is_confined_to_its_place(conversing):
    ran = conversing(
        lambda ask: ask.start("one", id="a/b?c", n="a&b=c").value,
        {"one": ONE},
        given=["id", "n"],
    )
    ran.answer()
    assert ran.sent == [("/one/a%2Fb%3Fc?n=a%26b%3Dc", 0)]


def test_a_value_that_is_not_given_fails_the_call(conversing):
    answer = conversing(lambda ask: ask.start("one", id=1).value, {"one": ONE}, given=["id", "n"])
    assert answer.answer().value == "/one/1"
    answer = conversing(
        lambda ask: ask.start("one", n=1).value, {"one": ONE}, given=["id", "n"]
    ).answer()
    assert answer.failure == Failure(502, call="one", reason="unfillable")


def test_a_given_value_that_is_null_is_not_left_out(conversing):
    call = {"get": "s:/one", "query": {"id": "{id}"}}
    ran = conversing(lambda ask: ask.start("one", id=None).value, {"one": call}, given=["id"])
    assert ran.answer().failure == Failure(502, call="one", reason="unfillable")
    marked = {"get": "s:/one", "query": {"id": "{id?}"}}
    ran = conversing(lambda ask: ask.start("one", id=[]).value, {"one": marked}, given=["id"])
    assert ran.answer().value == "/one"


TAG = {"get": "s:/tags/{params.tag}"}


def test_a_value_of_the_clients_that_does_not_fit_is_400_while_nothing_is_sent(conversing):
    params = {"limit": {}, "page": {}, "tag": {"required": False}}
    calls = {"a": A, "tag": TAG}
    ran = conversing(lambda ask: ask.start("tag").value, calls, params=params)
    failure = ran.answer().failure
    assert (failure.status, ran.sent) == (400, [])
    assert failure.errors == ({"parameter": "tag", "in": "query", "detail": "is missing"},)


def test_a_value_of_the_clients_that_does_not_fit_later_fails_its_call(conversing):
    def page(ask):
        ask.start("a").value  # noqa: B018 - it waits
        return ask.start("tag").value

    params = {"limit": {}, "page": {}, "tag": {"required": False}}
    ran = conversing(page, {"a": A, "tag": TAG}, params=params)
    assert ran.answer().failure == Failure(502, call="tag", reason="unfillable")


def test_a_call_that_is_not_started_asks_nothing_of_the_clients_values(conversing):
    params = {"limit": {}, "page": {}, "tag": {"required": False}}
    ran = conversing(lambda ask: ask.start("a").value, {"a": A, "tag": TAG}, params=params)
    assert ran.answer().value == "/a"


@pytest.mark.parametrize(
    "start", [lambda ask: ask.start("nothing"), lambda ask: ask.start("a", id=1)]
)
def test_what_is_not_declared_raises(conversing, start):
    ran = conversing(start, {"a": A})
    with pytest.raises(LookupError):
        ran.answer()
    assert ran.sent == []


# -- failures ----------------------------------------------------------------------------------


def test_a_required_failure_ends_the_view_whatever_the_code_catches(conversing):
    def page(ask):
        slow = ask.start("slow")
        try:
            return ask.start("a").value
        except Exception:  # noqa: BLE001  (that is the point)
            try:
                slow.value  # noqa: B018
            except Exception:  # noqa: BLE001
                return "went on"

    calls = {"a": A | {"pass": [404]}, "slow": {"get": "s:/slow"}}
    ran = conversing(page, calls, {"/a": (10, 404), "/slow": (None, 0)})
    answer = ran.answer()
    assert answer.value is None
    assert answer.failure == Failure(404, call="a", reason="status")
    assert kinds(answer) == {"a": ("failed", "status"), "slow": ("failed", "cancelled")}
    assert ran.clock.now() == pytest.approx(0.01)
    assert [each.cancelled for each in ran.exchange.started] == [pytest.approx(0.01), None]


def test_nothing_is_sent_after_the_view_has_failed(conversing):
    def page(ask):
        try:
            ask.start("a").value  # noqa: B018
        except ViewFailed:
            ask.start("b")
        return 1

    ran = conversing(page, {"a": A, "b": B}, {"/a": (10, 500)})
    assert ran.answer().failure == Failure(502, call="a", reason="status")
    assert ran.sent == [("/a", 0)]


def test_a_required_call_fails_while_another_is_waited_for(conversing):
    def page(ask):
        ask.start("a")
        return ask.start("b").value

    ran = conversing(page, {"a": A, "b": B}, {"/a": (10, 500), "/b": (None, 0)})
    assert ran.answer().failure == Failure(502, call="a", reason="status")
    assert ran.clock.now() == pytest.approx(0.01)


def test_refuse_ends_the_view_at_once(conversing):
    def page(ask):
        ask.start("b")
        if ask.start("a").value == 1:
            ask.refuse(409, "Not now")
        return "not reached"

    ran = conversing(page, {"a": A, "b": B}, {"/a": (10, 1), "/b": (None, 0)})
    answer = ran.answer()
    assert answer.failure == Failure(409, "Not now")
    assert kinds(answer)["b"] == ("failed", "cancelled")


def test_a_refusal_cannot_be_caught(conversing):
    def page(ask):
        try:
            ask.refuse(403, "No")
        except Exception:  # noqa: BLE001
            return "went on"

    assert conversing(page, {"a": A}).answer().failure == Failure(403, "No")


@pytest.mark.parametrize("status", [200, 302, 399, 500, 0])
def test_a_refusal_is_an_error_of_the_client(conversing, status):
    with pytest.raises(ValueError, match="400 to 499"):
        conversing(lambda ask: ask.refuse(status, "No"), {"a": A}).answer()


def test_a_declared_refusal_is_judged_before_the_code_runs(conversing):
    refusal = {"when": "params.limit == `2`", "status": 422, "title": "Too few"}
    ran = conversing(lambda _: pytest.fail("it ran"), {"a": A}, refuse=[refusal])
    assert ran.answer().failure == Failure(422, "Too few")
    assert ran.effects.started == []


def test_what_the_code_raises_is_its_own_and_what_is_out_is_given_up(conversing):
    def page(ask):
        ask.start("a")
        raise KeyError("x")

    ran = conversing(page, {"a": A}, {"/a": (None, 0)})
    with pytest.raises(KeyError):
        ran.answer()
    assert [each.cancelled for each in ran.exchange.started] == [0.0]


def test_a_failure_that_the_code_makes_up_is_its_own(conversing):
    def page(_ask):
        raise ViewFailed("made up")

    with pytest.raises(ViewFailed):
        conversing(page, {"a": A}).answer()


def test_calls_that_nobody_waited_for_are_given_up(conversing):
    def page(ask):
        ask.start("b")
        return ask.start("a").value

    calls = {"a": A, "b": B, "c": {"get": "s:/c/{b}"}}
    ran = conversing(page, calls, {"/a": (10, 1), "/b": (None, 0)})
    answer = ran.answer()
    assert (answer.value, answer.failure) == (1, None)
    assert answer.outcomes["b"].reason == "cancelled"
    assert "c" not in answer.outcomes
    assert [each.cancelled for each in ran.exchange.started if each.what.target == "/b"] == [
        pytest.approx(0.01)
    ]


# -- time --------------------------------------------------------------------------------------


def test_the_deadline_holds(conversing):
    def page(ask):
        return [ask.start(name).value for name in ("a", "b")]

    calls = {
        "a": A | {"optional": True, "timeout": "5s"},
        "b": B | {"fallback": 0, "timeout": "5s"},
    }
    ran = conversing(page, calls, {"/a": (None, 0), "/b": (None, 0)})
    answer = ran.answer()
    assert answer.value == [None, 0]
    assert ran.clock.now() == pytest.approx(1.0)
    assert kinds(answer) == {"a": ("failed", "timeout"), "b": ("fallback", "timeout")}
    assert ran.sent == [("/a", 0)]


def test_a_call_has_its_own_time(conversing):
    ran = conversing(
        lambda ask: ask.start("a").value, {"a": A | {"fallback": 0}}, {"/a": (None, 0)}
    )
    assert ran.answer().value == 0
    assert ran.clock.now() == pytest.approx(0.4)


def test_a_required_call_that_times_out_is_504(conversing):
    ran = conversing(lambda ask: ask.start("a").value, {"a": A}, {"/a": (None, 0)})
    assert ran.answer().failure == Failure(504, call="a", reason="timeout")


def test_a_timer_that_came_due_during_a_computation_acts_after_it(conversing):
    holder = []

    def page(ask):
        a = ask.start("a")
        holder[0].clock.advance(0.7)  # a computation that took long
        return a.value

    holder.append(conversing(page, {"a": A | {"fallback": "late"}}, {"/a": (None, 0)}))
    assert holder[0].answer().value == "late"
    assert holder[0].clock.now() == pytest.approx(0.7)


# -- writes ------------------------------------------------------------------------------------


WRITES = {
    "first": {"post": "s:/first"},
    "second": {"post": "s:/second"},
    "then": {"get": "s:/then"},
}


def test_writes_that_are_started_keep_their_order(conversing):
    def page(ask):
        pending = [ask.start(name) for name in WRITES]
        return [each.value for each in reversed(pending)]

    ran = conversing(page, WRITES)
    ran.answer()
    assert ran.sent == [("/first", 0), ("/second", 10), ("/then", 20)]


def test_a_write_that_is_not_started_is_not_sent(conversing):
    ran = conversing(lambda ask: ask.start("then").value, WRITES)
    answer = ran.answer()
    assert ran.sent == [("/then", 0)]
    assert list(answer.outcomes) == ["then"]


def test_what_is_written_after_a_write_waits_for_every_start_of_it(conversing):
    def page(ask):
        pending = [ask.start("write", id=1), ask.start("write", id=2), ask.start("then")]
        return [each.value for each in pending]

    calls = {"write": {"post": "s:/write/{id}"}, "then": {"get": "s:/then"}}
    ran = conversing(page, calls, {"/write/2": (30, 1)}, given=["id"])
    ran.answer()
    assert ran.sent[-1] == ("/then", 30)


def test_each_start_of_a_write_has_a_key_that_it_has_again_in_another_order(conversing):
    todo = [1, 2, 2]

    def page(ask):
        return [ask.start("write", id=each).value for each in todo]

    def keys():
        ran = conversing(page, {"write": {"post": "s:/write/{id}"}}, given=["id"])
        ran.answer("k")
        return [
            (each.what.target, dict(each.what.headers)["idempotency-key"])
            for each in ran.exchange.started
        ]

    first = keys()
    assert len({key for _, key in first}) == 3
    todo[:] = [2, 1]
    assert sorted(keys()) == sorted(first[:2])


# -- what it reads -----------------------------------------------------------------------------


def test_it_is_given_what_it_reads(conversing):
    def page(ask):
        return [ask["params"]["limit"], ask["session"]["claims"]["plan"]]

    ran = conversing(page, {"a": A}, reads=["params.limit", "session.claims.plan"])
    assert ran.answer().value == [2, "pro"]


@pytest.mark.parametrize(
    "touch",
    [
        lambda ask: ask["frontend"],
        lambda ask: ask["session"]["sub"],
        lambda ask: ask["params"]["page"],
        lambda ask: ask["params"].get("page"),
        lambda ask: ask["nothing"],
    ],
)
def test_touching_what_it_does_not_read_raises(conversing, touch):
    with pytest.raises(LookupError):
        conversing(touch, {"a": A}, reads=["params.limit", "session.claims.plan"]).answer()


def test_without_saying_so_it_may_read_all(conversing):
    ran = conversing(lambda ask: [ask["params"]["page"], ask["session"]["sub"]], {"a": A})
    assert ran.answer().value == [7, "u-1"]


def test_the_status_is_the_declared_one(conversing):
    assert conversing(lambda _: 1, {"a": A}, answer=202).answer().status == 202
    assert conversing(lambda _: 1, {"a": A}).answer().status == 200


# -- what a write waits for --------------------------------------------------------------------


READ = {"get": "s:/read"}
WRITE = {"post": "s:/write"}


@pytest.mark.parametrize("calls", [{"read": READ, "write": WRITE}, {"write": WRITE, "read": READ}])
def test_a_write_waits_for_what_was_started_before_it_and_may_fail_the_view(conversing, calls):
    def page(ask):
        pending = ask.start("read"), ask.start("write")
        return [each.value for each in pending]

    ran = conversing(page, calls, {"/read": (30, 500)})
    assert ran.answer().failure == Failure(502, call="read", reason="status")
    assert ran.sent == [("/read", 0)]
    ran = conversing(page, calls, {"/read": (30, 1)})
    assert ran.answer().value == [1, "/write"]
    assert ran.sent == [("/read", 0), ("/write", 30)]


def test_it_waits_neither_for_what_is_started_after_it_nor_for_an_optional_call(conversing):
    def page(ask):
        pending = [ask.start(name) for name in ("hint", "write", "read")]
        return [each.value for each in pending]

    calls = {"read": READ, "hint": {"get": "s:/hint", "optional": True}, "write": WRITE}
    ran = conversing(page, calls, {"/read": (30, 1)})
    ran.answer()
    assert ran.sent == [("/hint", 0), ("/write", 0), ("/read", 0)]


def test_it_waits_for_a_call_that_a_declared_refusal_names_whenever_that_is_started(conversing):
    refusal = {"when": "hint == 'no'", "status": 409, "title": "No"}
    calls = {"hint": {"get": "s:/hint", "optional": True}, "write": WRITE}

    def page(ask):
        pending = [ask.start("write"), ask.start("hint")]
        return [each.value for each in pending]

    ran = conversing(page, calls, {"/hint": (30, "no")}, refuse=[refusal])
    assert ran.answer().failure == Failure(409, "No")
    assert ran.sent == [("/hint", 0)]


def test_what_comes_with_a_start_is_started_in_the_order_written(conversing):
    calls = {"z": {"get": "s:/z"}, "a": {"post": "s:/a"}, "x": {"get": "s:/x/{a}/{z}"}}
    ran = conversing(lambda ask: ask.start("x").value, calls, {"/z": (30, 1), "/a": (10, 2)})
    ran.answer()
    assert ran.sent == [("/z", 0), ("/a", 30), ("/x/2/1", 40)]


@pytest.mark.parametrize("how", ["refuses", "returns", "raises"])
def test_a_write_that_was_sent_is_awaited_whatever_the_code_does(conversing, how):
    def page(ask):
        ask.start("write")
        ask.start("more")
        ask.wait(ask.start("a"))
        if how == "refuses":
            ask.refuse(409, "No")
        if how == "raises":
            raise KeyError("x")
        return "gone on"

    calls = {"a": A, "write": WRITE, "more": {"post": "s:/more"}}
    ran = conversing(page, calls, {"/a": (10, 1), "/write": (50, 1)})
    if how == "raises":
        with pytest.raises(KeyError):
            ran.answer()
    else:
        answer = ran.answer()
        kept = kinds(answer)
        assert (kept["write"], kept["more"]) == (("ok", ""), ("skipped", "cancelled"))
        assert bool(answer.failure) == (how == "refuses")
    assert ran.clock.now() == pytest.approx(0.05)
    assert ran.sent == [("/write", 0), ("/a", 0)]
    assert [each.cancelled for each in ran.exchange.started] == [None, None]


def test_a_refusal_after_a_failure_changes_nothing(conversing):
    def page(ask):
        try:
            return ask.start("a").value
        except ViewFailed:
            ask.refuse(404, "Not here")

    ran = conversing(page, {"a": A}, {"/a": (10, 500)})
    assert ran.answer().failure == Failure(502, call="a", reason="status")
