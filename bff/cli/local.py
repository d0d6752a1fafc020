"""What `bff demo` and `bff dev` have in common: an app on loopback, and all that it needs."""

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_urlsafe
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

import click

from bff.cli.configured import checked
from bff.cli.faults import WORDS, read_faults
from bff.cli.local_app import Local
from bff.errors import ConfigError

if TYPE_CHECKING:
    from bff.declare.check import Checked
    from bff.dev.supervise import Supervisor

ACCOUNTS: Final = ("ada", "grace")
_READY_WITHIN: Final = 20.0
_METADATA: Final = "/.well-known/openid-configuration"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody has asked for on the command line.

    Args:
        account: whom everybody is signed in as without a form; None for nobody.
        latency: of the stubs; None where services are as declared.
        token_seconds: how long an access token is good for.
        shop: whether the page may show the shop's home.
        faults: what services from recordings do instead of replying, as `orders=slow`.
        replay: the folder of recordings that answer inside the app; empty for none.
        replay_latency: how long they take to.
        declared: whether people sign in at the providers that are declared, not at a local one.
        record: what is to be recorded; empty for nothing.
    """

    name: str
    config: Path
    port: int
    account: str | None
    latency: str | None
    token_seconds: float
    shop: bool
    faults: tuple[str, ...] = ()
    replay: str = ""
    replay_latency: str = "recorded"
    declared: bool = False
    record: Mapping[str, str] = field(default_factory=dict)


def local_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that all of them have."""
    port = click.option(
        "--port",
        type=click.IntRange(1, 65535),
        default=8080,
        envvar="PORT",
        show_default=True,
        help="Where the app is served, on loopback.",
    )
    account = click.option(
        "--as", "account", type=click.Choice(ACCOUNTS), help="Sign in as this one, without a form."
    )
    return port(account(command))


def run(wanted: Wanted) -> None:
    """Start everything, say where it is, and end the command when told to."""
    from bff.dev.supervise import Supervisor, is_free

    _refuse_server_settings()
    with TemporaryDirectory(prefix="bff-") as state, Supervisor() as processes:
        if not is_free(wanted.port):
            text = f"port {wanted.port} is taken; `--port {wanted.port + 1}` or PORT takes another"
            click.echo(f"bff {wanted.name}: {text}", err=True)
            sys.exit(1)
        status = _run(processes, wanted, Path(state))
    sys.exit(status)


def _refuse_server_settings() -> None:
    """End the command with 2 where the process that serves the app would refuse to start."""
    from bff.declare.folder import gunicorn_files

    problems = list(gunicorn_files(Path.cwd()))
    if os.environ.get("GUNICORN_CMD_ARGS"):
        from bff.server.arguments import read_arguments

        try:
            read_arguments(os.environ)
        except ConfigError as error:
            problems += error.problems
    if problems:
        click.echo(str(ConfigError(problems)), err=True)
        sys.exit(2)


def configured_recordings(config: Path) -> Path:
    """The folder of a configuration's recordings; ends the command with 2 if there can be none."""
    from bff.dev.har_files import RecordingError
    from bff.dev.shop.recordings import folder_of

    try:
        return folder_of(config)
    except RecordingError as error:
        click.echo(f"bff: {error}", err=True)
        sys.exit(2)


def recordings_in(
    folder: Path, config: Path, latency: str = "recorded", faults: tuple[str, ...] = ()
) -> None:
    """End the command with 2 where the recordings of a folder cannot be replayed as wanted."""
    from bff.cli.progress import bar
    from bff.dev.har_files import RecordingError
    from bff.dev.recordings.answerer import read_latency
    from bff.dev.recordings.recording import recordings_of
    from bff.dev.recordings.replay_cursor import replay_cursors

    try:
        read_latency(latency)
        recordings_of(folder)
        services = checked(config).config.services
        read_faults(faults, replay_cursors(folder, watch=bar, services=services))
    except (RecordingError, ValueError) as error:
        click.echo(f"bff: {error}", err=True)
        sys.exit(2)


