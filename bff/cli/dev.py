"""`bff dev`: a configuration on this machine, with a local provider to sign in at."""

from dataclasses import replace
from pathlib import Path

import click

from bff.cli.configured import config_option
from bff.cli.faults import fault_option
from bff.cli.local import LocalOptions, configured_recordings, local_options, recordings_in, run


@click.command(name="dev")
@config_option
@local_options
@click.option("--stubs", is_flag=True, help="Stub services from recordings/, on their own ports.")
@click.option("--replay", is_flag=True, help="Replies from recordings/, without network.")
@click.option(
    "--latency",
    default="recorded",
    show_default=True,
    metavar="recorded|50ms|20ms-80ms",
    help="Latency of replies from recordings.",
)
@fault_option
@click.option(
    "--token-life",
    type=click.IntRange(1, 86400),
    default=300,
    show_default=True,
    metavar="SECONDS",
    help="Lifetime of access tokens; a small number to see them refreshed.",
)
def command(
    config: Path,
    port: int,
    account: str | None,
    token_life: int,
    latency: str,
    faults: tuple[str, ...],
    *,
    stubs: bool,
    replay: bool,
) -> None:
    """Serve a configuration on loopback, with a local provider to sign in at.

    An edit of its YAML, or of Python beside it, is served at once; a mistake is shown with its
    place, here and in the browser. The local provider replaces each that is declared; its accounts
    are `ada` and `grace`, without passwords. Services are called at their declared addresses, with
    tokens of this provider. With --replay no service is called: a request that is not recorded
    fails its view, and the terminal shows the line that made it and the nearest recorded request.
    Recorded requests that were not made are listed at /demo/unused, and at the end. Ends on Ctrl-C
    and SIGTERM.

    \b
    Examples:
      bff dev
      bff dev --as ada --replay
      bff dev --as ada --replay --fault orders=slow --fault reviews=reset
      bff dev --stubs --latency 20ms-80ms
      bff dev --token-life 10
    """  # noqa: D301 - \b is click's: keep these lines as they are
    if stubs and replay:
        raise click.UsageError("--stubs and --replay exclude each other")
    if faults and not (stubs or replay):
        raise click.UsageError("--fault needs services from recordings: --stubs or --replay")
    options = LocalOptions("dev", config, port, account, None, float(token_life), shop=False)
    if stubs:
        options = replace(options, latency=latency, faults=faults)
    if replay:
        folder = configured_recordings(config)
        recordings_in(folder, config, latency, faults)
        options = replace(options, replay=str(folder), replay_latency=latency, faults=faults)
    run(options)
