"""The whole product on one screen: what is declared, wired to what runs it."""

from collections.abc import Callable
from random import random

from flask import Flask, Request

from bff.cache.levels import Cache, Look, Write
from bff.cache.open import open_cache
from bff.declare import snapshot
from bff.declare.check import Checked
from bff.declare.settings import Settings
from bff.engine.keeper import keeper_of
from bff.errors import ConfigError, Problem
from bff.model.exchange import Headers
from bff.model.principal import NOBODY, Principal
from bff.model.source import Place
from bff.observe.events import Listener, Watcher
from bff.observe.log import log_answers, log_changes
from bff.upstream.effects import Performer, PoolEffects
from bff.upstream.exchange import Clock, Credentials, Effects, Exchange, SystemClock
from bff.upstream.guard import Guards
from bff.upstream.pool import PoolExchange
from bff.web.gate import guard
from bff.web.health import Management, health_routes
from bff.web.problem import handle_errors
from bff.web.views import Engine, view_routes


def create_app(
    checked: Checked | None = None,
    settings: Settings | None = None,
    *,
    exchange: Exchange | None = None,
    effects: Effects | None = None,
    clock: Clock | None = None,
    cache: Cache | None = None,
    dice: Callable[[], float] = random,
    authenticate: Callable[[Request], Principal] | None = None,
    listener: Listener = log_answers,
    watcher: Watcher = log_changes,
    timing: bool = False,
) -> Flask:
    """Wire everything together; starts no thread and opens no socket.

    Args:
        checked: the configuration; the last good one of `settings.config` if not given.
        settings: how the process runs; from the environment if not given.
        cache: what is kept; as declared if not given, and none where nothing is to be kept.
        dice: gives numbers from 0 up to 1.
        authenticate: says who asks; nobody is signed in if not given.
        timing: whether answers carry Server-Timing, for development.

    Raises:
        ConfigError: the configuration or the settings cannot be served.
    """
    settings = settings or Settings.from_env()
    if settings.principal and authenticate is None:
        message = "BFF_DEV_PRINCIPAL is for `bff demo`: everybody would be one person"
        raise ConfigError([Problem(Place("environment"), message, "unset it")])
    checked = checked or snapshot.current(settings.config)
    config = checked.config
    exchange = exchange or PoolExchange(config.services, settings.pool)
    clock = clock or SystemClock()
    cache = cache or _cache(checked, settings)
    if effects is None:
        performers: dict[type, Performer] = {Credentials: _no_credentials}
        performers |= {Look: cache.look, Write: cache.write} if cache else {}
        effects = PoolEffects(performers, settings.pool)
    places = max(1, settings.pool // 2)  # so that one slow service cannot have all threads
    guards = Guards(config.services, places, clock, dice, watcher)
    engine = Engine(
        exchange=exchange,
        effects=effects,
        clock=clock,
        guards=guards,
        authenticate=authenticate or _nobody,
        services=config.services,
        listener=listener,
        timing=timing,
        keeper=keeper_of(cache, exchange, effects, clock, guards) if cache else None,
    )
    checks = {"upstream": exchange.unready}
    notes = {"configuration": snapshot.refused}

    app = Flask(__name__, static_folder=None)
    app.url_map.merge_slashes = False
    guard(app, config.hosts)
    handle_errors(app)
    health_routes(app, checks)
    view_routes(app, checked.plans, config.frontends, engine)
    port = _port(settings.management_bind)
    app.wsgi_app = Management(app.wsgi_app, port, checks, notes)  # type: ignore[method-assign]
    return app


def _cache(checked: Checked, settings: Settings) -> Cache | None:
    """The cache, where anything is kept; it is opened by its first use."""
    keeping = [plan.keeping for each in checked.plans.values() for plan in each.values()]
    if not any(each.view or each.calls for each in keeping):
        return None
    return open_cache(checked.config.cache, settings.cache_folder)


def _nobody(_request: Request) -> Principal:
    return NOBODY


def _no_credentials(_effect: Credentials) -> Headers:
    return ()


def _port(bind: str | None) -> int | None:
    return int(bind.rpartition(":")[2]) if bind else None
