"""Factories of the larger parts of the app, from the configuration and the settings."""

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
from bff.web.access.endpoint import AuthContext
from bff.web.access.rate_limits import RateLimits

if TYPE_CHECKING:
    from bff.observe.metrics import Metrics
    from bff.observe.spans import Spans


_SESSIONS: Final = "sessions.db"


def open_cache_of(checked: CheckedConfig, settings: Settings) -> Cache | None:
    """The cache, opened on first use; None if no view or call is cached."""
    found = [plan.caching for plans in checked.plans.values() for plan in plans.values()]
    if not any(caching.view or caching.calls for caching in found):
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
) -> AuthContext:
    """What sign-in needs: the session store, its encryption, cookies, and the identity providers.

    Args:
        state: the folder of the default session store and of the generated secret.
        now: seconds since 1970.
        cache: entries of a session are removed from it when the session ends.
        later: runs background work, such as a refresh of a provider's keys.
        development: whether users may sign in at the local provider.
    """
    rules = config.session
    with_session = [
        frontend for frontend in config.frontends.values() if "session" in frontend.access
    ]
    shared = _needs_shared_secret(config)
    seal = Seal(rules.secrets or (load_or_create_secret(state) if shared else token_urlsafe(),))
    store = open_store(rules.store, state / _SESSIONS, now)
    sessions = Sessions(store, seal, rules, now)
    if cache:
        sessions.on_end = lambda key: cache.invalidate([session_of(key)])
    return AuthContext(
        providers={
            name: OpenIdProvider(provider, Http(provider.tls), now, later, development=development)
            for name, provider in config.providers.items()
        },
        sessions=sessions,
        cookies=Cookies(rules, seal, now),
        logins=LoginStates(store, seal, now),
        seal=seal,
        limits=RateLimits(store, config.limits, now),
        observer=observer,
        return_to=rules.return_to,
        origins=frozenset(origin for frontend in with_session for origin in frontend.origins),
    )


def _needs_shared_secret(config: Config) -> bool:
    """Whether each process must be able to open what another has sealed.

    That is the case for sessions, responses stored by idempotency key, and pagination cursors.
    """
    takes_sessions = any("session" in frontend.access for frontend in config.frontends.values())
    authenticates = any(frontend.access for frontend in config.frontends.values())
    writes = authenticates and any(view.method != "GET" for view in config.views)
    pages = any(call.pages and call.pages.param for view in config.views for call in view.calls)
    return takes_sessions or writes or pages


def remember_state(config: Config, state: Path) -> None:
    """Create the secret and the session store before processes are forked, which then share them.

    Otherwise a process that is started after the files were deleted would create new ones, and no
    session of the others would be valid in it. An error is ignored here, and raised on first use.

    Args:
        state: the folder of both, unless they are declared.
    """
    if not _needs_shared_secret(config):
        return
    with suppress(ConfigError, StoreAway):
        if not config.session.secrets:
            load_or_create_secret(state)
        remember_store(config.session.store, state / _SESSIONS, time)


def open_bearer(
    config: Config, now: Callable[[], float], later: RunInBackground, *, development: bool
) -> Bearer | None:
    """The validator of bearer tokens; None if no issuer is declared."""
    issuers = config.issuers.values()
    return Bearer(issuers, Http, now, later, development=development) if issuers else None


def open_metrics(checked: CheckedConfig) -> "Metrics":
    """The metrics; the service of each call is a label.

    It is imported here, as prometheus_client decides on import whether it aggregates the metrics of
    several processes, and gunicorn's master sets that up only when it starts.
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
    """The exporter of spans; None if the settings enable no traces.

    Raises:
        ConfigError: traces are enabled, and OpenTelemetry is not installed.
    """
    if not settings.traces:
        return None
    try:
        from bff.observe.spans import Spans
    except ImportError:
        message = "OTEL_... enables traces, but OpenTelemetry is not installed"
        hint = "pip install 'bff-proxy[otel]'"
        raise ConfigError([Problem("setting", Place("environment"), message, hint)]) from None
    return Spans()


def open_effects(
    config: Config,
    sign_in: AuthContext,
    cache: Cache | None,
    threads: int,
    later: RunInBackground,
    boundary: ErrorBoundary,
) -> Effects:
    """The effects: obtaining credentials, and access to the shared cache, on a thread pool.

    Args:
        threads: the maximum of threads.
        later: runs background work, such as an early refresh of a token.
        boundary: reports unexpected exceptions.
    """
    sessions, providers = sign_in.sessions, sign_in.providers
    renewals = RenewalCoordinator(sessions.store, sessions.now, later)
    refresher = Refresher(sessions, providers, sign_in.observer, renewals)
    service_tokens = ServiceTokens(providers, sessions, sign_in.seal, refresher, renewals)
    relayed = [called_by(relay, config.services) for relay in config.relays]
    services = {**config.services, **{service.name: service for service in relayed}}
    tokens = CredentialsProvider(services, refresher, service_tokens)
    performers: dict[type, Performer] = {Credentials: tokens.perform}
    performers |= {RemoteLookup: cache.get_shared, RemoteWrite: cache.put_shared} if cache else {}
    return PoolEffects(performers, threads, boundary)
