"""What runs in the processes that `bff demo` and `bff dev` start: the app, and the local provider.

`python -m bff.cli.local_app app` and `... provider`; both are told how by BFF_LOCAL.
"""

import atexit
import os
import signal
import sys
import threading
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import orjson

from bff.errors import ConfigError
from bff.model.problem import Problem

if TYPE_CHECKING:
    from flask import Flask

    from bff.declare.check import Checked
    from bff.declare.settings import Settings
    from bff.dev.recordings.replay import ReplayExchange
    from bff.dev.recordings.replay_cursor import RecordingFolder

VARIABLE: Final = "BFF_LOCAL"
_LOOPBACK: Final = ("127.0.0.1", "localhost")
_OFTEN: Final = "1000/minute"  # somebody who tries signing in again and again is a developer


@dataclass(frozen=True, slots=True)
class Local:
    """What the processes of an app on this machine know of each other.

    Args:
        port: the app's.
        providers: the ports of the local providers, by the name of the provider they stand in for.
        clients: the declared `client_id`, by that name.
        secret: the secret of each client.
        always: the account that everybody is signed in as without a form; empty for none.
        token_seconds: how long an access token is good for.
        stub: the address of the stubs' control API; empty where services are as declared.
        shop: whether it is the shop that is served, and the page may show its home.
        replay: the folder of recordings that answer for the services; empty for the services.
        latency: of what is replayed.
        faults: what services that are replayed do instead, by name.
        record: what is to be recorded, as `recording_session.Wanted` has it; empty for nothing.
        reload: whether a change of a file is served at once.
        declared: whether people sign in at the providers that are declared.
    """

    port: int
    providers: Mapping[str, int]
    clients: Mapping[str, str]
    secret: str
    always: str = ""
    token_seconds: float = 300.0
    stub: str = ""
    shop: bool = False
    replay: str = ""
    latency: str = "recorded"
    faults: Mapping[str, Any] = field(default_factory=dict)
    record: Mapping[str, str] = field(default_factory=dict)
    reload: bool = False
    declared: bool = False

    @classmethod
    def from_env(cls) -> Self:
        """As the parent process has put it."""
        return cls(**orjson.loads(os.environ[VARIABLE]))

    def environ(self) -> Mapping[str, str]:
        """For a child process: the environment, where other people's processes cannot look."""
        return {**os.environ, VARIABLE: orjson.dumps(asdict(self)).decode()}


def app() -> Any:
    """The app: whoever is declared as provider is local, answers carry Server-Timing."""
    from bff.declare import snapshot
    from bff.declare.check import check
    from bff.declare.settings import Settings
    from bff.dev.reload import ReloadingApp
    from bff.dev.terminal_log import log_for_terminal

    log_for_terminal()
    local, settings = Local.from_env(), Settings.from_env()
    if local.record or not local.reload:
        return _built(local, settings, snapshot.current(settings.config))
    sys.dont_write_bytecode = True  # two edits within a second would be one to it
    recordings = _recording_folder(local) if local.replay else None
    return ReloadingApp(
        lambda: _built(local, settings, check(settings.config), recordings), settings.config
    )


def _built(
    local: Local,
    settings: "Settings",
    declared: "Checked",
    recordings: "RecordingFolder | None" = None,
) -> "Flask":
    from bff.app import create_app
    from bff.dev.page.routes import page_routes

    checked, replay = with_local_providers(declared, local), None
    if local.record:
        made = _recorded(local, checked, settings)
    elif recordings:
        made, replay = _replayed(local, checked, settings, recordings)
    else:
        made = create_app(checked, settings, timing=True, development=True)
    page_routes(made, checked, local.stub or None, shop=local.shop, replay=replay)
    return made


def _recording_folder(local: Local) -> "RecordingFolder":
    """The recordings; what of them nobody has asked for is listed when the process ends."""
    from bff.dev.recordings.replay_cursor import RecordingFolder, unused_report

    recordings = RecordingFolder(Path(local.replay))
    atexit.register(
        lambda: sys.stderr.write("".join(f"{x}\n" for x in unused_report(recordings.cursors)))
    )
    return recordings


