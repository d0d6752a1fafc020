"""The larger parts of the app, each opened from what is declared of it."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from secrets import token_urlsafe
from time import time
from typing import TYPE_CHECKING, Final

from bff.auth.oidc.bearer import Bearer
from bff.auth.oidc.http import Http
from bff.auth.oidc.login_state import LoginStates
from bff.auth.oidc.provider import OpenIdProvider
from bff.auth.renewal import RenewalCoordinator, RunInBackground
from bff.auth.session.credentials_provider import CredentialsProvider
from bff.auth.session.refresh import Refresher
from bff.auth.session.secret import load_or_create_secret
from bff.auth.session.service_tokens import ServiceTokens
from bff.auth.session.sessions import Sessions
from bff.cache.cache import Cache, RemoteLookup, RemoteWrite
from bff.cache.key import session_of
from bff.cache.open import open_cache
from bff.declare.check import CheckedConfig
from bff.declare.settings import Settings
from bff.errors import ConfigError, StoreAway
from bff.model.config import Config
from bff.model.problem import Problem
from bff.model.relay import called_by
from bff.model.source import Place
from bff.observe.boundary import ErrorBoundary
from bff.observe.events import Observer
from bff.store.open import open_store, remember_store
from bff.store.seal import Seal
from bff.upstream.effects import Performer, PoolEffects
from bff.upstream.exchange import Credentials, Effects
from bff.web.access.cookies import Cookies
from bff.web.access.endpoint import SignIn
from bff.web.access.limits import RateLimits

if TYPE_CHECKING:
    from bff.observe.metrics import Metrics
    from bff.observe.spans import Spans


_SESSIONS: Final = "sessions.db"


def open_cache_of(checked: CheckedConfig, settings: Settings) -> Cache | None:
    """The cache, where anything is kept; it is opened by its first use."""
    keeping = [plan.caching for each in checked.plans.values() for plan in each.values()]
    if not any(each.view or each.calls for each in keeping):
        return None
    return open_cache(checked.config.cache, settings.cache_folder)


def open_sign_in(
    config: Config,
    state: Path,
    now: Callable[[], float],
    observer: Observer,
    cache: Cache | None,
    later: RunInBackground,
    *,
    development: bool,
) -> SignIn:
    """Everything about sessions: where they are, what seals them, who vouches for people.

    Args:
        later: runs what no request waits for.
    """
    rules = config.session
    takers = [each for each in config.frontends.values() if "session" in each.access]
    seals = _sealing(config)
    seal = Seal(rules.secrets or (load_or_create_secret(state) if seals else token_urlsafe(),))
    store = open_store(rules.store, state / _SESSIONS, now)
    sessions = Sessions(store, seal, rules, now)
    if cache:  # what was kept for a session is dropped with it
        sessions.on_end = lambda key: cache.invalidate([session_of(key)])
    return SignIn(
        providers={
            name: OpenIdProvider(each, Http(each.tls), now, later, development=development)
            for name, each in config.providers.items()
        },
        sessions=sessions,
        cookies=Cookies(rules, seal, now),
        logins=LoginStates(store, seal, now),
        seal=seal,
        limits=RateLimits(store, config.limits, now),
        observer=observer,
        return_to=rules.return_to,
        origins=frozenset(origin for each in takers for origin in each.origins),
    )


def _sealing(config: Config) -> bool:
    """Whether all processes must open what any of them has sealed.

    That is sessions, answers to keys, and cursors.
    """
    takes_sessions = any("session" in each.access for each in config.frontends.values())
    known = any(each.access for each in config.frontends.values())
    writes = known and any(view.method != "GET" for view in config.views)
    turned = any(call.pages and call.pages.param for view in config.views for call in view.calls)
    return takes_sessions or writes or turned


def remember_state(config: Config, state: Path) -> None:
    """Have the secret and the store of sessions known to all processes that are forked.

    One that starts when they were deleted would make others, and know nobody. What cannot be made
    here is told where it is needed.

    Args:
        state: the folder of both, where none is declared.
    """
    if not _sealing(config):
        return
    with suppress(ConfigError, StoreAway):
        if not config.session.secrets:
            load_or_create_secret(state)
        remember_store(config.session.store, state / _SESSIONS, time)


def open_bearer(
    config: Config, now: Callable[[], float], later: RunInBackground, *, development: bool
) -> Bearer | None:
    """What checks access tokens; None where no issuer is declared."""
    issuers = config.issuers.values()
    return Bearer(issuers, Http, now, later, development=development) if issuers else None


def open_metrics(checked: CheckedConfig) -> "Metrics":
    """The metrics, and in which processes they are.

    prometheus_client looks when it is imported whether processes share their figures, and
    gunicorn's master says so only when it starts.
    """
    from bff.observe.metrics import Metrics

    return Metrics(
        {
            (frontend, view, name): node.compiled.service.name
            for view, plans in checked.plans.items()
            for frontend, plan in plans.items()
            for name, node in plan.nodes.items()
        }
    )


def open_spans(settings: Settings) -> "Spans | None":
    """What exports spans; None where nobody asks for any.

    Raises:
        ConfigError: they are asked for, and OpenTelemetry is not installed.
    """
    if not settings.traces:
        return None
    try:
        from bff.observe.spans import Spans
    except ImportError:
        message = "traces are asked for by OTEL_..., and OpenTelemetry is not installed"
        hint = "pip install 'bff-proxy[otel]'"
        raise ConfigError([Problem("setting", Place("environment"), message, hint)]) from None
    return Spans()


def open_effects(
    config: Config,
    parts: SignIn,
    cache: Cache | None,
    threads: int,
    later: RunInBackground,
    boundary: ErrorBoundary,
) -> Effects:
    """The threads on which tokens are got, and what is kept is read and written.

    Args:
        threads: how many at most.
        later: runs what no request waits for.
        boundary: hears of what is raised unforeseen.
    """
    sessions, providers = parts.sessions, parts.providers
    renewals = RenewalCoordinator(sessions.store, sessions.now, later)
    refresher = Refresher(sessions, providers, parts.observer, renewals)
    made = ServiceTokens(providers, sessions, parts.seal, refresher, renewals)
    bearing = [called_by(each, config.services) for each in config.relays]
    services = {**config.services, **{each.name: each for each in bearing}}
    tokens = CredentialsProvider(services, refresher, made)
    performers: dict[type, Performer] = {Credentials: tokens.perform}
    performers |= {RemoteLookup: cache.get_shared, RemoteWrite: cache.put_shared} if cache else {}
    return PoolEffects(performers, threads, boundary)
