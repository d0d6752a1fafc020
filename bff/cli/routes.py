"""`bff routes`: every URL that is answered, and by which view."""

from pathlib import Path

import click

from bff.cli.configured import checked, config_option


@click.command(name="routes")
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for a program.")
def command(config: Path, *, as_json: bool) -> None:
    """List the routes of a configuration.

    \b
    Examples:
      bff routes
      bff routes --json
    """  # noqa: D301 - \b is click's: keep these lines as they are
    found = checked(config)
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
