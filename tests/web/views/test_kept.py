"""Replies and answers that are kept, through the whole app and real services."""

import gzip
import itertools
from threading import Event, Thread
from time import monotonic

import brotli
import pytest

from bff.dev.stubs.stub import StubReply
from bff.model.principal import Principal
from tests.kept import Wall, memory_only
from tests.redis_server import until

CALL = 'get: /c/{id}\ncall: {get: "users:/of/{params.id}", cache: {ttl: 10s%s}}\n'
VIEW = 'get: /v/{id}\ncache: {ttl: 10s%s}\ncall: {get: "users:/of/{params.id}"}\n'
BOTH = pytest.mark.parametrize("view", [CALL, VIEW], ids=["call", "view"])


@pytest.fixture
def wall():
    return Wall()


class Counting:
    """A service whose every reply is another one; `say` replaces it."""

    def __init__(self):
        self.count = itertools.count(1)
        self.say = None

    def __call__(self, request):
        number = next(self.count)
        return self.say(request) if self.say else StubReply.json({"n": number})


@pytest.fixture
def users():
    return Counting()


@pytest.fixture
def shop(site, wall, users):
    """Makes a site that keeps in memory, by a clock of the test's own."""

    made = []

    def make(*views, **more):
        answerers = {"users": users, **more.pop("others", {})}
        made.append(site(*views, cache=memory_only(wall), timing=True, **more, **answerers))
        return made[-1]

    yield make
    for place in made:  # what is refreshed behind an answer may still be under way
        background = place.app.view_functions["web.v0"]._runtime.caching.background
        until(lambda flights=background._flights: not flights)


def path(view, name="7"):
    return f"/web/{'c' if view.startswith('get: /c') else 'v'}/{name}"


# -- fresh, stale, gone --------------------------------------------------------------------------


@BOTH
def test_what_is_fresh_is_answered_without_asking(shop, wall, view):
    place = shop(view % "")
    assert [place.get(path(view)).json for _ in range(3)] == [{"n": 1}] * 3
    wall.pass_by(9.9)
    assert place.get(path(view)).json == {"n": 1}
    wall.pass_by(0.2)
    assert place.get(path(view)).json == {"n": 2}
    assert place.get(path(view, "8")).json == {"n": 3}, "another parameter is another entry"


@BOTH
def test_what_is_stale_is_answered_at_once_and_refreshed_behind_the_answer(shop, users, wall, view):
    place = shop(view % ", stale: 60s")
    place.get(path(view))
    wall.pass_by(11)
    released = Event()
    users.say = lambda _: (released.wait(5), StubReply.json({"n": "new"}))[1]
    begun = monotonic()
    answers = [place.get(path(view)) for _ in range(5)]
    assert monotonic() - begun < 2
    assert [each.json for each in answers] == [{"n": 1}] * 5
    status = answers[0].headers["Cache-Status"]
    assert "hit; ttl=-1" in status
    if view is CALL:
        assert answers[0].headers["BFF-Calls"] == "call=stale;age=11"
    released.set()
    until(lambda: place.get(path(view)).json == {"n": "new"})
    assert len(place.stubs.requests()) == 2, "it was refreshed once"


@BOTH
def test_what_is_kept_stands_in_for_a_failure(shop, users, wall, view):
    place = shop(view % ", stale_if_error: 60s")
    place.get(path(view))
    wall.pass_by(11)
    users.say = lambda _: StubReply.problem(503, "away")
    answer = place.get(path(view))
    assert (answer.status_code, answer.json) == (200, {"n": 1})
    assert "detail=status" in answer.headers["Cache-Status"]
    users.say = lambda _: StubReply.problem(404, "gone")
    assert place.get(path(view)).status_code == 502, "that is an answer, and no failure"
    users.say = lambda _: StubReply.problem(503, "away")
    wall.pass_by(60)
    assert place.get(path(view)).status_code == 502


@BOTH
def test_a_refresh_that_fails_is_not_counted_as_an_answer_instead_of_a_failure(
    shop, users, wall, view
):
    place = shop(view % ", stale: 60s, stale_if_error: 60s")
    place.get(path(view))
    wall.pass_by(11)
    users.say = lambda _: StubReply.problem(503, "away")
    assert place.get(path(view)).json == {"n": 1}
    caching = place.app.view_functions["web.v0"]._runtime.caching
    until(lambda: len(place.stubs.requests()) == 2 and not caching.background._flights)
    counts = caching.cache.stats()["looked_up"]
    assert (counts["stale"], counts["error"]) == (1, 0)


