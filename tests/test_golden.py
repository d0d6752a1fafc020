"""Runs each golden file in simulated time, and over real sockets with either exchange."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import astuple, dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from threading import Lock, Thread
from time import monotonic, sleep
from typing import Any

import pytest
from flask import Flask
from werkzeug.serving import WSGIRequestHandler, make_server

from bff.app import create_app
from bff.declare.check import check
from bff.declare.rules.warnings import WARNINGS
from bff.declare.settings import Settings
from bff.dev.recordings.virtual import VirtualClock
from bff.dev.stubs.stub import StubReply, StubRequest, StubServices
from bff.errors import BffError, ConfigError, Unreachable
from bff.model.exchange import Reply, Request
from bff.model.problem import Problem
from bff.observe.events import Answered, Observer
from bff.upstream.body import read_body
from bff.upstream.effects import PoolEffects
from bff.upstream.exchange import Credentials
from bff.upstream.pool import PoolExchange
from bff.upstream.sockets.exchange import SocketExchange
from tests.golden_case import Asked, Case, SentRequest, Upstream, like, measure, read_case
from tests.simulation import Played, SimulatedEffects, SimulatedExchange

FILES = sorted((Path(__file__).parent / "golden").glob("*.yaml"))
EXCHANGES = {"pool": PoolExchange, "sockets": SocketExchange}
NOISE = 1.5  # seconds by which a busy machine may be late
BROKEN = {"reset": "reset", "empty": "reset", "truncated": ""}  # and before what
SILENT = {"hang", "dribble_headers", "dribble_body"}


@dataclass
class Ran:
    """What a run of a case came to."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    took: float
    answered: list[Answered]


@dataclass
class Services:
    """Answers from the upstreams of a case, and keeps what was asked."""

    case: Case
    sent: list[SentRequest] = field(default_factory=list)
    used: list[Upstream] = field(default_factory=list)
    strange: list[str] = field(default_factory=list)
    _lock: Any = field(default_factory=Lock)

    def answer(self, asked: SentRequest) -> StubReply:
        found = self.case.upstream_of(asked)
        with self._lock:
            self.sent.append(asked)
            if isinstance(found, Upstream):
                self.used.append(found)
                times = sum(each is found for each in self.used)
                return found.replies[min(times, len(found.replies)) - 1]
            self.strange.append(found)
        return StubReply.problem(501, found)


def _refused(path: Path) -> bool:
    """Whether the file is about a configuration that cannot be served."""
    return "\n  problems:" in path.read_text(encoding="utf-8")


def _named(files: list[Path]) -> list[Any]:
    return [pytest.param(path, id=path.stem) for path in files]


@pytest.mark.parametrize("path", _named([path for path in FILES if _refused(path)]))
def test_load_error(path: Path, tmp_path: Path):
    case = read_case(path)
    case.write(tmp_path)
    environ = {f"{name.upper()}_URL": "http://127.0.0.1:1" for name in case.services}
    with pytest.raises(ConfigError) as caught:
        check(tmp_path, environ | dict(case.environ))
    found, wanted = _shown(_certain(caught.value.problems), tmp_path), case.expect["problems"]
    if len(found) != len(wanted) or not all(map(like, wanted, found)):
        pytest.fail("\n".join([case.about, "found:", *found, "wanted:", *wanted]), pytrace=False)


@pytest.mark.parametrize("way", ["simulated", *EXCHANGES])
@pytest.mark.parametrize("path", _named([path for path in FILES if not _refused(path)]))
def test_golden(path: Path, way: str, tmp_path: Path):
    case = read_case(path)
    case.write(tmp_path)
    services = Services(case)
    if way == "simulated":
        ran = _simulated(case, services, tmp_path)
    else:
        ran = _over_http(case, services, tmp_path, EXCHANGES[way])
    _check_answer(case, ran, services.strange)
    _check_sent(case, services, cut_short="cancelled" in ran.headers.get("bff-calls", ""))
    if way == "simulated":
        _check_times(case, ran)
        assert all(each in services.used for each in case.upstreams), "an upstream is never asked"
    elif "within" in case.expect:
        assert ran.took <= measure(case.expect["within"]) + NOISE


