"""`bff serve`: serve a configuration in production."""

import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bff.cli.configured import config_option

if TYPE_CHECKING:
    from bff.declare.check import CheckedConfig


@click.command(name="serve")
@config_option
@click.option("--bind", metavar="HOST:PORT", help="The public listener.")
@click.option(
    "--management-bind", metavar="HOST:PORT", help="The management listener; '' for none."
)
@click.option("--workers", type=click.IntRange(1, 256), help="Number of processes.")
@click.option(
    "--threads", type=click.IntRange(1, 1024), help="Concurrent requests of each process."
)
def command(config: Path, **given: Any) -> None:
    """Serve a configuration with gunicorn.

    Each option overrides its environment variable: BFF_CONFIG, BFF_BIND, BFF_MANAGEMENT_BIND,
    BFF_WORKERS, BFF_THREADS. GUNICORN_CMD_ARGS has further settings of gunicorn, except for those
    that the app needs. SIGHUP reloads the files; if they are invalid, the previous ones stay in
    use. Ends with 2 if the configuration or a setting is invalid, or unsafe: secrets that are in a
    file or can be guessed, pages or keys without https, providers for development, debugging.

    \b
    Examples:
      bff serve
      bff serve --config /etc/shop --bind 0.0.0.0:8000 --workers 4
    """  # noqa: D301 - \b is click's: keep these lines as they are
    os.environ["BFF_CONFIG"] = str(config)
    for name, value in given.items():
        if value is not None:
            os.environ[f"BFF_{name.upper()}"] = str(value)
    run(config)


def run(config: Path, app: Callable[[], Any] | None = None) -> None:
    """Check a configuration by the rules of production, and serve it.

    Args:
        config: the folder that holds bff.yaml.
        app: makes the app in each worker; `bff.app.create_app` if None.
    """
    from bff.app import create_app
    from bff.auth.oidc.development import refuse_development
    from bff.declare import snapshot
    from bff.errors import ConfigError
    from bff.server.application import serve

    try:
        snapshot.add_check(_reject_unsafe)
        declared = snapshot.load(config).config
        refuse_development([*declared.providers.values(), *declared.issuers.values()])
    except ConfigError as error:
        click.echo(str(error), err=True)
        sys.exit(2)
    serve(app or create_app)


def _reject_unsafe(checked: "CheckedConfig") -> None:
    """Reject what must not be served in production, at the start and on every reload.

    Raises:
        ConfigError: with every such problem.
    """
    from bff.declare.checks.production import unsafe_settings
    from bff.declare.checks.sign_in import sign_in_problems
    from bff.errors import ConfigError

    unsafe = (*unsafe_settings(os.environ), *checked.unsafe)
    found = [replace(problem, warning=False) for problem in unsafe]
    found += [problem for problem in sign_in_problems(checked.config) if not problem.warning]
    if found:
        raise ConfigError(found)
