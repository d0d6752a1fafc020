"""The whole product on one screen: what is declared, wired to what runs it."""

from collections.abc import Callable
from random import random

from flask import Flask, Request

from bff.declare import snapshot
from bff.declare.check import Checked
from bff.declare.settings import Settings
from bff.errors import ConfigError, Problem
from bff.model.exchange import Headers
from bff.model.principal import NOBODY, Principal
from bff.model.source import Place
from bff.observe.events import Listener, Watcher
from bff.observe.log import log_answers, log_changes
from bff.upstream.effects import PoolEffects
from bff.upstream.exchange import Clock, Credentials, Effects, Exchange, SystemClock
from bff.upstream.guard import Guards
from bff.upstream.pool import PoolExchange
from bff.web import drain
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
    places = max(1, settings.pool // 2)  # so that one slow service cannot have all threads
    guards = Guards(config.services, places, clock, dice, watcher)
    engine = Engine(
        exchange=exchange,
        effects=effects or PoolEffects({Credentials: _no_credentials}, settings.pool),
        clock=clock,
        guards=guards,
        authenticate=authenticate or _nobody,
        services=config.services,
        listener=listener,
        timing=timing,
    )
    checks = {"upstream": exchange.unready, "stopping": drain.begun}
    notes = {"configuration": snapshot.refused}

    app = Flask(__name__, static_folder=None)
    app.url_map.merge_slashes = False
    guard(app, config.hosts)
    handle_errors(app)
    health_routes(app, checks)
    view_routes(app, checked.plans, config.frontends, engine)
    port = _port(settings.management_bind)
    app.wsgi_app = Management(  # type: ignore[method-assign]
        app.wsgi_app, port, checks, notes, {"/upstreams": guards.seen}
    )
    return app


def _nobody(_request: Request) -> Principal:
    return NOBODY


def _no_credentials(_effect: Credentials) -> Headers:
    return ()


def _port(bind: str | None) -> int | None:
    return int(bind.rpartition(":")[2]) if bind else None