def test_a_reply_that_stands_in_is_an_outcome(shop, users, wall):
    place = shop(CALL % ", stale_if_error: 60s")
    place.get("/web/c/7")
    wall.pass_by(11)
    users.say = lambda _: StubReply(200, [("Content-Type", "application/json")], b"{")
    answer = place.get("/web/c/7")
    assert answer.json == {"n": 1}
    assert answer.headers["BFF-Calls"] == "call=stale;reason=bad_reply;age=11"
    users.say = None
    assert place.get("/web/c/7").json["n"] > 1, "and what could not be read was not kept"


@BOTH
def test_failures_and_partial_answers_are_not_kept(shop, users, view):
    partial = view.replace("call: {", "call: {optional: true, ")
    place = shop(partial % "")
    for status in (500, 503, 404, 302):
        users.say = lambda _, status=status: StubReply.problem(status, "no")
        answer = place.get(path(view))
        assert answer.json is None
        assert answer.headers["Cache-Control"] == "no-store"
        assert "ETag" not in answer.headers
    users.say = None
    assert place.get(path(view)).json == {"n": 5}


def test_declared_failures_are_kept_as_the_failures_they_are(shop, users, wall):
    place = shop(CALL % ", statuses: {404: 3s}")
    users.say = lambda _: StubReply.problem(404, "gone")
    for _ in range(3):
        answer = place.get("/web/c/7")
        assert answer.status_code == 502
        assert answer.headers["BFF-Calls"] == "call=failed;reason=status;status=404"
    assert len(place.stubs.requests()) == 1
    wall.pass_by(3.1)
    users.say = None
    assert place.get("/web/c/7").status_code == 200


@BOTH
@pytest.mark.parametrize("value", [None, False, 0, [], {}, ""])
def test_nothing_and_zero_are_values(shop, users, view, value):
    users.say = lambda _: StubReply.json(value)
    place = shop(view % "")
    assert [place.get(path(view)).json for _ in range(2)] == [value] * 2
    assert len(place.stubs.requests()) == 1


def test_a_reply_that_speaks_of_one_person_is_not_kept_for_all(shop, users):
    place = shop(CALL % "", VIEW % "")
    for name, value in (
        ("Set-Cookie", "a=1"),
        ("Cache-Control", "private"),
        ("Cache-Control", "no-store"),
        ("Vary", "*"),
        ("Vary", "Cookie"),
    ):
        for one in ("/web/c/7", "/web/v/7"):
            users.say = lambda _, pair=(name, value): StubReply.json({}, headers=[pair])
            before = len(place.stubs.requests())
            answers = [place.get(one) for _ in range(2)]
            assert len(place.stubs.requests()) == before + 2, (name, value, one)
            said = answers[1].headers["Cache-Control"]
            assert said.startswith(("private", "no-store", "public, no-cache")), said
            if value == "no-store":
                assert said == "no-store"
    assert "public" not in answers[1].headers["Cache-Control"]


# -- keys ----------------------------------------------------------------------------------------


def test_keys_tell_apart_whatever_can_differ(shop):
    def echo(request):
        return StubReply.json([request.target, request.header("accept-language")])

    view = """\
get: /x/{id}
params: {q: {type: array, items: {}, default: []}, n: {type: integer, default: 1}}
%s
shape: {reply: call, who: session.sub, frontend: frontend, plan: session.claims.plan}
"""
    call = '{get: "users:/of/{params.id}", query: [q, n], headers: {Accept-Language: "{locale}"}%s}'
    views = [
        view % ("cache: {ttl: 1h}\ncall: " + call % ""),
        view.replace("/x/", "/y/") % ("call: " + call % ", cache: {ttl: 1h}"),
    ]
    who = {"is": Principal("i", "ada", claims={"plan": "a"})}
    place = shop(*views, principal=lambda *_: who["is"], others={"users": echo})
    people = [
        Principal("i", "ada", claims={"plan": "a"}),
        Principal("i", "bob", claims={"plan": "a"}),
        Principal("j", "ada", claims={"plan": "a"}),
        Principal("i", "ada", "other", claims={"plan": "a"}),
        Principal("i", "ada", scopes=frozenset({"orders"}), claims={"plan": "a"}),
        Principal("i", "ada", claims={"plan": "b"}),
    ]
    targets = ["7", "8", "7?q=1", "7?q=1&q=2", "7?q=1%262", "7?n=2", "7?q="]
    for _ in range(2):
        for prefix, person, target, language in itertools.product(
            "xy", people, targets, ("en", "de")
        ):
            who["is"] = person
            headers = [("Accept-Language", language)]
            answer = place.get(f"/web/{prefix}/{target}", headers=headers).json
            own, _, query = target.partition("?")
            asked = f"/of/{own}"
            assert answer["reply"][0].split("?")[0] == asked
            assert answer["reply"][1] == language
            assert (answer["who"], answer["plan"]) == (person.subject, person.claims["plan"])
            sent = answer["reply"][0].partition("?")[2]
            assert ("q=1&" in sent + "&") == ("q=1" in query.split("&"))
            assert ("n=2" in sent) == ("n=2" in query)