def _replayed(
    local: Local, checked: "Checked", settings: "Settings", recordings: "RecordingFolder"
) -> "tuple[Flask, ReplayExchange]":
    """The app on recordings, which need no port and no server."""
    from bff.app import create_app
    from bff.dev.recordings.answerer import read_latency
    from bff.dev.recordings.faulty import FAULTS, FaultyExchange
    from bff.dev.recordings.replay import ReplayExchange
    from bff.dev.recordings.unmatched import refuse_unmatched

    services = checked.config.services
    replay = ReplayExchange(recordings.reload(services), services, read_latency(local.latency))
    results = {name: FAULTS[fault] for name, fault in local.faults.items()}
    faulty = FaultyExchange(replay, results)
    made = create_app(checked, settings, exchange=faulty, timing=True, development=True)
    refuse_unmatched(made, replay)
    return made, replay


def _recorded(local: Local, checked: "Checked", settings: "Settings") -> "Flask":
    """The app, with all that it asks of services written down."""
    from bff.app import create_app
    from bff.cli.progress import bar
    from bff.dev.recordings.recording_session import RecordingOptions, RecordingSession
    from bff.dev.recordings.unmatched import refuse_unmatched

    session = RecordingSession(RecordingOptions(**local.record), checked.config, settings.pool)  # type: ignore[arg-type]
    made = create_app(
        checked,
        settings,
        exchange=session.exchange,
        timing=True,
        development=True,
        hits=session.recorder.hit,
    )
    refuse_unmatched(made, session.replay)
    session.begin(bar)
    return made


def with_local_providers(checked: "Checked", local: Local) -> "Checked":
    """The same configuration, with nobody but local providers to say who people are.

    Their sessions are in BFF_STATE, sealed by a secret of that folder's own.
    """
    config = checked.config
    if local.declared:
        session = replace(config.session, secrets=(), store="")
        own = replace(config, hosts=(*config.hosts, *_LOOPBACK), session=session)
        return replace(checked, config=own)
    unknown = [each for name, each in config.providers.items() if name not in local.providers]
    if unknown:
        message = "a provider that was not there when this was started"
        raise ConfigError(
            [Problem("key-conflict", unknown[0].place, message, "start `bff dev` again")]
        )
    providers = {
        name: replace(
            each,
            issuer=_issuer(local.providers[name]),
            client_secret=local.secret,
            private_key="",
            auth="client_secret_basic",
            algorithms=("RS256",),
            tls=None,
        )
        for name, each in config.providers.items()
    }
    stand_in = {each.issuer: providers[name].issuer for name, each in config.providers.items()}
    issuers = {
        name: replace(each, issuer=stand_in[each.issuer], jwks="", algorithms=("RS256",), tls=None)
        for name, each in config.issuers.items()
        if each.issuer in stand_in  # of no other has anybody a token here
    }
    changed = replace(
        config,
        hosts=(*config.hosts, *_LOOPBACK),
        providers=providers,
        issuers=issuers,
        session=replace(config.session, secrets=(), store=""),
        limits=replace(config.limits, sign_in=_OFTEN),
    )
    return replace(checked, config=changed)


def provider() -> None:
    """Stand in for every declared provider, until SIGTERM."""
    from bff.dev.provider.app import LocalProvider
    from bff.dev.provider.values import RegisteredClient

    local, stopped = Local.from_env(), threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    origins = [f"http://{host}:{local.port}" for host in _LOOPBACK]
    with ExitStack() as stack:
        for name, port in local.providers.items():
            client = RegisteredClient(
                local.clients[name],
                local.secret,
                redirect_uris=tuple(f"{origin}/auth/callback" for origin in origins),
                logout_uris=tuple(f"{origin}/auth/logged-out" for origin in origins),
                backchannel_uri=f"{origins[0]}/auth/backchannel-logout",
            )
            made = LocalProvider(
                [client], port=port, always=local.always, token_seconds=local.token_seconds
            )
            stack.enter_context(made)
        stopped.wait()


def _issuer(port: int) -> str:
    return f"http://127.0.0.1:{port}"


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.argv[1] == "provider":
        provider()
    else:
        from bff.server.application import serve

        serve(app)
