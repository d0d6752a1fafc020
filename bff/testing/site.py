"""The real app with its clock, services, store and sessions controlled by a test."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import random
from time import monotonic, time
from typing import Any, Final

from flask import Flask

from bff.app import create_app
from bff.cache.cache import Cache
from bff.declare.check import CheckedConfig
from bff.declare.settings import Settings
from bff.dev.recordings.replay import ReplayExchange
from bff.dev.recordings.unmatched import refuse_unmatched
from bff.dev.recordings.virtual import InlineEffects
from bff.model.config import Config
from bff.model.exchange import Headers
from bff.model.principal import Principal
from bff.testing.browser import Browsers
from bff.testing.client import Client
from bff.upstream.exchange import Clock, Credentials, Exchange, Mailbox, SystemClock

_BROWSERS: Final = "bff.testing.browsers"
_SECRET: Final = "a public secret for tests"  # noqa: S105 - seals test data only


class AdjustableClock:
    """The clock of an app: real time, which a test can advance."""

    def __init__(self) -> None:
        self._ahead = 0.0
        self._system = SystemClock()

    def advance(self, seconds: float) -> None:
        """Advance the clock: sessions, cached replies and circuit breakers age."""
        self._ahead += seconds

    def now(self) -> float:
        """Monotonic seconds, for deadlines and circuit breakers."""
        return monotonic() + self._ahead

    def epoch(self) -> float:
        """Seconds since 1970, for sessions and cached replies."""
        return time() + self._ahead

    def mailbox(self) -> Mailbox:
        """A mailbox that waits in real time."""
        return self._system.mailbox()


class StubEnviron(dict[str, str]):
    """An environment in which each service has an address, which is never resolved."""

    def get(self, name: str, default: Any = None) -> Any:
        """The value of a variable; for a name that ends with _URL, an address."""
        if name in self or not name.endswith("_URL"):
            return super().get(name, default)
        return f"http://{name.removesuffix('_URL').lower().replace('_', '-')}.test"


def app_on(
    checked: CheckedConfig,
    exchange: Exchange,
    replay: ReplayExchange,
    state: Path,
    *,
    clock: Clock,
    epoch: Callable[[], float] = time,
    dice: Callable[[], float] = random,
) -> Flask:
    """The app of a configuration on an exchange.

    Args:
        replay: reports the unmatched requests.
        state: the folder of the app's store.
        epoch: seconds since 1970.
        dice: a random number from 0 to 1, for jitter.
    """
    config = _alone(checked.config)
    browsers = Browsers(config, state, epoch)
    checked = replace(checked, config=config)
    app = create_app(
        checked,
        Settings(Path("unused"), management_bind=None, state=state, pool=16),
        exchange=exchange,
        effects=InlineEffects(_credentials),
        clock=clock,
        dice=dice,
        cache=Cache(checked.config.cache.memory, None, epoch, dice),
        now=epoch,
        authenticate=browsers.authenticate,
        observers=(),
        strict=True,
    )
    app.test_client_class = Client
    app.testing = True
    app.extensions[_BROWSERS] = browsers
    refuse_unmatched(app, replay)
    return app


def client_of(app: Flask, config: Config, principal: Principal) -> Client:
    """A signed-in client that sends requests to the first declared host."""
    client = app.test_client()
    if not isinstance(client, Client):
        raise TypeError("the app was not created by app_on()")
    client.base = f"http://{config.hosts[0]}"
    return client.signed_in(principal)


def browser_of(app: Flask, config: Config, subject: str, claims: dict[str, Any]) -> Client:
    """A client with a session cookie that sends requests to the first declared host over TLS."""
    client = app.test_client()
    if not isinstance(client, Client):
        raise TypeError("the app was not created by app_on()")
    host = config.hosts[0]
    client.base = f"https://{host}"
    browsers: Browsers = app.extensions[_BROWSERS]
    name, value = browsers.cookie(client.base, subject, claims)
    client.set_cookie(name, value, domain=host, secure=True, httponly=True)
    return client


def _alone(config: Config) -> Config:
    """The same configuration with a session store of its own."""
    session = replace(config.session, store="", secrets=(_SECRET,))
    return replace(config, session=session)


def _credentials(effect: Any) -> Headers:
    """A token that names the user, which no service accepts."""
    if not isinstance(effect, Credentials):
        raise TypeError(f"unexpected effect {type(effect).__name__}")
    return (("authorization", f"Bearer token-of-{effect.principal.subject or 'the-app'}"),)
