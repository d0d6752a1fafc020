"""Runs an app on loopback with stub services and a local provider, for `bff demo` and `bff dev`."""

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
from bff.cli.faults import FAULTS, read_faults
from bff.cli.local_app import LocalSetup
from bff.errors import ConfigError

if TYPE_CHECKING:
    from bff.declare.check import CheckedConfig
    from bff.dev.supervise import Supervisor

ACCOUNTS: Final = ("ada", "grace")
_READY_TIMEOUT: Final = 20.0  # seconds
_METADATA: Final = "/.well-known/openid-configuration"


@dataclass(frozen=True, slots=True)
class LocalOptions:
    """The options of a command that runs an app on loopback.

    Args:
        name: that of the command.
        account: the account that every sign-in gets, without a form; None to show the form.
        latency: of stub services, as `--latency` takes it; None for no stubs.
        token_seconds: lifetime of access tokens.
        shop: whether the demo page may show the home of the shop.
        faults: faults of services from recordings, as `orders=slow`.
        replay: the folder of recordings that are replayed without network; empty for none.
        replay_latency: latency of replayed replies.
        declared: use the declared providers in place of local ones.
        record: arguments of the recording; empty for none.
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
    """Add the common options to a command."""
    port = click.option(
        "--port",
        type=click.IntRange(1, 65535),
        default=8080,
        envvar="PORT",
        show_default=True,
        help="The port of the app, on loopback.",
    )
    account = click.option(
        "--as",
        "account",
        type=click.Choice(ACCOUNTS),
        help="The account that signs in, without a form.",
    )
    return port(account(command))


def run(options: LocalOptions) -> None:
    """Start all processes, print their addresses, and run until a signal ends the command."""
    from bff.dev.supervise import Supervisor, is_free

    _refuse_server_settings()
    with TemporaryDirectory(prefix="bff-") as state, Supervisor() as processes:
        if not is_free(options.port):
            text = (
                f"port {options.port} is in use; `--port {options.port + 1}` or PORT sets another"
            )
            click.echo(f"bff {options.name}: {text}", err=True)
            sys.exit(1)
        status = _run(processes, options, Path(state))
    sys.exit(status)


def _refuse_server_settings() -> None:
    """End the command with 2 if the settings of gunicorn would prevent the start of the app."""
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
    """End the command with 2 if the recordings of a folder cannot be replayed.

    Args:
        folder: the folder of the recordings.
        config: the folder of the configuration.
        latency: as `--latency` takes it.
        faults: as `--fault` takes them.
    """
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


def _run(processes: "Supervisor", options: LocalOptions, state: Path) -> int:
    stub = None
    if options.latency is not None:
        stub = _start_stub(processes, options.config, options.latency, options.faults)
        if stub is None:
            return 0 if processes.stop_requested else processes.status()
    served = checked(options.config)
    if stub:
        _require_stubs(options.name, served, stub["services"])
    local = _local(options, served, stub)
    _start(processes, options.config, local, state)
    ready = [(local.port, "/readyz"), *((port, _METADATA) for port in local.providers.values())]
    for port, path in ready:
        if not processes.wait_until_ready(port, path, _READY_TIMEOUT):
            if not processes.stop_requested:
                click.echo(f"bff {options.name}: the app did not become ready", err=True)
            return 0 if processes.stop_requested else 1
    _print_addresses(options, local)
    return processes.wait()


def _start_stub(
    processes: "Supervisor", config: Path, latency: str, faults: tuple[str, ...]
) -> Any:
    """Start stub services, and set `NAME_URL` for each of them in the environment.

    Returns:
        The JSON line of `bff stub --json`; None if they did not start.
    """
    import orjson

    arguments = ["stub", "--json", "--control-port", "0", "--latency", latency]
    arguments += ["--recordings", str(configured_recordings(config))]
    arguments += [word for fault in faults for word in ("--fault", fault)]
    child = processes.start(["-m", "bff.cli", *arguments], os.environ)
    line = child.stdout.readline() if child.stdout else b""
    stub = orjson.loads(line) if line else None
    for name, place in stub["services"].items() if stub else ():
        os.environ[f"{name.upper()}_URL"] = place["url"]
    return stub


def _require_stubs(command: str, served: "CheckedConfig", stubs: Mapping[str, Any]) -> None:
    """End the command with 2 if a service is not a stub, so that no other service is called."""
    for name, service in served.config.services.items():
        if name not in stubs or service.urls != (stubs[name]["url"],):
            click.echo(f"bff {command}: the service `{name}` is not a stub", err=True)
            hint = f'record it, and declare its address as "${{{name.upper()}_URL}}"'
            click.echo(f"    hint: {hint} in {service.place}", err=True)
            sys.exit(2)


def _local(options: LocalOptions, served: "CheckedConfig", stub: Any) -> LocalSetup:
    from bff.dev.supervise import free_port

    declared = {} if options.declared else served.config.providers
    if options.account and not declared:
        click.echo(f"bff {options.name}: --as needs a provider: `providers` is empty", err=True)
        sys.exit(2)
    return LocalSetup(
        port=options.port,
        providers={name: free_port() for name in declared},
        clients={name: provider.client_id for name, provider in declared.items()},
        secret=token_urlsafe(32),
        always=options.account or "",
        token_seconds=options.token_seconds,
        stub=stub["control"] if stub else "",
        shop=options.shop,
        replay=options.replay,
        latency=options.replay_latency,
        faults=dict(map(_fault, options.faults)) if options.replay else {},
        record=options.record,
        reload=options.name == "dev",
        declared=options.declared,
    )


def _fault(text: str) -> tuple[str, str]:
    """The service and the fault of a text that `recordings_in` has validated."""
    service, _, kind = text.partition("=")
    return service, FAULTS[kind]


def _start(processes: "Supervisor", config: Path, local: LocalSetup, state: Path) -> None:
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


def _print_addresses(options: LocalOptions, local: LocalSetup) -> None:
    what = "The shop" if options.shop else f"{options.config}"
    click.echo(f"{what} is at http://127.0.0.1:{local.port}")
    if options.shop:
        click.echo(f"  views        {options.config}/views")
    if options.account:
        click.echo(f"  sign-in      as {options.account}, without form and password")
    elif local.providers:
        click.echo(f"  sign-in      as {' or '.join(ACCOUNTS)}, without a password")
    for name, port in local.providers.items():
        click.echo(f"  {name:<12} http://127.0.0.1:{port}, a local OpenID provider")
    if local.stub:
        click.echo(f'  stubs        {local.stub}/services (PUT {{"state": "down"}} on one)')
    if local.replay:
        click.echo(f"  recordings   {local.replay}; unused entries: /demo/unused")
    click.echo("Ctrl-C ends it.")
