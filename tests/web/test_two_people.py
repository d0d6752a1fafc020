"""Whatever is declared and whoever asks at once: nobody is ever answered with another's bytes.

A service that knows people echoes who it was asked for; configurations and requests are drawn.
"""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import local

import orjson
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bff.app import create_app
from bff.cache.cache import Cache
from bff.declare.check import check_config
from bff.declare.config import assemble
from bff.declare.load import parse
from bff.declare.settings import Settings
from bff.errors import ConfigError
from bff.model.exchange import Reply, Request
from bff.model.principal import Principal
from bff.upstream.effects import PoolEffects
from bff.upstream.exchange import Completion, Credentials
from tests.examples import examples
from tests.kept import MB, Wall

PEOPLE = [
    Principal("i", "ada", claims={"plan": "a", "team": "x"}, session="s-ada"),
    Principal("i", "bob", claims={"plan": "a", "team": "y"}, session="s-bob"),
]

# where a value may get into a call, and what it then is made of
SOURCES = {
    "plain": "'same'",
    "params": "params.id",
    "locale": "locale",
    "sub": "session.sub",
    "plan": "session.claims.plan",
    "team": "session.claims.team",
    "header": 'headers."x-who"',
    "earlier": "first.value",
}
scopes = st.sampled_from(
    [
        "",
        "",
        "scope: public",
        "scope: person",
        "vary: [session.claims.plan]",
        "vary: [session.claims.plan, session.claims.team]",
        "vary: [headers.x-who]",
    ]
)
times = st.sampled_from(
    ["ttl: 10s", "ttl: 10s, stale: 10s", "ttl: 1s, stale_if_error: 1m", "ttl: upstream"]
)


@st.composite
def views(draw):
    """A view of two calls, the second perhaps made of the first; parts or all of it kept."""

    def cache(of):
        if not draw(st.booleans()):
            return ""
        words = [draw(times if of == "call" else times.filter(lambda t: "upstream" not in t))]
        words += [scope] if (scope := draw(scopes)) else []
        words += ['tags: ["t:{params.id}"]'] if draw(st.booleans()) else []
        return f"{{{', '.join(words)}}}"

    def call(name):
        source = draw(st.sampled_from([s for s in SOURCES if name == "second" or s != "earlier"]))
        service = draw(st.sampled_from(["open", "tokens"]))
        own = cache("call")
        text = (
            f'  {name}:\n    get: "{service}:/{name}"\n    query: {{v: "{{{SOURCES[source]}}}"}}\n'
        )
        if source == "header" or draw(st.booleans()):
            text += "    forward: [X-Who]\n"
        if draw(st.booleans()):
            text += f'    when: "{draw(st.sampled_from([*SOURCES.values()][:6]))}"\n'
        return (text.replace('"headers.', '"headers.')) + (f"    cache: {own}\n" if own else "")

    whole = cache("view")
    text = "get: /x/{id}\ncalls:\n" + call("first") + call("second")
    leaf = draw(st.sampled_from(["session.sub", "session.claims.plan", "'none'"]))
    text += f'shape: {{first: first, second: second, own: "{leaf}"}}\n'
    return text + (f"cache: {whole}\n" if whole else "")


ROOT = """\
version: 1
frontends: {web: {access: session, languages: [en, de]}}
services:
  open: {url: "http://open.test"}
  tokens: {url: "http://tokens.test", credentials: relay}
"""


class Echo:
    """An exchange whose replies say all that was asked; some let themselves be validated."""

    def __init__(self, pool):
        self._pool = pool

    def start(self, request: Request, _deadline, attempt, mailbox):
        self._pool.submit(lambda: mailbox.put(Completion(attempt, self._reply(request))))

    def cancel(self, _handle):
        """Nothing is held."""

    def unready(self):
        return ""

    def _reply(self, request):
        headers = dict(request.headers)
        seen = {
            "value": request.target,
            "token": headers.get("authorization"),
            "who": headers.get("x-who"),
        }
        body = orjson.dumps(seen)
        etag = f'"{body.hex()}"'
        kind = (
            ("content-type", "application/json"),
            ("etag", etag),
            ("cache-control", "max-age=2"),
        )
        if headers.get("if-none-match") == etag:
            return Reply(304, kind, b"")
        return Reply(200, kind, body)


def configured(view):
    try:
        return check_config(
            assemble(parse(ROOT, "bff.yaml", {}), {"page": parse(view, "page.yaml", {})}, {})
        )
    except ConfigError:
        return None  # the proof refuses it, or it makes no sense: both are fine


def found_of(value, other):
    """What in an answer is of the other person."""
    text = orjson.dumps(value).decode()
    names = (
        other.subject,
        f"token-{other.subject}",
        other.claims["team"] * 3,
        f"w-{other.subject}",
    )
    return [name for name in names if name in text]


@settings(
    max_examples=examples(60),
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
@given(view=views(), moves=st.lists(st.sampled_from([0.0, 3.0, 11.0]), min_size=2, max_size=4))
def test_neither_ever_sees_the_others_bytes(view, moves):
    checked = configured(view)
    if checked is None:
        return
    wall, asking = Wall(), local()
    people = [
        Principal(
            p.issuer,
            p.subject,
            claims={**p.claims, "team": p.claims["team"] * 3},
            session=p.session,
        )
        for p in PEOPLE
    ]

    def credentials(effect):
        return (("authorization", f"token-{effect.principal.subject}"),)

    with ThreadPoolExecutor(8) as pool, ThreadPoolExecutor(8) as clients:
        cache = Cache(MB, now=wall, chance=lambda: 0.0)
        app = create_app(
            checked,
            Settings(Path("unused"), management_bind=None),
            exchange=Echo(pool),
            effects=PoolEffects({Credentials: credentials}, 4),
            cache=cache,
            authenticate=lambda *_: asking.person,
            observers=(),
        )

        def ask(turn):
            person = people[turn % 2]
            asking.person = person
            headers = {
                "X-Who": f"w-{person.subject}",
                "Accept-Language": ["en", "de"][turn // 2 % 2],
            }
            return person, app.test_client().get(f"/web/x/{turn // 4 % 2}", headers=headers)

        for move in moves:
            wall.pass_by(move)
            for person, answer in clients.map(ask, range(16)):
                other = people[1 - people.index(person)]
                if answer.status_code == 200:
                    assert found_of(answer.json, other) == [], (view, answer.json)
                    own = answer.json["own"]
                    assert own in {person.subject, person.claims["plan"], "none"}
                    if "public" in answer.headers["Cache-Control"]:
                        assert found_of(answer.json, person) == []
        keeper = app.view_functions["web.page"]._runtime.caching
        while keeper.background._flights:
            pass
