"""The whole product on one screen: what is declared, wired to what runs it."""

from collections.abc import Callable
from pathlib import Path
from random import random
from secrets import token_urlsafe
from time import time

from flask import Flask

from bff.auth.bearer import Bearer
from bff.auth.http import Http
from bff.auth.once import Once
from bff.auth.provider import OpenIdProvider
from bff.auth.refresh import Refresher
from bff.auth.seal import Seal
from bff.auth.secret import kept_secret
from bff.auth.session import Sessions
from bff.auth.stores import open_store
from bff.auth.tokens import TokenKeeper
from bff.cache.key import session_of
from bff.cache.levels import Cache, Look, Write
from bff.cache.open import open_cache
from bff.declare import snapshot
from bff.declare.check import Checked
from bff.declare.settings import Settings
from bff.engine.keeper import Heard, keeper_of
from bff.model.view import Config
from bff.observe.events import AuditListener, Listener, Watcher
from bff.observe.log import log_answers, log_audit, log_changes
from bff.upstream.effects import Performer, PoolEffects
from bff.upstream.exchange import (
    Carrier,
    Clock,
    Credentials,
    Effects,
    Exchange,
    NoCarrier,
    SystemClock,
)
from bff.upstream.guard import Guards
from bff.upstream.pool import PoolExchange
from bff.web import drain
from bff.web.admission import Authenticate
from bff.web.app import App
from bff.web.authenticate import Authenticator
from bff.web.batch import batch_routes
from bff.web.cache_admin import CacheAdmin
from bff.web.cookies import Cookies
from bff.web.cors import cors
from bff.web.endpoint import SignIn
from bff.web.events import EventStreams
from bff.web.gate import guard
from bff.web.health import Management, health_routes
from bff.web.limits import Limits
from bff.web.problem import handle_errors
from bff.web.relay import relay_routes
from bff.web.sessions import session_routes
from bff.web.sign_in import sign_in_routes
from bff.web.views import Engine, view_routes
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
    listener: Listener = log_answers,
    audit: AuditListener = log_audit,
    watcher: Watcher = log_changes,
    timing: bool = False,
    development: bool = False,
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
        timing: whether answers carry Server-Timing, for development.
        development: whether people may sign in at a provider that lets anybody in.
        hits: told of each request to a service that was answered from the cache.

    Raises:
        ConfigError: the configuration or the settings cannot be served.
    """
    settings = settings or Settings.from_env()
    checked = checked or snapshot.current(settings.config)
    config = checked.config
    exchange = exchange or PoolExchange(config.services, settings.pool)
    clock = clock or SystemClock()
    cache = cache or _cache(checked, settings)
    places = max(1, settings.pool // 2)  # so that one slow service cannot have all threads
    guards = Guards(config.services, places, clock, dice, watcher)
    parts = _sign_in(config, settings.state, now, audit, cache, development=development)
    refresher = Refresher(parts.sessions, parts.providers, audit)
    tokens = TokenKeeper(config.services, parts.providers, parts.sessions, parts.seal, refresher)
    bearer = _bearer(config, now, development=development)
    if effects is None:
        performers: dict[type, Performer] = {Credentials: tokens.perform}
        performers |= {Look: cache.look, Write: cache.write} if cache else {}
        effects = PoolEffects(performers, settings.pool)
    engine = Engine(
        exchange=exchange,
        effects=effects,
        clock=clock,
        guards=guards,
        authenticate=authenticate or Authenticator(parts.sessions, parts.cookies, bearer),
        services=config.services,
        listener=listener,
        audit=audit,
        limits=parts.limits,
        timing=timing,
        keeper=keeper_of(cache, exchange, effects, clock, guards, hits) if cache else None,
        once=Once(parts.sessions.store, parts.seal, now),
    )
    checks = {"upstream": exchange.unready, "stopping": drain.begun}
    if config.providers:
        checks["sessions"] = parts.sessions.store.unready
    notes = {"configuration": snapshot.refused}
    if cache:
        notes["cache"] = cache.away

    app = App(__name__, static_folder=None)
    app.url_map.merge_slashes = False
    guard(app, config.hosts)
    cors(app, config.frontends, checked.plans, config.relays)
    handle_errors(app)
    health_routes(app, checks)
    sign_in_routes(app, parts)
    session_routes(app, parts)
    view_routes(app, checked.plans, config.frontends, engine)
    streams = EventStreams(max(1, int(settings.threads * config.streams)), parts.sessions.goes_on)
    batch_routes(app, config.frontends, checked.plans, exchange, clock, settings.threads)
    websocket_routes(app, config.relays, config.frontends, engine)
    carrier = exchange if isinstance(exchange, Carrier) else NoCarrier()
    relay_routes(app, config.relays, config.frontends, engine, carrier, streams)
    port = _port(settings.management_bind)
    app.wsgi_app = Management(  # type: ignore[method-assign]
        app.wsgi_app, port, checks, notes, {"/upstreams": guards.seen}, CacheAdmin(cache)
    )
    return app


def _cache(checked: Checked, settings: Settings) -> Cache | None:
    """The cache, where anything is kept; it is opened by its first use."""
    keeping = [plan.keeping for each in checked.plans.values() for plan in each.values()]
    if not any(each.view or each.calls for each in keeping):
        return None
    return open_cache(checked.config.cache, settings.cache_folder)


def _sign_in(
    config: Config,
    state: Path,
    now: Callable[[], float],
    audit: AuditListener,
    cache: Cache | None,
    *,
    development: bool,
) -> SignIn:
    """Everything about sessions: where they are, what seals them, who vouches for people."""
    rules = config.session
    takers = [each for each in config.frontends.values() if "session" in each.access]
    known = any(each.access for each in config.frontends.values())
    writes = known and any(view.method != "GET" for view in config.views)
    # all processes must open what any of them has sealed: sessions, and answers to keys
    own = rules.secrets or (kept_secret(state) if takers or writes else token_urlsafe(),)
    seal = Seal(own)
    store = open_store(rules.store, state / "sessions.db", now)
    sessions = Sessions(store, seal, rules, now)
    if cache:  # what was kept for a session is dropped with it
        sessions.ended = lambda key: cache.invalidate([session_of(key)])
    return SignIn(
        providers={
            name: OpenIdProvider(each, Http(each.tls), now, development=development)
            for name, each in config.providers.items()
        },
        sessions=sessions,
        cookies=Cookies(rules, seal, now),
        seal=seal,
        limits=Limits(store, config.limits, now),
        audit=audit,
        return_to=rules.return_to,
        origins=frozenset(origin for each in takers for origin in each.origins),
    )


def _bearer(config: Config, now: Callable[[], float], *, development: bool) -> Bearer | None:
    issuers = config.issuers.values()
    return Bearer(issuers, Http, now, development=development) if issuers else None


def _port(bind: str | None) -> int | None:
    return int(bind.rpartition(":")[2]) if bind else None
