"""The options `--config` and `--recordings`, and loading the configuration."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bff.errors import ConfigError

if TYPE_CHECKING:
    from bff.declare.check import CheckedConfig


def config_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--config` to a command."""
    return click.option(
        "--config",
        type=click.Path(path_type=Path),
        envvar="BFF_CONFIG",
        default=Path("config"),
        show_default=True,
        help="The folder that holds bff.yaml.",
    )(command)


def recordings_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--recordings` to a command."""
    return click.option(
        "--recordings",
        type=click.Path(path_type=Path),
        help="The folder of the {service}.har files; default `recordings` of the configuration.",
    )(command)


def checked(config: Path) -> "CheckedConfig":
    """The configuration of a folder; prints the problems and ends the command with 2 if invalid."""
    from bff.declare.check import check

    try:
        return check(config)
    except ConfigError as error:
        click.echo(str(error), err=True)
        errors = sum(not problem.warning for problem in error.problems)
        click.echo(f"\n{errors} error(s)", err=True)
        sys.exit(2)
