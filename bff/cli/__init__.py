"""The command `bff`: each subcommand is a module of this package, imported when it is called."""

from importlib import import_module
from typing import Final

import click

COMMANDS: Final = (
    "cache",
    "check",
    "demo",
    "dev",
    "explain",
    "har",
    "matrix",
    "new",
    "record",
    "routes",
    "schema",
    "serve",
    "stub",
)


class _LazyCommands(click.Group):
    """A group whose subcommands are imported on demand, from the modules of their names."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of all subcommands."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The subcommand of that name; None if there is none."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"bff.cli.{cmd_name}").command
        return command


@click.group(cls=_LazyCommands)
@click.version_option(package_name="bff-proxy", prog_name="bff")
def main() -> None:
    """A backend-for-frontend aggregation proxy: each declared view is one small JSON document."""
