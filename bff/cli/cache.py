"""`bff cache`: what the running processes keep: how much, what, and no longer."""

import os
import sys
from typing import Any, Final

import click

from bff.cli.console import console

_TIMEOUT: Final = 10.0
_ADDRESS: Final = click.option(
    "--management",
    metavar="HOST:PORT",
    default=lambda: os.environ.get("BFF_MANAGEMENT_BIND") or "127.0.0.1:9090",
    show_default="BFF_MANAGEMENT_BIND, or 127.0.0.1:9090",
    help="Where operators are answered.",
)
_JSON: Final = click.option("--json", "as_json", is_flag=True, help="Print JSON, for a program.")


@click.group(name="cache")
def command() -> None:
    """See and invalidate what running processes keep, through their management listener.

    One process answers: what it shows is its own; what it invalidates, all that share its store.

    \b
    Examples:
      bff cache stats
      bff cache show
      bff cache purge --tag orders:42
    """  # noqa: D301 - \b is click's: keep these lines as they are


@command.command(name="purge")
@click.option("--tag", "tags", multiple=True, help="All under this tag, as filled in.")
@click.option("--view", "views", multiple=True, help="All answers of this view.")
@click.option("--service", "services", multiple=True, help="All replies of this service.")
@click.option("--all", "everything", is_flag=True, help="Everything.")
@_ADDRESS
def purge(
    tags: tuple[str, ...],
    views: tuple[str, ...],
    services: tuple[str, ...],
    management: str,
    *,
    everything: bool,
) -> None:
    """Invalidate: what is named is loaded anew when it is next asked for.

    Ends with 1 where no process could be reached, or the shared store could not be told yet.

    \b
    Examples:
      bff cache purge --tag orders:42 --tag cart:42
      bff cache purge --view home
      bff cache purge --all
    """  # noqa: D301 - \b is click's: keep these lines as they are
    if not (tags or views or services or everything):
        click.echo("bff cache purge: say what: --tag, --view, --service or --all", err=True)
        sys.exit(2)
    body: dict[str, Any] = {"tags": [*tags], "views": [*views], "services": [*services]}
    told = _ask(management, "POST", "/cache/purge", {**body, "all": everything})
    if not told["everywhere"]:
        click.echo("invalidated in one process; the store is away and will be told", err=True)
        sys.exit(1)
    click.echo("invalidated")


@command.command(name="show")
@_ADDRESS
@_JSON
def show(management: str, *, as_json: bool) -> None:
    """List what one process has in memory, the last used first; nobody's data is shown.

    \b
    Examples:
      bff cache show
      bff cache show --json
    """  # noqa: D301 - \b is click's: keep these lines as they are
    entries = _ask(management, "GET", "/cache/entries")["entries"]
    if as_json:
        _print_json(entries)
        return
    from rich.table import Table

    table = Table("of", "is", "status", "age s", "fresh for s", "bytes", box=None)
    for each in entries:
        names = ("of", "is", "status", "age", "fresh_for", "bytes")
        table.add_row(*(str(each[name]) for name in names))
    console().print(table)


@command.command(name="stats")
@_ADDRESS
@_JSON
def stats(management: str, *, as_json: bool) -> None:
    """Say how full the cache of one process is, what it found, and how its store does.

    \b
    Examples:
      bff cache stats
      bff cache stats --json
    """  # noqa: D301 - \b is click's: keep these lines as they are
    told = _ask(management, "GET", "/cache")
    if as_json:
        _print_json(told)
        return
    for part, values in told.items():
        click.echo(f"{part}: " + ", ".join(f"{name} {value}" for name, value in values.items()))


def _print_json(told: Any) -> None:
    import orjson

    click.echo(orjson.dumps(told, option=orjson.OPT_INDENT_2).decode())


def _ask(management: str, method: str, path: str, body: Any = None) -> Any:
    """What a process answers; ends the command with 1 where none does, or it refuses."""
    import json
    from http.client import HTTPConnection, HTTPException

    host, _, port = management.rpartition(":")
    if not port.isdigit():
        click.echo(f"bff cache: {management!r} is no address such as 127.0.0.1:9090", err=True)
        sys.exit(2)
    connection = HTTPConnection(host.strip("[]") or "127.0.0.1", int(port), timeout=_TIMEOUT)
    try:
        sent = None if body is None else json.dumps(body)
        connection.request(method, path, sent, {"Content-Type": "application/json"})
        reply = connection.getresponse()
        told = json.loads(reply.read())
    except (OSError, HTTPException, ValueError) as error:
        click.echo(f"bff cache: nobody answers at {management}: {type(error).__name__}", err=True)
        sys.exit(1)
    finally:
        connection.close()
    if "error" in told:
        click.echo(f"bff cache: {told['error']}", err=True)
        sys.exit(1)
    return told
