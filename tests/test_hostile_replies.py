"""Whatever services reply, in whatever kind of view: an outcome, and nothing is left behind.

Each round asks every route of one configuration in simulated time. What services reply is put
together at random, from a seed, of statuses, headers and bodies that parsers choke on.
"""

from random import Random
from threading import enumerate as threads
from typing import Any

import orjson
import pytest

from bff.app import create_app
from bff.cache.cache import Cache
from bff.declare.check import check_config
from bff.declare.config import assemble
from bff.declare.load import parse
from bff.declare.settings import Settings
from bff.dev.recordings.virtual import InlineEffects, VirtualClock
from bff.errors import BadReply, TimedOut, TooMany, Unreachable
from bff.model.exchange import Reply, Request
from bff.observe.events import UnexpectedError
from bff.upstream.batch_exchange import BatchExchange
from bff.upstream.body import read_body
from bff.web.views.batch import EXCHANGE
from tests.simulation import Played, SimulatedExchange

ROUNDS = 6  # of each seed
LINKS = "links: {under: /}"
SERVICES = {
    "plain": "limit: 3",
    "moved": f"limit: 3, redirects: follow, {LINKS}",
    "retried": "limit: 3, retry: {retries: 2, first: 1ms, on: [429, 500, 503, connect, reset]}",
    "hedged": "limit: 3, hedge: 20ms, deadline: X-Left, breaker: {of: 5, open: 50ms}",
    "linked": LINKS,
    "secured": "limit: 3, credentials: session",
}
RUNGS = ["", ", optional: true", ", fallback: []"]
CALLS = {
    "passed": "get: plain:/a, pass: [401, 404, 429, 503], respond: [Location, ETag, X-A]",
    "content": "get: plain:/a, respond: [Content-Location, Retry-After, Link, Vary, Set-Cookie]",
    "full": "get: plain:/a, reply: full",
    "status": "get: plain:/a, status: {404: [], 500: null}",
    "pathed": 'get: plain:/a, path: "items[?a > `1`].b | [0]"',
    "text": "get: plain:/a, decode: text",
    "bytes": "get: plain:/a, decode: bytes",
    "xml": "get: plain:/a, decode: xml",
    "none": "get: plain:/a, decode: none",
    "moved": "get: moved:/a",
    "retried": "get: retried:/a",
    "hedged": "get: hedged:/a",
    "secured": "get: secured:/a",
    "cached": "get: plain:/a, cache: upstream",
    "held": "get: retried:/a, cache: {ttl: 1s, stale: 5s, stale_if_error: 9s, statuses: {404: 1s}}",
    "by_link": "get: linked:/a, pages: {link: next, gather: 3}",
    "by_cursor": "get: plain:/a, path: items, pages: {cursor: next, as: c, gather: 3}",
    "partial": "get: plain:/a, path: items, pages: {offset: o, gather: 3, partial: true}",
    "by_follow": "get: linked:/a, path: items, pages: {follow: next, gather: 3}",
    "cached_pages": "get: plain:/a, pages: {offset: o, gather: 3}, cache: {ttl: 1s}",
}
VIEWS = {
    f"{name}{at}": f"get: /{name}{at}\ntimeout: 2s\ncall: {{{call}{rung}}}\n"
    for name, call in CALLS.items()
    for at, rung in enumerate(RUNGS)
}
VIEWS |= {
    "items": """
get: /items
calls:
  list: {get: plain:/list, fallback: []}
  each: {each: list, get: "plain:/of/{item.id}", into: of, optional: true}
  many: {each: list, batch: {get: plain:/many, query: {ids: "{item.id}"}, key: id}, optional: true}
  next: {each: list, follow: "linked: item.next", optional: true}
  when: {get: plain:/when, when: "list[0].a > `1`", query: {q: "{list[0].id}"}, optional: true}
shape: {list: list, each: each, many: many, next: next, when: when}
""",
    "functions": """
get: /functions
calls:
  a: {get: plain:/a, optional: true}
  b: {get: plain:/b, fallback: {}}
shape:
  date: "date(a.next, '%Y')"
  money: "format_money(a.id, 'EUR')"
  round: "round(a.id, b.id)"
  sum: "add(a.id, mul(b.id, b.id))"
  unique: "unique(a.items)"
  group: "group(a.items, 'id')"
  pick: "pick(a, 'items.id,next')"
  upsert: "upsert(a.items, 'id', b)"
  sorted: "sort_by(a.items || `[]`, &id)"
  joined: "join(',', a.items || `[]`)"
  whole: {a: a, b: b}
""",
    "page": "get: /page\ncache: {ttl: 1s, stale: 5s, stale_if_error: 9s}\n"
    "call: {get: plain:/a, cache: upstream}\n",
    "thin": "get: /thin\nomit_null: true\ncalls: {a: {get: plain:/a}}\nshape: {a: a}\n",
    "write": "post: /write\ncall: {post: moved:/a, respond: [Location]}\n",
    "live": "get: /live\nstream: events\ncall: {get: plain:/a, respond: [Location]}\n",
}
RELAYS = {
    "files": "relay: /files/{path...} -> plain:/v1/{path...}\n",
    "told": "relay: /told/{path...} -> plain:/v1/{path...}\n"
    "respond: [Location, Content-Location]\n",
    "safe": "relay: /safe/{path...} -> plain:/v1/{path...}\n"
    "fallback: {status: 200, text: none, type: text/plain}\n",
    "events": "relay: /events/{path...} -> plain:/v1/{path...}\nstream: events\n",
}
STATUSES = [*[200] * 8, 201, 204, 205, 206, 301, 302, 303, 304, 307, 400, 401, 404, 405, 410, 416]
STATUSES += [418, 429, 451, 500, 501, 502, 503, 504, 599, 600, 777, 999]
ADDRESSES = [
    *("http://[", "http://[::1", "//[", "http://a:b/", "http://a:99999999999/", "/v1/x"),
    *("/v1/../x", "http://[é", "http://[ x", "/\\evil", "", " ", "?", "#", "http://?"),
    *("http://a..b/é", "/v1/" + "%25" * 900 + "2e", "/" + "a" * 9000, "http://" + "é" * 70 + "/"),
    *("//a@b:c/", "http://%5b/", "http://\uff41.example/", "/v1/\x85", "mailto:x"),
    *("/a?next=1", "../.."),
]  # fmt: skip
DATES = [
    *("Fri, 01 Jan 9999999999999 00:00:00 GMT", "Fri, 01 Jan 0000 00:00:00 GMT", "0", "-1", "²"),
    *("Fri, 31 Feb 2026 00:00:00 GMT", "Fri, 01 Jan 2100 00:00:00 -0000", "Fri, 01 Jan 2100"),
    *("Fri, 01 Jan 2026 99:99:99 +9999", "9" * 5000, "1e400", "Sun Nov  6 08:49:37 1994", "nan"),
    *("Sunday, 06-Nov-94 08:49:37 GMT", "Fri, 01 Jan 0001 00:00:00 +2359", "٣", ",", "1", "\x00"),
]
ODD = ["", ",", ";", "=", '"', '"\\', "é", "\x7f", "\t", "a" * 9000, "*", "W/", "()", "\xa0", "é=é"]
KINDS = [
    "application/json",
    "text/html",
    "application/xml",
    "text/event-stream",
    "x",
    "",
    ";",
    "é/é",
]
KINDS += ["application/json; charset=utf-7", "text/plain; charset=idna", "text/plain; charset=\x00"]
KINDS += ["application/problem+json", "text/plain; charset=utf-16", 'text/plain; charset="']
NAMES = {
    "location": ADDRESSES,
    "content-location": ADDRESSES,
    "link": [f'<{each}>; rel="next"' for each in ADDRESSES]
    + ["<", "<>", '<a>; rel="', ",,,<a", *ODD],
    "retry-after": DATES,
    "date": DATES,
    "expires": DATES,
    "last-modified": DATES,
    "age": DATES,
    "cache-control": [f"max-age={each}" for each in DATES]
    + ["no-store", "private", "public, s-maxage=5", 'max-age="', "stale-if-error=", "=1", *ODD],
    "vary": ["*", "accept", "cookie", *ODD],
    "etag": ['"a"', 'W/"a"', *ODD],
    "set-cookie": ["a=1", "__Host-bff=1", *ODD],
    "connection": ["close", "location", *ODD],
    "content-encoding": ["gzip", "deflate", "identity", "br", *ODD],
    "content-length": ["0", "-1", "9" * 5000, *ODD],
    "www-authenticate": ODD,
    "transfer-encoding": ["chunked", *ODD],
    "x-a": ODD,
}  # fmt: skip
TEXTS = ["", "a", "/v1/x", "http://[", "é", "\ud800", "\x00", "2026-01-01", "9" * 400, "a" * 3000]
NUMBERS = [0, 1, -1, 2**53, 2**63, -(2**63), 2**64 - 1, 1e308, -1e-308, 0.1]
RAW = [
    *(b"", b"null", b"[]", b"{}", b"[null]", b"\xef\xbb\xbf{}", b"\xff", b"{", b'"\\ud83d"'),
    *(b"NaN", b"1e400", b"9" * 5000, b"[" * 900 + b"]" * 900, b"[" * 5000 + b"]" * 5000),
    *(b'{"a":1,"a":2}', b"{}[]"),
    *(b'{"a":' * 700 + b"1" + b"}" * 700, b'[{"id":' + b"[" * 300 + b"]" * 300 + b"}]"),
    *(b"<a/>", b"<a>" * 3000 + b"</a>" * 3000, b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", b"<a"),
    *(b"data: x\n\n", b":\n", b"\x1f\x8b\x08\x00", b"+AGE-", "é".encode("utf-16"), b"\x00" * 9),
]  # fmt: skip


class Hostile:
    """What services reply, put together at random."""

    def __init__(self, seed: int) -> None:
        self._dice = Random(seed)
        self.told: list[Any] = []

    def __call__(self, request: Request) -> Played:
        dice, result = self._dice, self._result()
        if isinstance(result, Reply):
            coding = result.header("content-encoding") or ""
            try:
                result = Reply(
                    result.status, result.headers, read_body([result.body], coding, 10**6)
                )
            except (BadReply, TooMany) as error:
                result = error
        self.told.append((request.method, request.target[:80], repr(result)[:600]))
        return Played(dice.choice([0.0, 0.001, 0.03, 0.5]), result)

    def _result(self) -> Any:
        dice = self._dice
        if dice.random() < 0.08:
            errors = [
                Unreachable("x", "connect"),
                Unreachable("x", "reset"),
                TimedOut(),
                BadReply(),
            ]
            return dice.choice(errors)
        names = dice.sample(sorted(NAMES), dice.randrange(6))
        headers = [(name, dice.choice(NAMES[name])) for name in names]
        headers += [(name, dice.choice(NAMES[name])) for name in names if dice.random() < 0.1]
        kind = KINDS[0] if dice.random() < 0.7 else dice.choice(KINDS)
        # as they are read from the wire: bytes, taken for Latin-1
        headers = [
            (name, value.encode("utf-8", "surrogatepass").decode("latin-1"))
            for name, value in [*headers, ("content-type", kind)]
        ]
        return Reply(dice.choice(STATUSES), tuple(headers), self._body())

    def _body(self) -> bytes:
        if self._dice.random() < 0.4:
            return self._dice.choice(RAW)
        value = self._value(3)
        try:
            return orjson.dumps(value)
        except TypeError:  # half a surrogate pair
            return repr(value).replace("'", '"').encode()

    def _value(self, depth: int) -> Any:
        dice = self._dice
        kind = dice.randrange(6 if depth else 3)
        if kind == 0:
            return dice.choice(TEXTS)
        if kind == 1:
            return dice.choice(NUMBERS)
        if kind == 2:
            return dice.choice([None, True, False])
        if kind == 3:
            return [self._value(depth - 1) for _ in range(dice.randrange(4))]
        names = dice.sample(["id", "items", "next", "a", "b", "of"], dice.randrange(1, 6))
        return {name: self._value(depth - 1) for name in names}


class Site:
    """An app whose services are hostile."""

    def __init__(self, seed: int, state: Any) -> None:
        services = "".join(
            f"  {name}: {{url: 'http://{name}.test/v1', timeout: 1s, {more}}}\n"
            for name, more in SERVICES.items()
        )
        root = f"version: 1\nfrontends: {{web: {{access: none, batch: 20}}}}\nservices:\n{services}"
        config = assemble(
            parse(root, "bff.yaml", {}),
            {name: parse(text, f"{name}.yaml", {}) for name, text in VIEWS.items()},
            {},
            None,
            {name: parse(text, f"{name}.yaml", {}) for name, text in RELAYS.items()},
        )
        self.clock, self.hostile = VirtualClock(), Hostile(seed)
        self.exchange = SimulatedExchange(self.clock, self.hostile)
        self.unforeseen: list[UnexpectedError] = []
        self.app = create_app(
            check_config(config),
            Settings(management_bind=None, state=state),
            exchange=self.exchange,
            effects=InlineEffects(lambda _: (("authorization", "Bearer x"),)),
            clock=self.clock,
            cache=Cache(10**6, now=lambda: 1e9 + self.clock.now(), chance=lambda: 0.5),
            dice=lambda: 0.5,
            observers=[
                lambda each: isinstance(each, UnexpectedError) and self.unforeseen.append(each)
            ],
        )

    def ask(self, path: str, method: str = "GET", **more: Any) -> None:
        before = len(self.hostile.told)
        headers = {"Host": "localhost", "X-CSRF": "1", "Idempotency-Key": "x"}
        with self.app.test_client(use_cookies=False).open(
            path, method=method, headers=headers, **more
        ) as reply:
            reply.get_data()
        told = "\n".join(map(str, self.hostile.told[before:]))
        wrong = [(each.part, each.error) for each in self.unforeseen]
        assert not wrong, f"{path}: {wrong}\n{told}"
        relayed = path.count("/") > 2  # its status is the service's own
        assert relayed or reply.status_code != 500, f"{path}\n{told}"

    def left_behind(self) -> list[str]:
        """What should have been given back."""
        made = [self.app.view_functions[name] for name in ("web.passed0", "web.live")]
        runtime, streams = made[0]._web.runtime, made[1]._streams  # type: ignore[attr-defined]
        seen = runtime.guards.snapshot()
        found = [
            name for name, each in seen.items() if each.in_flight or each.waiting or each.extra
        ]
        found += ["flights"] * len(runtime.caching.fetches._flights)
        found += ["lines"] * len(runtime.caching.fetches._queued)
        found += ["streams"] * streams._open
        return found + [each.name for each in threads() if each.name == "bff-events"]


@pytest.mark.parametrize("seed", range(4))
def test_whatever_services_reply_is_an_outcome(seed: int, tmp_path: Any) -> None:
    site = Site(seed, tmp_path)
    for _ in range(ROUNDS):
        for view in VIEWS:
            site.ask(f"/web/{view}", "POST" if view == "write" else "GET")
        batch = {EXCHANGE: BatchExchange(site.exchange)}
        for view in Random(seed).sample(sorted(VIEWS), 20):
            site.ask(f"/web/{view}", environ_overrides=batch)
        for relay in RELAYS:
            site.ask(f"/web/{relay}/a", environ_overrides={"RAW_URI": f"/web/{relay}/a"})
        assert not site.left_behind()