def _run(processes: "Supervisor", wanted: Wanted, state: Path) -> int:
    stub = None
    if wanted.latency is not None:
        stub = _start_stub(processes, wanted.config, wanted.latency, wanted.faults)
        if stub is None:
            return 0 if processes.stop_requested else processes.status()
    served = checked(wanted.config)
    if stub:
        _refuse_strangers(wanted.name, served, stub["services"])
    local = _local(wanted, served, stub)
    _start(processes, wanted.config, local, state)
    ready = [(local.port, "/readyz"), *((port, _METADATA) for port in local.providers.values())]
    for port, path in ready:
        if not processes.wait_until_ready(port, path, _READY_WITHIN):
            if not processes.stop_requested:
                click.echo(f"bff {wanted.name}: the app did not become ready", err=True)
            return 0 if processes.stop_requested else 1
    _greet(wanted, local)
    return processes.wait()


def _start_stub(
    processes: "Supervisor", config: Path, latency: str, faults: tuple[str, ...]
) -> Any:
    """What the stubs say of themselves; their addresses are in our environment from then on."""
    import orjson

    arguments = ["stub", "--json", "--control-port", "0", "--latency", latency]
    arguments += ["--recordings", str(configured_recordings(config))]
    arguments += [word for each in faults for word in ("--fault", each)]
    child = processes.start(["-m", "bff.cli", *arguments], os.environ)
    line = child.stdout.readline() if child.stdout else b""
    stub = orjson.loads(line) if line else None
    for name, place in stub["services"].items() if stub else ():
        os.environ[f"{name.upper()}_URL"] = place["url"]
    return stub


def _refuse_strangers(command: str, served: "Checked", stubs: Mapping[str, Any]) -> None:
    """End the command where a service is not a stub: nobody else is asked."""
    for name, service in served.config.services.items():
        if name not in stubs or service.urls != (stubs[name]["url"],):
            click.echo(f"bff {command}: the service `{name}` would not be a stub", err=True)
            hint = f'record it, and read its address as "${{{name.upper()}_URL}}"'
            click.echo(f"    hint: {hint} in {service.place}", err=True)
            sys.exit(2)


def _local(wanted: Wanted, served: "Checked", stub: Any) -> Local:
    from bff.dev.supervise import free_port

    declared = {} if wanted.declared else served.config.providers
    if wanted.account and not declared:
        click.echo(f"bff {wanted.name}: nobody can sign in: `providers` declares none", err=True)
        sys.exit(2)
    return Local(
        port=wanted.port,
        providers={name: free_port() for name in declared},
        clients={name: each.client_id for name, each in declared.items()},
        secret=token_urlsafe(32),
        always=wanted.account or "",
        token_seconds=wanted.token_seconds,
        stub=stub["control"] if stub else "",
        shop=wanted.shop,
        replay=wanted.replay,
        latency=wanted.replay_latency,
        faults=dict(map(_fault, wanted.faults)) if wanted.replay else {},
        record=wanted.record,
        reload=wanted.name == "dev",
        declared=wanted.declared,
    )


def _fault(text: str) -> tuple[str, str]:
    """The service and the fault of what `recordings_in` has read already."""
    service, _, kind = text.partition("=")
    return service, WORDS[kind]


def _start(processes: "Supervisor", config: Path, local: Local, state: Path) -> None:
    from bff.dev.supervise import free_port

    environ = {
        **local.environ(),
        "BFF_CONFIG": str(config),
        "BFF_BIND": f"127.0.0.1:{local.port}",
        "BFF_MANAGEMENT_BIND": f"127.0.0.1:{free_port()}",
        "BFF_WORKERS": "1",
        "BFF_STATE": str(state),
    }
    if local.providers:
        processes.start(["-m", "bff.cli.local_app", "provider"], environ)
    processes.start(["-m", "bff.cli.local_app", "app"], environ)


def _greet(wanted: Wanted, local: Local) -> None:
    what = "The shop" if wanted.shop else f"{wanted.config}"
    click.echo(f"{what} is at http://127.0.0.1:{local.port}")
    if wanted.shop:
        click.echo(f"  its views    {wanted.config}/views")
    if wanted.account:
        click.echo(f"  signing in   one click, as {wanted.account}: no form, no password")
    elif local.providers:
        click.echo(f"  signing in   as {' or '.join(ACCOUNTS)}, without a password")
    for name, port in local.providers.items():
        click.echo(f"  {name:<12} http://127.0.0.1:{port}, a provider on this machine")
    if local.stub:
        click.echo(f'  its stubs    {local.stub}/services (PUT {{"state": "down"}} on one)')
    if local.replay:
        click.echo(f"  recordings   {local.replay}; what nobody asked for: /demo/unused")
    click.echo("Ctrl-C ends it.")
