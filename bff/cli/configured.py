"""The options that name a configuration and recordings, and what is done with a wrong one."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bff.errors import ConfigError

if TYPE_CHECKING:
    from bff.declare.check import Checked


def config_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command `--config`."""
    return click.option(
        "--config",
        type=click.Path(path_type=Path),
        envvar="BFF_CONFIG",
        default=Path("config"),
        show_default=True,
        help="The folder that holds bff.yaml.",
    )(command)


def recordings_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command `--recordings`."""
    return click.option(
        "--recordings",
        type=click.Path(path_type=Path),
        help="Where the {service}.har files are; else `recordings` of the configuration.",
    )(command)


def checked(config: Path) -> "Checked":
    """The configuration of a folder; ends the command with 2 and every problem if it is wrong."""
    from bff.declare.check import check

    try:
        return check(config)
    except ConfigError as error:
        click.echo(str(error), err=True)
        errors = sum(not problem.warning for problem in error.problems)
        click.echo(f"\n{errors} error(s)", err=True)
        sys.exit(2)
