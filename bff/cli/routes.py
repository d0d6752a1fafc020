"""`bff routes`: every URL that is answered, and by which view."""

from pathlib import Path
from re import escape
from typing import TYPE_CHECKING

import click

from bff.cli.configured import checked, config_option

if TYPE_CHECKING:
    from bff.declare.check import Checked


@click.command(name="routes")
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for a program.")
@click.option("--edge", is_flag=True, help="Print what nginx may keep, as a map of its own.")
def command(config: Path, *, as_json: bool, edge: bool) -> None:
    """List the routes of a configuration.

    With --edge, only views that are kept and proven to be the same for everybody: the shipped
    nginx keeps those, and no others.

    \b
    Examples:
      bff routes
      bff routes --json
      bff routes --edge > nginx/templates/edge.conf.template
    """  # noqa: D301 - \b is click's: keep these lines as they are
    found = checked(config)
    if edge:
        _print_edge(found)
        return
    rows = [
        {
            "method": plan.view.method,
            "path": f"/{frontend}{plan.view.route}",
            "view": plan.view.name,
            "access": plan.view.access_at(found.config.frontends[frontend]),
            "calls": list(plan.nodes),
            "file": str(plan.view.place),
        }
        for plans in found.plans.values()
        for frontend, plan in plans.items()
    ]
    rows.sort(key=lambda row: str(row["path"]))
    if as_json:
        import orjson

        click.echo(orjson.dumps(rows, option=orjson.OPT_INDENT_2).decode())
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("route", "view", "access", "calls", box=None, header_style="bold")
    for row in rows:
        calls = ", ".join(row["calls"])
        table.add_row(f"{row['method']} {row['path']}", str(row["view"]), str(row["access"]), calls)
    Console().print(table)


def _print_edge(found: "Checked") -> None:
    """A map of nginx's, from the path of a request to the zone that keeps its answer."""
    from bff.web.policy import is_public, may_last

    click.echo("# What may be kept in front of the app: written by `bff routes --edge`.")
    click.echo("map $path_only $bff_edge {\n    default off;")
    for plans in found.plans.values():
        for frontend, plan in sorted(plans.items()):
            access = plan.view.access_at(found.config.frontends[frontend])
            if plan.view.method == "GET" and is_public(plan, access) and may_last(plan):
                segments = f"/{frontend}{plan.view.route}".split("/")
                parts = ["[^/]+" if part.startswith("{") else escape(part) for part in segments]
                click.echo(f'    "~^{"/".join(parts)}$" edge;')
    click.echo("}")
