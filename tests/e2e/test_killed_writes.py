"""A process that is killed while a service does what it was asked: the write is done once."""

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from http.client import HTTPException
from itertools import chain
from pathlib import Path
from threading import Event, Lock
from time import monotonic

import pytest

from bff.dev.stubs.stub import StubReply, StubRequest, StubServices
from tests.e2e.browser import until
from tests.e2e.providers.rotating import RotatingProvider, listening
from tests.e2e.serving import Answer, Line, Served, served
from tests.store.redis_server import RedisServer

WORKERS = 3
TIMEOUT = 2.0  # seconds that the view may take
LEASE = TIMEOUT + 5.0  # and those after which whoever has the key is taken to have crashed
CONFIG = """
frontends: {{web: {{access: session}}}}
session: {{secrets: ["${{SESSION_SECRET}}"], store: "{store}"}}
providers:
  main: {{issuer: "{issuer}", client_id: the-client, client_secret: "${{CLIENT_SECRET}}"}}
services: {{orders: {{url: "{orders}", timeout: 1900ms, credentials: none}}}}
"""
ORDER = f"""
post: /orders
timeout: {TIMEOUT * 1000:.0f}ms
idempotency: required
body: {{type: object, required: [product], properties: {{product: {{type: string}}}}}}
call: {{post: "orders:/orders", json: {{customer: "{{session.sub}}", product: "{{body.product}}"}}}}
answer: 201
"""


class Orders:
    """A service that honours keys: it does a write when it hears of it, and says so later."""

    def __init__(self) -> None:
        self.keys: list[str] = []
        self.done: dict[str, int] = {}
        self.says = Event()
        self._lock = Lock()

    def __call__(self, request: StubRequest) -> StubReply:
        key = request.header("Idempotency-Key") or ""
        with self._lock:
            self.keys.append(key)
            number = self.done.setdefault(key, len(self.done) + 1)
        self.says.wait(20)
        return StubReply.json({"order": number}, 201)


@dataclass(frozen=True)
class Site:
    app: Served
    orders: Orders
    folder: Path


@pytest.fixture(params=["sqlite", "redis"])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    with ExitStack() as stack:
        store = f"sqlite:{tmp_path}/sessions.db"
        if request.param == "redis":
            redis = RedisServer(tmp_path)
            stack.callback(redis.stop)
            store = redis.url
        orders = Orders()
        provider = stack.enter_context(listening(RotatingProvider()))
        provider.who, provider.first = "ada", 3600
        stubs = stack.enter_context(StubServices({"orders": orders}))
        stack.callback(orders.says.set)
        config = CONFIG.format(store=store, issuer=provider.issuer, orders=stubs.urls["orders"])
        views = {"place_order": ORDER}
        app = stack.enter_context(served(tmp_path / "app", config, views, WORKERS))
        yield Site(app, orders, tmp_path)


def order(line: Line, session: str, product: str = "p-1") -> Answer:
    return line.ask("/web/orders", session, "POST", {"product": product}, '"the-key"')


def taken_over(line: Line, session: str) -> Answer | None:
    """The answer of whoever has the key by now; None while that is the one that was killed."""
    answer = order(line, session)
    return None if answer.status == 409 else answer


def test_a_write_whose_process_is_killed_is_done_once(site: Site) -> None:
    with site.app.visitor() as visitor:
        assert visitor.go("/auth/login?return_to=/livez").status_code == 200
        session = visitor.session
    with site.app.lines() as lines, ThreadPoolExecutor(1) as threads:
        victim, second, third = chain(*lines.values())
        begun = monotonic()
        lost = threads.submit(order, victim, session)
        until(lambda: bool(site.orders.keys), "the service is asked")
        os.kill(victim.worker, signal.SIGKILL)
        assert isinstance(lost.exception(20), OSError | HTTPException)
        site.orders.says.set()

        early = order(second, session)  # somebody may still be at it, for all that is known
        assert early.status == 409
        assert early.headers["retry-after"]
        assert order(third, session, "p-2").status == 422
        assert len(site.orders.keys) == 1

        later = until(lambda: taken_over(second, session), "another takes over", LEASE + 10)
        assert monotonic() - begun > LEASE - 0.1
        assert (later.status, later.json) == (201, {"order": 1})
        assert "idempotency-replayed" not in later.headers
        assert len(site.orders.keys) == 2
        assert len(set(site.orders.keys)) == 1
        assert len(site.orders.done) == 1

        again = order(third, session)
        assert (again.status, again.json) == (201, {"order": 1})
        assert again.headers["idempotency-replayed"] == "true"
        assert order(third, session, "p-2").status == 422
        assert len(site.orders.keys) == 2
