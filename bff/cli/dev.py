"""`bff dev`: one's own configuration on this machine, with a provider to sign in at."""

from pathlib import Path

import click

from bff.cli.local import Wanted, local_options, run


@click.command(name="dev")
@local_options
@click.option("--stubs", is_flag=True, help="Services from recordings/, not as declared.")
@click.option(
    "--token-life",
    type=click.IntRange(1, 86400),
    default=300,
    show_default=True,
    metavar="SECONDS",
    help="How long access tokens last: few, to see them refreshed.",
)
def command(config: Path, port: int, account: str | None, token_life: int, *, stubs: bool) -> None:
    """Serve a configuration on loopback, with a local provider to sign in at.

    It stands in for each provider that is declared, with the accounts `ada` and `grace` and no
    passwords. Services are asked where they are declared to be, with tokens that only this
    provider vouches for. Ends on Ctrl-C and SIGTERM.

    \b
    Examples:
      bff dev
      bff dev --as ada --stubs
      bff dev --token-life 10
    """  # noqa: D301 - \b is click's: keep these lines as they are
    latency = "recorded" if stubs else None
    run(Wanted("dev", config, port, account, latency, float(token_life), shop=False))
