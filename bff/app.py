"""The whole product on one screen: what is declared, wired to what runs it."""

from collections.abc import Callable, Sequence
from random import random
from time import time
from weakref import finalize

from flask import Flask

from bff import parts
from bff.auth.once import Once
from bff.cache.levels import Cache
from bff.declare import snapshot
from bff.declare.check import Checked
from bff.declare.settings import Settings
from bff.engine.background import Background
from bff.engine.keeper import Heard, keeper_of
from bff.observe.boundary import ErrorBoundary
from bff.observe.events import Observer, told_to
from bff.observe.log import log_events
from bff.upstream import exchanges
from bff.upstream.exchange import (
    Carrier,
    Clock,
    Effects,
    Exchange,
    NoCarrier,
    ReadByAsker,
    clock_for,
)
from bff.upstream.guard import Guards
from bff.upstream.memory import Memory
from bff.web import drain
from bff.web.admission import Authenticate
from bff.web.app import App
from bff.web.authenticate import Authenticator
from bff.web.batch import batch_routes
from bff.web.cache_admin import CacheAdmin
from bff.web.cors import cors
from bff.web.engine import Engine
from bff.web.events import EventStreams
from bff.web.gate import guard
from bff.web.health import Management, health_routes
from bff.web.levels import levels_of
from bff.web.problem import handle_errors
from bff.web.relay import relay_routes
from bff.web.sessions import session_routes
from bff.web.sign_in import sign_in_routes
from bff.web.sign_out import sign_out_routes
from bff.web.stream import stream_routes
from bff.web.telling import tell_answers
from bff.web.views import view_routes
from bff.web.watched import StoreWatch
from bff.web.websocket import websocket_routes


def create_app(
    checked: Checked | None = None,
    settings: Settings | None = None,
    *,
    exchange: Exchange | None = None,
    effects: Effects | None = None,
    clock: Clock | None = None,
    cache: Cache | None = None,
    now: Callable[[], float] = time,
    dice: Callable[[], float] = random,
    authenticate: Authenticate | None = None,
    observers: Sequence[Observer] = (log_events,),
    timing: bool = False,
    development: bool = False,
    strict: bool = False,
    hits: Heard | None = None,
) -> Flask:
    """Wire everything together; starts no thread and opens no socket.

    Args:
        checked: the configuration; the last good one of `settings.config` if not given.
        settings: how the process runs; from the environment if not given.
        cache: what is kept; as declared if not given, and none where nothing is to be kept.
        now: seconds since 1970, by which sessions and tokens end.
        dice: gives numbers from 0 up to 1.
        authenticate: says who asks; sessions and bearer tokens do if not given.
        observers: hear of all that happens, besides the metrics and what exports spans.
        timing: whether answers carry Server-Timing, for development.
        development: whether people may sign in at a provider that lets anybody in.
        strict: whether an exception that no code expects ends its request and is shown, as it is
            in development, and not just the call that it is about.
        hits: told of each request to a service that was answered from the cache.

    Raises:
        ConfigError: the configuration or the settings cannot be served.
    """
    settings = settings or Settings.from_env()
    checked = checked or snapshot.current(settings.config)
    config = checked.config
    memory = Memory(settings.memory)
    carries = (config.services, settings.pool, memory, config.place)
    exchange = exchange or exchanges.open_exchange(config.exchange, *carries)
    clock = clock or clock_for(exchange)
    cache = cache or parts.open_cache_of(checked, settings)
    places = max(1, settings.pool // 2)  # so that one slow service cannot have all threads
    metrics, spans = parts.open_metrics(checked), parts.open_spans(settings)
    sampler = spans.samples if spans else None
    observe = told_to([*observers, metrics.hear, *([spans.hear] if spans else [])])
    boundary = ErrorBoundary(observe, raises=strict or development)
    guards = Guards(config.services, places, clock, dice, observe)
    later = Background(boundary, settings.pool).run
    sign_in = parts.open_sign_in(
        config, settings.state, now, observe, cache, later, development=development
    )
    bearer = parts.open_bearer(config, now, later, development=development)
    effects = effects or parts.open_effects(config, sign_in, cache, settings.pool, later, boundary)
    engine = Engine(
        exchange=exchange,
        effects=effects,
        clock=clock,
        guards=guards,
        authenticate=authenticate or Authenticator(sign_in.sessions, sign_in.cookies, bearer),
        services=config.services,
        observer=observe,
        limits=sign_in.limits,
        timing=timing,
        keeper=(
            keeper_of(cache, exchange, effects, clock, guards, hits, boundary) if cache else None
        ),
        once=Once(sign_in.sessions.store, sign_in.seal, now),
        seal=sign_in.seal,
        memory=memory,
        boundary=boundary,
    )
    checks = {"upstream": exchange.unready, "stopping": drain.begun}
    watch = StoreWatch(sign_in.sessions.store.unready if config.providers else str)
    if config.providers:
        checks["sessions"] = watch.reason
    notes = {
        "configuration": snapshot.refused,
        "metrics": metrics.without_room,
        "exchange": lambda: "sockets" if isinstance(exchange, ReadByAsker) else "pool",
    }
    if cache:
        notes["cache"] = cache.away

    app = App(__name__, static_folder=None)
    if cache:
        finalize(app, cache.close).atexit = False  # of an app that another takes the place of
    app.url_map.merge_slashes = False
    answering = tell_answers(app, clock, observe, config.frontends, sampler)
    metrics.watch(lambda: levels_of(guards, exchange, cache, settings, answering, memory, watch))
    guard(app, config.hosts)
    cors(app, config.frontends, checked.plans, config.relays)
    handle_errors(app, boundary)
    health_routes(app, checks)
    sign_in_routes(app, sign_in)
    sign_out_routes(app, sign_in)
    session_routes(app, sign_in)
    view_routes(app, checked.plans, config.frontends, engine)
    streams = EventStreams(max(1, int(settings.threads * config.streams)), sign_in.sessions.goes_on)
    batch_routes(
        *(app, config.frontends, checked.plans, exchange, clock, config.services),
        settings.threads,
        boundary,
    )
    websocket_routes(app, config.relays, config.frontends, engine)
    carrier = exchange if isinstance(exchange, Carrier) else NoCarrier()
    stream_routes(app, checked.plans, config.frontends, engine, carrier, streams)
    relay_routes(app, config.relays, config.frontends, engine, carrier, streams)
    reports = {"/upstreams": guards.seen}
    managed = Management(app.wsgi_app, checks, notes, reports, CacheAdmin(cache), metrics.text)
    app.wsgi_app = managed  # type: ignore[method-assign]  # as Flask documents it
    return app
