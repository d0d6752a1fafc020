"""`bff cache`: statistics, entries and invalidation of the cache of running processes."""

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
    help="The management listener.",
)
_JSON: Final = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")


@click.group(name="cache")
def command() -> None:
    """Inspect and invalidate the cache of running processes, by their management listener.

    One process answers, and shows its own memory; an invalidation reaches all processes that share
    its store.

    \b
    Examples:
      bff cache stats
      bff cache show
      bff cache purge --tag orders:42
    """  # noqa: D301 - \b is click's: keep these lines as they are


@command.command(name="purge")
@click.option("--tag", "tags", multiple=True, help="All entries with this tag, such as orders:42.")
@click.option("--view", "views", multiple=True, help="All cached answers of this view.")
@click.option("--service", "services", multiple=True, help="All cached replies of this service.")
@click.option("--all", "everything", is_flag=True, help="All entries.")
@_ADDRESS
def purge(
    tags: tuple[str, ...],
    views: tuple[str, ...],
    services: tuple[str, ...],
    management: str,
    *,
    everything: bool,
) -> None:
    """Invalidate entries: they are fetched again on the next request.

    Ends with 1 if no process could be reached, or the shared store was unavailable.

    \b
    Examples:
      bff cache purge --tag orders:42 --tag cart:42
      bff cache purge --view home
      bff cache purge --all
    """  # noqa: D301 - \b is click's: keep these lines as they are
    if not (tags or views or services or everything):
        click.echo("bff cache purge: --tag, --view, --service or --all is required", err=True)
        sys.exit(2)
    body: dict[str, Any] = {"tags": [*tags], "views": [*views], "services": [*services]}
    result = _request(management, "POST", "/cache/purge", {**body, "all": everything})
    if not result["everywhere"]:
        click.echo(
            "invalidated in one process; the store is unavailable and follows once it is back",
            err=True,
        )
        sys.exit(1)
    click.echo("invalidated")


@command.command(name="show")
@_ADDRESS
@_JSON
def show(management: str, *, as_json: bool) -> None:
    """List the entries in the memory of one process, without their content; last used first.

    \b
    Examples:
      bff cache show
      bff cache show --json
    """  # noqa: D301 - \b is click's: keep these lines as they are
    entries = _request(management, "GET", "/cache/entries")["entries"]
    if as_json:
        _print_json(entries)
        return
    from rich.table import Table

    table = Table("of", "is", "status", "age s", "fresh for s", "bytes", box=None)
    for entry in entries:
        names = ("of", "is", "status", "age", "fresh_for", "bytes")
        table.add_row(*(str(entry[name]) for name in names))
    console().print(table)


@command.command(name="stats")
@_ADDRESS
@_JSON
def stats(management: str, *, as_json: bool) -> None:
    """Show statistics of the cache of one process: size, hits, and the state of its store.

    \b
    Examples:
      bff cache stats
      bff cache stats --json
    """  # noqa: D301 - \b is click's: keep these lines as they are
    statistics = _request(management, "GET", "/cache")
    if as_json:
        _print_json(statistics)
        return
    for part, values in statistics.items():
        click.echo(f"{part}: " + ", ".join(f"{name} {value}" for name, value in values.items()))


def _print_json(content: Any) -> None:
    import orjson

    click.echo(orjson.dumps(content, option=orjson.OPT_INDENT_2).decode())


def _request(management: str, method: str, path: str, body: Any = None) -> Any:
    """The JSON answer of a process; ends the command with 1 if it is unreachable or refuses."""
    import json
    from http.client import HTTPConnection, HTTPException

    host, _, port = management.rpartition(":")
    if not port.isdigit():
        click.echo(f"bff cache: {management!r} is not an address such as 127.0.0.1:9090", err=True)
        sys.exit(2)
    connection = HTTPConnection(host.strip("[]") or "127.0.0.1", int(port), timeout=_TIMEOUT)
    try:
        sent = None if body is None else json.dumps(body)
        connection.request(method, path, sent, {"Content-Type": "application/json"})
        reply = connection.getresponse()
        answer = json.loads(reply.read())
    except (OSError, HTTPException, ValueError) as error:
        click.echo(f"bff cache: no answer from {management}: {type(error).__name__}", err=True)
        sys.exit(1)
    finally:
        connection.close()
    if "error" in answer:
        click.echo(f"bff cache: {answer['error']}", err=True)
        sys.exit(1)
    return answer