def test_undeclared_query_parameters_are_in_no_key(shop):
    place = shop(VIEW % "", CALL % "")
    for one in ("/web/v/7", "/web/c/7"):
        assert place.get(f"{one}?utm=1").json == place.get(f"{one}?utm=2").json
    assert len(place.stubs.requests()) == 2


def test_calls_of_several_views_share_what_is_the_same(shop):
    place = shop(CALL % "", CALL.replace("/c/", "/d/") % "")
    assert place.get("/web/c/7").json == place.get("/web/d/7").json
    assert len(place.stubs.requests()) == 1


# -- invalidation --------------------------------------------------------------------------------

TAGGED = ', tags: ["x:{params.id}"]'
WRITE = """\
post: /w/{id}
invalidates: ["x:{params.id}", "made:{call.id}"]
call: {post: "users:/of/{params.id}"%s}
"""


@BOTH
def test_a_write_invalidates_before_its_answer_is_sent(shop, view):
    place = shop(view % TAGGED, WRITE % "")
    place.get(path(view)), place.get(path(view, "8"))
    assert place.get("/web/w/7", method="POST").status_code == 200
    assert place.get(path(view)).json == {"n": 4}
    assert place.get(path(view, "8")).json == {"n": 2}, "another tag"


def test_a_write_that_failed_may_have_written_and_invalidates_too(shop, users):
    place = shop(VIEW % TAGGED, WRITE % "")
    place.get("/web/v/7")
    users.say = lambda _: StubReply.problem(500, "after it was written")
    assert place.get("/web/w/7", method="POST").status_code == 502
    users.say = None
    assert place.get("/web/v/7").json["n"] > 1


@BOTH
def test_what_is_under_way_while_it_is_invalidated_is_not_kept(shop, users, view):
    """A read that began before a write may bring what was there before it."""
    place = shop(view % TAGGED, WRITE % "")
    began, released = Event(), Event()

    def slow(request):
        if request.method == "POST":
            return StubReply.json({})
        began.set()
        released.wait(5)
        return StubReply.json({"n": "of before"})

    users.say = slow
    reader = Thread(target=lambda: place.get(path(view)))
    reader.start()
    assert began.wait(5)
    assert place.get("/web/w/7", method="POST").status_code == 200
    users.say = None
    after = place.get(path(view))  # begins after the write: it joins nobody who began before
    released.set()
    reader.join(5)
    assert after.json != {"n": "of before"}
    assert place.get(path(view)).json == after.json


def test_an_item_of_a_list_is_tagged_by_itself(shop, users):
    view = """\
get: /x
calls:
  list: {get: users:/list}
  more: {each: list.ids, get: "users:/of/{item}", cache: {ttl: 1h, tags: ["x:{item}"]}}
shape: more
"""
    users.say = lambda request: StubReply.json(
        {"ids": [7, 8]} if request.path == "/list" else request.path
    )
    place = shop(view, WRITE % "")
    for _ in range(2):
        assert place.get("/web/x").json == ["/of/7", "/of/8"]
    place.get("/web/w/7", method="POST")
    place.stubs.forget()
    place.get("/web/x")
    assert {each.path for each in place.stubs.requests()} == {"/list", "/of/7"}


def test_what_cannot_be_tagged_is_not_kept(shop):
    view = "get: /x\nparams: {who: {required: false}}\n"
    view += 'cache: {ttl: 1h, tags: ["x:{params.who}"]}\ncall: {get: users:/of}\n'
    place = shop(view)
    answers = [place.get("/web/x") for _ in range(2)]
    assert [each.json["n"] for each in answers] == [1, 2]
    assert answers[0].headers["Cache-Status"].startswith("bff; fwd=bypass")


# -- by the upstream's own words -----------------------------------------------------------------


