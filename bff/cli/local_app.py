"""The processes that `bff demo` and `bff dev` start: the app, and the local provider.

`python -m bff.cli.local_app app` and `... provider`; BFF_LOCAL has their arguments as JSON.
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

    from bff.declare.check import CheckedConfig
    from bff.declare.settings import Settings
    from bff.dev.recordings.replay import ReplayExchange
    from bff.dev.recordings.replay_cursor import RecordingFolder

VARIABLE: Final = "BFF_LOCAL"
_LOOPBACK: Final = ("127.0.0.1", "localhost")
_SIGN_IN_RATE: Final = "1000/minute"  # developers sign in repeatedly


@dataclass(frozen=True, slots=True)
class LocalSetup:
    """The arguments of the processes of a local app.

    Args:
        port: the port of the app.
        providers: the ports of the local providers, by the name of the provider that they replace.
        clients: the declared `client_id`, by that name.
        secret: the client secret of all clients.
        always: the account that every sign-in gets, without a form; empty to show the form.
        token_seconds: lifetime of access tokens.
        stub: the URL of the control API of stubs; empty for no stubs.
        shop: whether the demo page may show the home of the shop.
        replay: the folder of recordings that are replayed without network; empty for none.
        latency: latency of replayed replies.
        faults: faults of replayed services, by name.
        record: arguments of the recording; empty for none.
        reload: whether changes of files are served at once.
        declared: use the declared providers in place of local ones.
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
        """Read the arguments that the parent process has set."""
        return cls(**orjson.loads(os.environ[VARIABLE]))

    def environ(self) -> Mapping[str, str]:
        """The environment of a child process; other users cannot read it, unlike a command line."""
        return {**os.environ, VARIABLE: orjson.dumps(asdict(self)).decode()}


def app() -> Any:
    """Make the app: with local providers, and Server-Timing in answers."""
    from bff.declare import snapshot
    from bff.declare.check import check
    from bff.declare.settings import Settings
    from bff.dev.reload import ReloadingApp
    from bff.dev.terminal_log import log_for_terminal

    log_for_terminal()
    local, settings = LocalSetup.from_env(), Settings.from_env()
    if local.record or not local.reload:
        return _make_app(local, settings, snapshot.current(settings.config))
    sys.dont_write_bytecode = True  # its timestamps in seconds miss a second edit
    recordings = _recording_folder(local) if local.replay else None
    return ReloadingApp(
        lambda: _make_app(local, settings, check(settings.config), recordings), settings.config
    )


def _make_app(
    local: LocalSetup,
    settings: "Settings",
    declared: "CheckedConfig",
    recordings: "RecordingFolder | None" = None,
) -> "Flask":
    from bff.app import create_app
    from bff.dev.page.routes import page_routes

    checked, replay = with_local_providers(declared, local), None
    if local.record:
        made = _with_recorder(local, checked, settings)
    elif recordings:
        made, replay = _with_replay(local, checked, settings, recordings)
    else:
        made = create_app(checked, settings, timing=True, development=True)
    page_routes(made, checked, local.stub or None, shop=local.shop, replay=replay)
    return made


def _recording_folder(local: LocalSetup) -> "RecordingFolder":
    """The recordings; unused entries are listed when the process ends."""
    from bff.dev.recordings.replay_cursor import RecordingFolder, unused_report

    recordings = RecordingFolder(Path(local.replay))
    atexit.register(
        lambda: sys.stderr.write("".join(f"{x}\n" for x in unused_report(recordings.cursors)))
    )
    return recordings


def _with_replay(
    local: LocalSetup, checked: "CheckedConfig", settings: "Settings", recordings: "RecordingFolder"
) -> "tuple[Flask, ReplayExchange]":
    """Make the app with replayed recordings in place of the services."""
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


def _with_recorder(local: LocalSetup, checked: "CheckedConfig", settings: "Settings") -> "Flask":
    """Make the app with a recorder of the requests to services."""
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


def with_local_providers(checked: "CheckedConfig", local: LocalSetup) -> "CheckedConfig":
    """The same configuration, with local providers in place of the declared ones.

    Sessions are in BFF_STATE, encrypted with a secret of that folder.

    Raises:
        ConfigError: it declares a provider that has no local one.
    """
    config = checked.config
    if local.declared:
        session = replace(config.session, secrets=(), store="")
        own = replace(config, hosts=(*config.hosts, *_LOOPBACK), session=session)
        return replace(checked, config=own)
    unknown = [
        declared for name, declared in config.providers.items() if name not in local.providers
    ]
    if unknown:
        message = "this provider was added after the start"
        raise ConfigError([Problem("key-conflict", unknown[0].place, message, "restart `bff dev`")])
    providers = {
        name: replace(
            declared,
            issuer=_issuer(local.providers[name]),
            client_secret=local.secret,
            private_key="",
            auth="client_secret_basic",
            algorithms=("RS256",),
            tls=None,
        )
        for name, declared in config.providers.items()
    }
    local_issuers = {
        declared.issuer: providers[name].issuer for name, declared in config.providers.items()
    }
    issuers = {
        name: replace(
            issuer, issuer=local_issuers[issuer.issuer], jwks="", algorithms=("RS256",), tls=None
        )
        for name, issuer in config.issuers.items()
        if issuer.issuer in local_issuers  # no other issuer has tokens here
    }
    changed = replace(
        config,
        hosts=(*config.hosts, *_LOOPBACK),
        providers=providers,
        issuers=issuers,
        session=replace(config.session, secrets=(), store=""),
        limits=replace(config.limits, sign_in=_SIGN_IN_RATE),
    )
    return replace(checked, config=changed)


def provider() -> None:
    """Run a local provider for every declared one, until SIGTERM."""
    from bff.dev.provider.app import LocalProvider
    from bff.dev.provider.values import RegisteredClient

    local, stopped = LocalSetup.from_env(), threading.Event()
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
