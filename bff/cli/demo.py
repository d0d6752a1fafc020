"""`bff demo`: the shop on this machine, with stub services, in a few seconds."""

import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bff.cli.configured import checked, config_option

if TYPE_CHECKING:
    from flask import Flask

    from bff.dev.supervise import Supervisor

_ENV_PORT = "PORT"
_READY_WITHIN = 20.0


@click.command(name="demo")
@config_option
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    default=8080,
    envvar="PORT",
    show_default=True,
    help="Where the app is served, on loopback.",
)
@click.option("--as", "principal", default="ada", show_default=True, help="Who is signed in.")
@click.option("--latency", default="recorded", show_default=True, help="See `bff stub --help`.")
def command(config: Path, port: int, principal: str, latency: str) -> None:
    """Serve a configuration on loopback, on recorded services, with everybody signed in.

    Ends on Ctrl-C and SIGTERM, and leaves no process behind.

    \b
    Examples:
      bff demo
      bff demo --port 9000 --latency 20ms-200ms
    """  # noqa: D301 - \b is click's: keep these lines as they are
    from bff.dev.supervise import Supervisor, is_free

    with Supervisor() as processes:
        if not is_free(port):
            click.echo(f"bff demo: port {port} is taken; PORT={port + 1} make demo", err=True)
            sys.exit(1)
        status = _run(processes, config, port, principal, latency)
    sys.exit(status)


def _run(processes: "Supervisor", config: Path, port: int, principal: str, latency: str) -> int:
    stub = _start_stub(processes, config, latency)
    if stub is None:
        return 0 if processes.told_to_stop else processes.status()
    environ = dict(os.environ)
    for name, place in stub["services"].items():
        os.environ[f"{name.upper()}_URL"] = environ[f"{name.upper()}_URL"] = place["url"]
    _refuse_strangers(config, stub["services"])
    _start_app(processes, config, port, principal, {**environ, "BFF_STUB": stub["control"]})
    if not processes.wait_until_ready(port, "/readyz", _READY_WITHIN):
        if not processes.told_to_stop:
            click.echo("bff demo: the app did not become ready", err=True)
        return 0 if processes.told_to_stop else 1
    click.echo(f"The shop is at http://127.0.0.1:{port}, signed in as {principal}.")
    click.echo(
        f"  its views    http://127.0.0.1:{port}/web/home  http://127.0.0.1:{port}/mobile/home"
    )
    click.echo(f'  its stubs    {stub["control"]}/services (PUT {{"state": "down"}} on one)')
    click.echo("Ctrl-C ends it.")
    return processes.wait()


def _start_stub(processes: "Supervisor", config: Path, latency: str) -> Any:
    import orjson

    recordings = str(config / "recordings")
    arguments = ["stub", "--json", "--control-port", "0", "--latency", latency]
    arguments += ["--recordings", recordings]
    child = processes.start(["-m", "bff.cli", *arguments], os.environ)
    line = child.stdout.readline() if child.stdout else b""
    return orjson.loads(line) if line else None


def _refuse_strangers(config: Path, stubs: Mapping[str, Any]) -> None:
    """End the command where a service is not a stub: the demo asks nobody else."""
    services = checked(config).config.services
    for name, service in services.items():
        if name not in stubs or service.urls != (stubs[name]["url"],):
            click.echo(f"bff demo: the service `{name}` would not be a stub", err=True)
            hint = f'record it, and read its address as "${{{name.upper()}_URL}}"'
            click.echo(f"    hint: {hint} in {service.place}", err=True)
            sys.exit(2)


def _start_app(
    processes: "Supervisor", config: Path, port: int, principal: str, environ: Mapping[str, str]
) -> None:
    from bff.dev.supervise import free_port

    own = {
        "BFF_CONFIG": str(config),
        "BFF_BIND": f"127.0.0.1:{port}",
        "BFF_MANAGEMENT_BIND": f"127.0.0.1:{free_port()}",
        "BFF_WORKERS": "1",
        "BFF_DEV_PRINCIPAL": principal,
    }
    processes.start(["-m", "bff.cli.demo", str(config / "gunicorn.conf.py")], {**environ, **own})


def app() -> "Flask":
    """The app of the demo: one fixed person, Server-Timing, and the page."""
    from bff.app import create_app
    from bff.declare import snapshot
    from bff.declare.settings import Settings
    from bff.dev.page import page_routes
    from bff.model.principal import Principal

    settings = Settings.from_env()
    person = settings.principal or "ada"
    claims = {"name": person.title(), "plan": "pro", "tenant": "acme"}
    principal = Principal("https://demo.invalid", person, "demo", "bff", claims=claims)
    checked = snapshot.current(settings.config)
    made = create_app(checked, settings, authenticate=lambda _: principal, timing=True)
    page_routes(made, checked, os.environ.get("BFF_STUB"))
    return made


if __name__ == "__main__":
    from bff.cli.gunicorn import Server

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Server(Path(sys.argv[1]), "bff.cli.demo:app()").run()