def test_an_upstream_is_asked_whether_what_expired_still_holds(shop, users, wall):
    place = shop("get: /c\ncall: {get: users:/of, cache: upstream}\n")

    def validating(request):
        headers = [("ETag", '"v1"'), ("Cache-Control", "max-age=5"), ("Age", "2")]
        if request.header("if-none-match") == '"v1"':
            return StubReply(304, headers)
        return StubReply.json({"v": 1}, headers=headers)

    users.say = validating
    for _ in range(2):
        assert place.get("/web/c").json == {"v": 1}
    assert len(place.stubs.requests()) == 1
    wall.pass_by(3.1)  # of its five seconds it had spent two before it came
    assert place.get("/web/c").json == {"v": 1}
    assert place.stubs.requests()[-1].header("if-none-match") == '"v1"'
    assert place.get("/web/c").json == {"v": 1}
    assert len(place.stubs.requests()) == 2, "a 304 makes it fresh again"
    users.say = lambda _: StubReply.json({"v": 2}, headers=[("Cache-Control", "max-age=5")])
    wall.pass_by(5)
    assert place.get("/web/c").json == {"v": 2}


@pytest.mark.parametrize(("etag", "sent"), [('"v1"', 2), ('"v2"', 3)])
def test_a_304_takes_no_type_and_one_of_another_version_is_asked_again(
    shop, users, wall, etag, sent
):
    place = shop("get: /c\ncall: {get: users:/of, cache: upstream}\n")
    fresh = ("Cache-Control", "max-age=5")

    def confirming(request):
        if request.header("if-none-match"):
            return StubReply(304, [("ETag", etag), ("Content-Type", "text/html"), fresh])
        return StubReply.json({"v": 1}, headers=[("ETag", '"v1"'), fresh])

    users.say = confirming
    for _ in range(2):
        assert place.get("/web/c").json == {"v": 1}
        assert place.get("/web/c").json == {"v": 1}
        wall.pass_by(6)
    assert len(place.stubs.requests()) == sent
    asked = [each.header("if-none-match") for each in place.stubs.requests()]
    assert asked[:2] == [None, '"v1"']
    assert asked[2:] == [None][: sent - 2]


# -- what the client is told ---------------------------------------------------------------------


def test_an_answer_has_a_strong_tag_whatever_the_order_of_keys(shop, users):
    place = shop("get: /x\ncall: {get: users:/of}\n", CALL % "", VIEW % "")
    users.say = lambda _: StubReply.json({"a": 1, "b": {"c": 2, "d": 3}})
    one = place.get("/web/x")
    users.say = lambda _: StubReply.json({"b": {"d": 3, "c": 2}, "a": 1})
    other = place.get("/web/x")
    assert one.headers["ETag"] == other.headers["ETag"]
    assert one.data == other.data
    assert not one.headers["ETag"].startswith("W/")
    users.say = lambda _: StubReply.json({"a": 2})
    assert place.get("/web/x").headers["ETag"] != one.headers["ETag"]


@pytest.mark.parametrize("form", ["%s", "W/%s", '"other", %s', "*"])
def test_who_has_it_already_is_told_so(shop, users, form):
    users.say = lambda _: StubReply.json({"a": 1})
    place = shop("get: /x\ncall: {get: users:/of}\n", VIEW % "")
    for one in ("/web/x", "/web/v/7", "/web/v/7"):
        etag = place.get(one).headers["ETag"]
        given = form % etag if "%" in form else form
        answer = place.get(one, headers=[("If-None-Match", given)])
        assert (answer.status_code, answer.data) == (304, b"")
        assert answer.headers["ETag"] == etag
        assert "Content-Type" not in answer.headers
        assert place.get(one, headers=[("If-None-Match", '"other"')]).status_code == 200


PARTS = """\
get: /x
access: public
calls:
  one: {get: users:/one, cache: {ttl: 60s}}
  two: {get: users:/two%s}
shape: [one, two]
"""


