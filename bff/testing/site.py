"""The real app, with everything around it in the hands of a test."""

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
_SECRET: Final = "the secret of tests, which is none"  # noqa: S105 - it seals nothing of anybody


class Time:
    """The time of an app: it passes as ever, and a test can put it forward."""

    def __init__(self) -> None:
        self._ahead = 0.0
        self._system = SystemClock()

    def advance(self, seconds: float) -> None:
        """Put it forward: sessions, kept replies and breakers grow older."""
        self._ahead += seconds

    def now(self) -> float:
        """Seconds on the clock by which deadlines and breakers go."""
        return monotonic() + self._ahead

    def epoch(self) -> float:
        """Seconds since 1970, by which sessions and kept replies go."""
        return time() + self._ahead

    def mailbox(self) -> Mailbox:
        """A mailbox; whoever waits in it really waits."""
        return self._system.mailbox()


class Environ(dict[str, str]):
    """An environment in which each service has an address, which nobody ever asks."""

    def get(self, name: str, default: Any = None) -> Any:
        """The value of a variable; an address for one that ends with _URL."""
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
    """The app of a configuration, asking an exchange.

    Args:
        replay: what of it says which requests nothing answered.
        state: a folder for what an app keeps.
        epoch: seconds since 1970.
        dice: what spreads retries and lifetimes, from 0 to 1.
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
    """A client that is signed in, and asks the first host that is declared."""
    client = app.test_client()
    if not isinstance(client, Client):
        raise TypeError("the app was not made by app_on()")
    client.base = f"http://{config.hosts[0]}"
    return client.signed_in(principal)


def browser_of(app: Flask, config: Config, subject: str, claims: dict[str, Any]) -> Client:
    """A client with the cookie of a session of its own, that asks the first host over TLS."""
    client = app.test_client()
    if not isinstance(client, Client):
        raise TypeError("the app was not made by app_on()")
    host = config.hosts[0]
    client.base = f"https://{host}"
    browsers: Browsers = app.extensions[_BROWSERS]
    name, value = browsers.cookie(client.base, subject, claims)
    client.set_cookie(name, value, domain=host, secure=True, httponly=True)
    return client


def _alone(config: Config) -> Config:
    """The same configuration, with no store that other processes share."""
    session = replace(config.session, store="", secrets=(_SECRET,))
    return replace(config, session=session)


def _credentials(effect: Any) -> Headers:
    """A token that says whose it is, and that nobody takes for one."""
    if not isinstance(effect, Credentials):
        raise TypeError(f"nobody does {type(effect).__name__} here")
    return (("authorization", f"Bearer token-of-{effect.principal.subject or 'the-app'}"),)