# -- two ways to run a case ------------------------------------------------------------------


def _app(case: Case, folder: Path, urls: Mapping[str, str], parts: dict[str, Any]) -> Flask:
    environ = {f"{name.upper()}_URL": url for name, url in urls.items()} | dict(case.environ)
    checked = check(folder, environ)
    warnings = _shown(_certain(checked.warnings), folder)
    assert warnings == case.expect.get("warnings", [])
    if callable(parts["exchange"]):
        parts["exchange"] = parts["exchange"](checked.config.services)
    settings = Settings(management_bind=None, state=folder / "state")
    return create_app(checked, settings, authenticate=lambda *_: case.principal, **parts)


def _into(answered: list[Answered]) -> Observer:
    return lambda event: answered.append(event) if isinstance(event, Answered) else None


def _simulated(case: Case, services: Services, folder: Path) -> Ran:
    def script(request: Request) -> Played | None:
        asked = SentRequest(
            request.service,
            request.method,
            request.target,
            # as the bytes that would be on the wire, read as a server reads them
            {
                name: value.encode("utf-8", "surrogateescape").decode("latin-1")
                for name, value in request.headers
            },
            request.body,
        )
        return _played(services.answer(asked), request.max_reply)

    clock = VirtualClock()
    answered: list[Answered] = []
    urls = {name: f"http://{name}.internal.test" for name in case.services}
    parts = {
        "exchange": SimulatedExchange(clock, script),
        "effects": SimulatedEffects(clock, case.credentials_after, case.credentials),
        "clock": clock,
        "dice": lambda: 1.0,
        "observers": [_into(answered)],
    }
    client = _app(case, folder, urls, parts).test_client()
    asked = _asked_of(case)
    response = client.open(
        asked.target, method=asked.method, headers=asked.headers, data=asked.body or None
    )
    headers = {name.lower(): value for name, value in response.headers}
    return Ran(response.status_code, headers, response.data, clock.now(), answered)


def _played(reply: StubReply, most: int) -> Played | None:
    """What PoolExchange makes of a reply."""
    if reply.fault in SILENT:
        return None
    if reply.fault in BROKEN:
        return Played(reply.delay, Unreachable(reply.fault, BROKEN[reply.fault]))
    headers = tuple((name.lower(), value) for name, value in reply.headers)
    coding = dict(headers).get("content-encoding", "")
    try:
        body = read_body([reply.body], coding, most)
    except BffError as error:
        return Played(reply.delay, error)
    return Played(reply.delay, Reply(reply.status, headers, body))


class _Quiet(WSGIRequestHandler):
    def log(self, *_args: Any) -> None:
        """Say nothing."""


@contextmanager
def _serving(app: Flask) -> Iterator[int]:
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=_Quiet)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server.port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _over_http(
    case: Case, services: Services, folder: Path, kind: type[PoolExchange | SocketExchange]
) -> Ran:
    def answer(request: StubRequest) -> StubReply:
        headers = {name.lower(): value for name, value in request.headers}
        asked = SentRequest(request.service, request.method, request.target, headers, request.body)
        return services.answer(asked)

    exchanges: list[PoolExchange | SocketExchange] = []

    def exchange(declared: Any) -> PoolExchange | SocketExchange:
        exchanges.append(kind(declared, 16))
        return exchanges[0]

    answered: list[Answered] = []
    with StubServices(dict.fromkeys(case.services, answer)) as stubs:
        effects = PoolEffects({Credentials: case.credentials}, 4)
        parts = {"exchange": exchange, "effects": effects, "observers": [_into(answered)]}
        parts["dice"] = lambda: 1.0
        app = _app(case, folder, stubs.urls, parts)
        with _serving(app) as port:
            ran = _ask(_asked_of(case), port, answered)
        wanted = case.expect.get("sent", case.expect.get("sent_in_order"))
        until = monotonic() + NOISE
        while wanted is not None and len(services.sent) < len(wanted) and monotonic() < until:
            sleep(0.005)
        exchanges[0].close()
        effects.close()
    for url in stubs.urls.values():
        assert url.encode() not in ran.body
    return ran


