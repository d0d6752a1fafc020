"""Every exception has its place in the tree, and one answer from views, streams and relays."""

import pkgutil
import re
from importlib import import_module

import pytest

import bff
from bff import errors
from bff.app import create_app
from bff.declare.check import check_config
from bff.declare.config import assemble
from bff.declare.load import parse
from bff.declare.settings import Settings
from bff.dev.recordings.virtual import VirtualClock
from bff.errors import (
    Ambiguous,
    AuthError,
    BadReply,
    BadStatus,
    BffError,
    Cancelled,
    CircuitOpen,
    CrossSite,
    Forbidden,
    GrantEnded,
    InternalError,
    InvalidToken,
    LimitReached,
    LoginRequired,
    MemoryReached,
    NoCredentials,
    ProviderAway,
    ProviderMisconfigured,
    RateLimited,
    StoreAway,
    TimedOut,
    TooMany,
    Unreachable,
    UpstreamError,
)
from bff.model.principal import Principal
from tests.simulation import Played, SimulatedEffects, SimulatedExchange

ADA = Principal("https://id.example", "ada", token="hers")
CONFIG = """
version: 1
hosts: [localhost]
frontends: {web: {access: session}}
services: {s: {url: "http://s.test", credentials: session}}
"""
VIEW = 'get: /view\ncall: {get: "s:/x"}\n'
STREAM = 'get: /stream\nstream: events\ncall: {get: "s:/x"}\n'
RELAY = "relay: /relay/{path...} -> s:/x/{path...}\nmethods: [GET]\n"
OUTSIDE = ("bff.cli", "bff.dev", "bff.testing", "bff.fixtures", "bff.__main__")

# of a request to a service
OF_THE_CALL = [
    TimedOut("late"),
    Unreachable("refused", "connect"),
    BadReply("no JSON"),
    BadStatus(500, "7"),
    TooMany("calls"),
    MemoryReached("no room"),
    NoCredentials("none"),
    NoCredentials("away", 503),
    NoCredentials("refused", 401),
    CircuitOpen("open", 4.2),
    LimitReached("full"),
    InternalError("TypeError"),
    Cancelled("given up"),
    UpstreamError("other"),
]
# of obtaining its credentials
OF_CREDENTIALS = [
    GrantEnded("over"),
    LoginRequired("gone"),
    StoreAway("away"),
    ProviderAway("away"),
    ProviderMisconfigured("never"),
    NoCredentials("refused", 401),
    TimedOut("late"),
]
# of who asks
OF_THE_CLIENT = [
    LoginRequired("sign in"),
    InvalidToken("expired"),
    Forbidden("no", "orders"),
    CrossSite("no"),
    Ambiguous("two"),
    RateLimited("person", 5, 60, 41),
    StoreAway("away"),
    ProviderAway("away"),
    ProviderMisconfigured("never"),
]


def named(error):
    return f"{type(error).__name__}-{error.status}"


def descendants(kind):
    return {kind}.union(*(descendants(each) for each in kind.__subclasses__()))


def test_the_tree_has_every_exception_below_its_own_base():
    for each in pkgutil.walk_packages(bff.__path__, "bff."):
        if not each.name.startswith(OUTSIDE):
            import_module(each.name)
    drawn, path = {}, {0: "BffError"}
    for line in (errors.__doc__ or "").splitlines():
        found = re.match(r"([│ ├└─]*)(?:── )?([A-Z]\w+)(?: |$)", line)
        if found and found[1]:
            depth = len(found[1]) // 4
            path[depth] = found[2]
            drawn[found[2]] = path.get(depth - 1)
    kinds = {each for each in descendants(BffError) if not each.__module__.startswith(OUTSIDE)}
    own = {each for each in kinds if each.__module__ == "bff.errors"} - {BffError}
    assert drawn.keys() == {each.__name__ for each in kinds - {BffError}}
    assert {name: drawn[name] for name in (each.__name__ for each in own)} == {
        each.__name__: each.__base__.__name__ for each in own
    }


def test_no_exception_of_the_tree_is_left_out_below():
    tried = {type(each) for each in [*OF_THE_CALL, *OF_CREDENTIALS, *OF_THE_CLIENT]}
    raised = descendants(UpstreamError) | descendants(AuthError)
    elsewhere = {errors.SignInFailed, AuthError}  # of the callback; a base
    assert {each for each in raised if each.__module__ == "bff.errors"} - elsewhere <= tried


@pytest.fixture
def answers(tmp_path):
    """What a view, a stream and a relay answer, each of an app of its own."""

    def make(*, sent=None, effect=None, asked=None):
        config = assemble(
            parse(CONFIG, "bff.yaml", {}),
            {"view": parse(VIEW, "view.yaml", {}), "stream": parse(STREAM, "stream.yaml", {})},
            {},
            None,
            {"relay": parse(RELAY, "relay.yaml", {})},
        )
        clock = VirtualClock()

        def perform(_effect):
            if effect:
                raise effect
            return (("authorization", "Bearer hers"),)

        def who(*_):
            if asked:
                raise asked
            return ADA

        app = create_app(
            check_config(config),
            Settings(tmp_path / "unused", state=tmp_path / "state"),
            exchange=SimulatedExchange(clock, lambda _: Played(0.0, sent)),
            effects=SimulatedEffects(clock, 0.0, perform),
            clock=clock,
            authenticate=who,
            observers=(),
        )
        client = app.test_client()
        target = {"RAW_URI": "/web/relay/a"}
        replies = [client.get("/web/view"), client.get("/web/stream")]
        return [*replies, client.get("/web/relay/a", environ_overrides=target)]

    return make


def told(reply):
    """What a client goes by."""
    members = {name: reply.json.get(name) for name in ("status", "title", "reason", "errors")}
    names = ("Retry-After", "WWW-Authenticate", "Content-Type", "Cache-Control", "RateLimit")
    return {**members, **{name: reply.headers.get(name) for name in names}}


@pytest.mark.parametrize("error", OF_THE_CALL, ids=named)
def test_a_failed_call_is_answered_alike(answers, error):
    view, stream, relay = map(told, answers(sent=error))
    assert view == stream == relay
    assert (view["status"], view["reason"]) == (error.status, error.reason)
    if error.status == 503:
        assert view["Retry-After"] == {"CircuitOpen": "5", "LimitReached": "1"}.get(
            type(error).__name__, "2"
        )


@pytest.mark.parametrize("error", OF_CREDENTIALS, ids=named)
def test_credentials_that_are_not_obtained_are_answered_alike(answers, error):
    view, stream, relay = map(told, answers(effect=error))
    assert view == stream == relay
    assert view["status"] == error.status
    assert (view["Retry-After"] is not None) == (error.status == 503)
    assert (view["WWW-Authenticate"] is not None) == (error.status == 401)


@pytest.mark.parametrize("error", OF_THE_CLIENT, ids=named)
def test_a_client_that_is_not_admitted_is_answered_alike(answers, error):
    view, stream, relay = map(told, answers(asked=error))
    assert view == stream == relay
    assert view["status"] == error.status
    assert (view["Retry-After"] is not None) == (error.status in {429, 503})
