"""The command `bff`: each subcommand is a file of this folder, imported when it is called."""

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


class _Commands(click.Group):
    """Subcommands by the names of their files."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, from its file."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"bff.cli.{cmd_name}").command
        return command


@click.group(cls=_Commands)
@click.version_option(package_name="bff-proxy", prog_name="bff")
def main() -> None:
    """A backend-for-frontend aggregation proxy: declared views, answered as one small document."""
