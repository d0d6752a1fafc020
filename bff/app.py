"""The composition root: wires the configuration to the objects that serve it."""

from collections.abc import Callable, Sequence
from random import random
from time import time
from weakref import finalize

from flask import Flask

from bff import parts
from bff.cache.cache import Cache
from bff.declare import snapshot
from bff.declare.check import CheckedConfig
from bff.declare.settings import Settings
from bff.engine.background import Background
from bff.engine.runtime import OnHit, Runtime, caching_of
from bff.observe.boundary import ErrorBoundary
from bff.observe.events import Observer, notify_all
from bff.observe.log import log_events
from bff.store.idempotency import IdempotencyKeys
from bff.upstream import exchanges
from bff.upstream.exchange import Clock, Effects, Exchange, PollingExchange, clock_for
from bff.upstream.guard import Guards
from bff.upstream.memory import Memory
from bff.web.access.admission import Authenticate
from bff.web.access.authenticate import Authenticator
from bff.web.access.sessions import session_routes
from bff.web.access.sign_in import sign_in_routes
from bff.web.access.sign_out import sign_out_routes
from bff.web.access_events import emit_access_events
from bff.web.app import App
from bff.web.cors import cors
from bff.web.event_streams import EventStreams
from bff.web.management import drain
from bff.web.management.cache_admin import CacheAdmin
from bff.web.management.gauges import gauge_values
from bff.web.management.health import ManagementApp, health_routes
from bff.web.management.store_watch import StoreWatch
from bff.web.problem import handle_errors
from bff.web.relay.routes import relay_routes
from bff.web.relay.stream import stream_routes
from bff.web.relay.websocket import websocket_routes
from bff.web.request_checks import guard
from bff.web.runtime import WebRuntime
from bff.web.views.batch import batch_routes
from bff.web.views.routes import view_routes


def create_app(
    checked: CheckedConfig | None = None,
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
    hits: OnHit | None = None,
) -> Flask:
    """Wire everything together; starts no thread and opens no socket.

    Args:
        checked: the configuration; the last good one of `settings.config` if not given.
        settings: how the process runs; from the environment if not given.
        cache: as declared if not given; none if nothing is cached.
        now: seconds since 1970, for the expiry of sessions and tokens.
        dice: returns random numbers in [0, 1).
        authenticate: identifies the client; by sessions and bearer tokens if not given.
        observers: called with each event, besides the metrics and the exporter of spans.
        timing: whether answers carry Server-Timing, for development.
        development: whether users may sign in at the local provider, which asks for no password.
        strict: whether an unexpected exception is raised, and not replaced; as in development.
        hits: called for each request to a service that was answered from the cache.

    Raises:
        ConfigError: the configuration or the settings are invalid.
    """
    settings = settings or Settings.from_env()
    checked = checked or snapshot.current(settings.config)
    config = checked.config
    memory = Memory(settings.memory)
    carries = (config.services, settings.pool, memory, config.place)
    exchange = exchange or exchanges.open_exchange(config.exchange, *carries)
    clock = clock or clock_for(exchange)
    cache = cache or parts.open_cache_of(checked, settings)
    limit = max(1, settings.pool // 2)  # of one service, so that a slow one leaves threads
    metrics, spans = parts.open_metrics(checked), parts.open_spans(settings)
    sampler = spans.samples if spans else None
    observe = notify_all([*observers, metrics.observe, *([spans.observe] if spans else [])])
    boundary = ErrorBoundary(observe, raises=strict or development)
    guards = Guards(config.services, limit, clock, dice, observe)
    later = Background(boundary, settings.pool).run
    sign_in = parts.open_sign_in(
        config, settings.state, now, observe, cache, later, development=development
    )
    bearer = parts.open_bearer(config, now, later, development=development)
    effects = effects or parts.open_effects(config, sign_in, cache, settings.pool, later, boundary)
    runtime = Runtime(
        exchange=exchange,
        effects=effects,
        clock=clock,
        guards=guards,
        caching=caching_of(cache, effects, clock, guards, boundary, hits) if cache else None,
        boundary=boundary,
        memory=memory,
        services=config.services,
    )
    web = WebRuntime(
        runtime,
        authenticate=authenticate or Authenticator(sign_in.sessions, sign_in.cookies, bearer),
        observer=observe,
        streams=EventStreams(settings.threads * config.streams, sign_in.sessions.is_active),
        limits=sign_in.limits,
        once=IdempotencyKeys(sign_in.sessions.store, sign_in.seal, now),
        seal=sign_in.seal,
        return_to=config.session.return_to,
        timing=timing,
    )
    checks = {"upstream": exchange.unready, "stopping": drain.begun}
    watch = StoreWatch(sign_in.sessions.store.unready if config.providers else str)
    if config.providers:
        checks["sessions"] = watch.reason
    notes = {
        "configuration": snapshot.rejection,
        "metrics": metrics.without_disk_space,
        "exchange": lambda: "sockets" if isinstance(exchange, PollingExchange) else "pool",
    }
    if cache:
        notes["cache"] = cache.unavailable

    app = App(__name__, static_folder=None)
    if cache:
        finalize(app, cache.close).atexit = False  # only when another app replaces this one
    app.url_map.merge_slashes = False
    answering = emit_access_events(app, clock, observe, config.frontends, sampler)
    metrics.watch(lambda: gauge_values(guards, exchange, cache, settings, answering, memory, watch))
    guard(app, config.hosts)
    cors(app, config.frontends, checked.plans, config.relays)
    handle_errors(app, boundary)
    health_routes(app, checks)
    for routes in (sign_in_routes, sign_out_routes, session_routes):
        routes(app, sign_in)
    view_routes(app, checked.plans, config.frontends, web)
    batch_routes(app, checked.plans, config.frontends, runtime, settings.threads)
    stream_routes(app, checked.plans, config.frontends, web)
    relay_routes(app, config.relays, config.frontends, web)
    websocket_routes(app, config.relays, config.frontends, web)
    reports = {"/upstreams": guards.snapshot}
    managed = ManagementApp(app.wsgi_app, checks, notes, reports, CacheAdmin(cache), metrics.text)
    app.wsgi_app = managed  # type: ignore[method-assign]  # as Flask documents it
    return app