def _ask(asked: Asked, port: int, answered: list[Answered]) -> Ran:
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    begun = monotonic()
    try:
        names = {name.lower() for name, _ in asked.headers}
        connection.putrequest(asked.method, asked.target, skip_host="host" in names)
        for name, value in asked.headers:
            connection.putheader(name, value)
        if asked.body:
            connection.putheader("Content-Length", str(len(asked.body)))
        connection.endheaders(asked.body or None)
        response = connection.getresponse()
        body = response.read()
    finally:
        connection.close()
    headers = {name.lower(): value for name, value in response.getheaders()}
    return Ran(response.status, headers, body, monotonic() - begun, answered)


# -- what is expected ------------------------------------------------------------------------


def _asked_of(case: Case) -> Asked:
    assert case.asked, "the file has no `request`"
    return case.asked


def _certain(problems: Iterable[Problem]) -> list[Problem]:
    """All but doubts: a case shows one behaviour, and is no whole project."""
    doubts = {rule.id for rule in WARNINGS}
    return [each for each in problems if each.id not in doubts]


def _shown(problems: Iterable[Problem], folder: Path) -> list[str]:
    """The lines of problems in the order of their places, with paths below `folder`."""
    ordered = sorted(problems, key=lambda problem: astuple(problem.place))
    lines = "\n".join(map(str, ordered)).splitlines()
    return [re.sub(r" \[[a-z-]+\]$", "", line.replace(f"{folder}/", "").strip()) for line in lines]


def _check_answer(case: Case, ran: Ran, strange: list[str]) -> None:
    wrong = list(strange)
    wanted = case.expect.get("status", 200)
    if ran.status != wanted:
        wrong.append(f"status: {ran.status}, not {wanted}")
    for name, text in case.expect.get("headers", {}).items():
        found = ran.headers.get(name.lower())
        if not like(text, found):
            wrong.append(f"{name}: {found!r}, not {text!r}")
    if "body" in case.expect and _body(ran) != case.expect["body"]:
        wrong.append(f"body: {_body(ran)}, not {case.expect['body']}")
    if wrong:
        pytest.fail("\n".join([case.about, *wrong, f"all of it: {ran.body!r}"]), pytrace=False)


def _body(ran: Ran) -> Any:
    """The JSON of the answer; of a problem without what is checked here: its status and its id."""
    body = json.loads(ran.body) if ran.body else None
    if ran.headers.get("content-type") == "application/problem+json":
        assert body.pop("id") == ran.headers["x-request-id"]
        assert body.pop("status") == ran.status
    return body


def _check_times(case: Case, ran: Ran) -> None:
    for name, wanted in case.expect.get("started", {}).items():
        outcome = ran.answered[0].outcomes[name]
        at = None if wanted is None else pytest.approx(measure(wanted), abs=1e-6)
        assert outcome.started == at, name
    if "within" in case.expect:
        assert ran.took <= measure(case.expect["within"]) + 1e-6


def _check_sent(case: Case, services: Services, *, cut_short: bool) -> None:
    """What was sent; a call that was given up may not have got as far, on a busy machine."""
    sent = [str(asked) for asked in services.sent]
    if "sent_in_order" in case.expect:
        assert sent == case.expect["sent_in_order"]
    if "sent" in case.expect:
        wanted = case.expect["sent"]
        assert sorted(sent) == sorted(wanted) or (cut_short and set(sent) <= set(wanted)), sent
