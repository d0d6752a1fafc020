"""`bff serve`: production, always."""

import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bff.cli.configured import config_option

if TYPE_CHECKING:
    from bff.declare.check import Checked


@click.command(name="serve")
@config_option
@click.option("--bind", metavar="HOST:PORT", help="Where clients are answered.")
@click.option("--management-bind", metavar="HOST:PORT", help="Where operators are; '' for nowhere.")
@click.option("--workers", type=click.IntRange(1, 256), help="Processes.")
@click.option("--threads", type=click.IntRange(1, 1024), help="Requests at once in each process.")
def command(config: Path, **given: Any) -> None:
    """Serve a configuration with gunicorn.

    Each option overrides its environment variable: BFF_CONFIG, BFF_BIND, BFF_MANAGEMENT_BIND,
    BFF_WORKERS, BFF_THREADS. GUNICORN_CMD_ARGS sets what these do not, but for what the app needs.
    SIGHUP reads the files again, and keeps the old ones if the new are wrong. Ends with 2 where the
    configuration or a setting cannot be served, or is unsafe: secrets that stand in a file or can
    be guessed, pages or keys that are not https, providers for development, debugging.

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
    """Check a configuration as production demands, and serve it.

    Args:
        app: makes the app in each worker; `bff.app.create_app` if None.
    """
    from bff.app import create_app
    from bff.auth.oidc.development import refuse_development
    from bff.declare import snapshot
    from bff.errors import ConfigError
    from bff.server.application import serve

    try:
        snapshot.demand(_demand)
        declared = snapshot.take(config).config
        refuse_development([*declared.providers.values(), *declared.issuers.values()])
    except ConfigError as error:
        click.echo(str(error), err=True)
        sys.exit(2)
    serve(app or create_app)


def _demand(checked: "Checked") -> None:
    """Refuse what must not be served to people, at the start and on every reload."""
    from bff.declare.checks.production import unsafe_settings
    from bff.declare.checks.sign_in import sign_in_problems
    from bff.errors import ConfigError

    unsafe = (*unsafe_settings(os.environ), *checked.unsafe)
    found = [replace(each, warning=False) for each in unsafe]
    found += [each for each in sign_in_problems(checked.config) if not each.warning]
    if found:
        raise ConfigError(found)