@pytest.mark.parametrize(
    ("two", "view", "reply", "wanted"),
    [
        (", cache: {ttl: 20s}", "", {}, "public, max-age=20"),
        (", cache: {ttl: 90s, tags: [x]}", "", {}, "public, max-age=0, s-maxage=60"),
        (", cache: {ttl: 20s, scope: person}", "", {}, "private, max-age=20"),
        ("", "", {}, "private, no-cache"),
        ("", "cache: {ttl: 30s}\n", {}, "public, max-age=30"),
        ("", "cache: {ttl: 30s, stale: 9s}\n", {}, "public, max-age=30, stale-while-revalidate=9"),
        ("", "cache: {ttl: 30s, tags: [x]}\n", {}, "public, max-age=0, s-maxage=30"),
        ("", "cache: {ttl: 30s, scope: person}\n", {}, "private, max-age=30"),
        ("", "cache: {ttl: 30s}\n", {"Cache-Control": "max-age=5"}, "public, max-age=5"),
        ("", "cache: {ttl: 30s}\n", {"Cache-Control": "no-store"}, "no-store"),
        ("", "cache: {ttl: 30s}\n", {"Cache-Control": "private"}, "private, no-cache"),
        (", cache: upstream", "", {"Cache-Control": "max-age=7"}, "public, max-age=7"),
        (", cache: upstream", "", {"Cache-Control": "no-cache"}, "public, no-cache"),
    ],
)
def test_cache_control_is_the_strictest_of_the_parts(shop, users, two, view, reply, wanted):
    users.say = lambda request: StubReply.json(
        1, headers=[*reply.items()] if request.path == "/two" else []
    )
    answer = shop(PARTS % two + view).get("/web/x")
    said = answer.headers["Cache-Control"]
    if wanted == "private, no-cache" and reply:
        assert said.startswith("private")
    else:
        assert said == wanted


def test_the_lifetime_that_is_told_shrinks_as_an_entry_ages(shop, wall):
    place = shop(VIEW % "")
    place.get("/web/v/7")
    wall.pass_by(4)
    assert place.get("/web/v/7").headers["Cache-Control"] == "public, max-age=6"


def test_a_persons_answers_are_private_and_vary(shop):
    ada = Principal("i", "ada")
    view = "get: /x\ncache: {ttl: 10s}\ncall: {get: users:/of}\nshape: [call, session.sub]\n"
    place = shop(view, principal=lambda *_: ada)
    for _ in range(2):
        answer = place.get("/web/x")
        assert answer.headers["Cache-Control"] == "private, max-age=10"
        assert answer.headers["Vary"] == "Cookie, Accept-Language"


def test_cache_status_says_what_was_done(shop, wall):
    place = shop(VIEW % ", stale: 9s", CALL % "")
    told = [place.get("/web/v/7").headers["Cache-Status"] for _ in range(2)]
    wall.pass_by(12)
    told.append(place.get("/web/v/7").headers["Cache-Status"])
    assert told == ["bff; fwd=miss; stored", "bff; hit; ttl=10", "bff; hit; ttl=-2"]
    told = [place.get("/web/c/7").headers["Cache-Status"] for _ in range(2)]
    assert told == ['"bff/call"; fwd=miss; stored', '"bff/call"; hit; ttl=10']


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        ("br, gzip", "br"),
        ("gzip", "gzip"),
        ("gzip;q=1, br;q=0.5", "gzip"),
        ("br;q=0, *", "gzip"),
        ("deflate", None),
        ("gzip;q=0", None),
        ("", None),
    ],
)
def test_a_kept_answer_is_sent_compressed_and_the_variant_is_kept(shop, users, accepted, coding):
    users.say = lambda _: StubReply.json(["word"] * 2000)
    place = shop(VIEW % "")
    plain = place.get("/web/v/7")
    for _ in range(2):
        answer = place.get("/web/v/7", headers=[("Accept-Encoding", accepted)])
        assert answer.headers.get("Content-Encoding") == coding
        assert "Accept-Encoding" in answer.headers["Vary"]
        undone = {"br": brotli.decompress, "gzip": gzip.decompress, None: bytes}[coding]
        assert undone(answer.data) == plain.data
    if coding:
        own = answer.headers["ETag"]
        assert own == plain.headers["ETag"][:-1] + f'-{coding}"'
        again = [("Accept-Encoding", accepted), ("If-None-Match", own)]
        assert place.get("/web/v/7", headers=again).status_code == 304
        cache = place.app.view_functions["web.v0"]._runtime.caching.cache
        assert [each["of"] for each in cache.entries()].count(f"v0 at web, {coding}") == 1


def test_a_small_answer_is_sent_as_it_is(shop):
    place = shop(VIEW % "")
    for _ in range(2):
        answer = place.get("/web/v/7", headers=[("Accept-Encoding", "br")])
        assert "Content-Encoding" not in answer.headers


def test_the_log_says_whether_it_was_kept(shop, wall):
    place = shop(VIEW % ", stale: 9s")
    place.get("/web/v/7"), place.get("/web/v/7")
    wall.pass_by(11)
    place.get("/web/v/7")
    assert [each.cache for each in place.heard] == ["miss", "hit", "stale"]
