"""`bff dev`: one's own configuration on this machine, with a provider to sign in at."""

from dataclasses import replace
from pathlib import Path

import click

from bff.cli.configured import config_option
from bff.cli.faults import fault_option
from bff.cli.local import Wanted, configured_recordings, local_options, recordings_in, run


@click.command(name="dev")
@config_option
@local_options
@click.option("--stubs", is_flag=True, help="Services from recordings/, on ports of their own.")
@click.option("--replay", is_flag=True, help="Services from recordings/, inside the app.")
@click.option(
    "--latency",
    default="recorded",
    show_default=True,
    metavar="recorded|50ms|20ms-80ms",
    help="How long replies from recordings take.",
)
@fault_option
@click.option(
    "--token-life",
    type=click.IntRange(1, 86400),
    default=300,
    show_default=True,
    metavar="SECONDS",
    help="How long access tokens last: few, to see them refreshed.",
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
    place, here and in the browser. The provider stands in for each that is declared, with the
    accounts `ada` and `grace` and no passwords. Services are asked where they are declared to be,
    with tokens that only this provider vouches for. With --replay nobody is asked: what is not
    recorded fails its view, and the terminal says by which line it was asked for and what comes
    nearest. What is recorded and was not asked for is at /demo/unused, and listed at the end.
    Ends on Ctrl-C and SIGTERM.

    \b
    Examples:
      bff dev
      bff dev --as ada --replay
      bff dev --as ada --replay --fault orders=slow --fault reviews=reset
      bff dev --stubs --latency 20ms-80ms
      bff dev --token-life 10
    """  # noqa: D301 - \b is click's: keep these lines as they are
    if stubs and replay:
        raise click.UsageError("--stubs and --replay: one of them")
    if faults and not (stubs or replay):
        raise click.UsageError("--fault: only of services from recordings: --stubs or --replay")
    wanted = Wanted("dev", config, port, account, None, float(token_life), shop=False)
    if stubs:
        wanted = replace(wanted, latency=latency, faults=faults)
    if replay:
        folder = configured_recordings(config)
        recordings_in(folder, config, latency, faults)
        wanted = replace(wanted, replay=str(folder), replay_latency=latency, faults=faults)
    run(wanted)
