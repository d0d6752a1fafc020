"""`bff demo`: the shop on this machine, with stub services, in a few seconds."""

from pathlib import Path

import click

from bff.cli.local import Wanted, local_options, run

_TOKEN_SECONDS = 300.0


@click.command(name="demo")
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    help="The folder of another configuration; else the shop's, which comes with bff.",
)
@local_options
@click.option("--latency", default="recorded", show_default=True, help="See `bff stub --help`.")
def command(config: Path | None, port: int, account: str | None, latency: str) -> None:
    """Serve the demo shop on loopback, on recorded services and a local provider.

    People sign in for real, as `ada` or `grace`, at a provider that asks for no password. Ends on
    Ctrl-C and SIGTERM, and leaves no process and no session behind.

    \b
    Examples:
      bff demo
      bff demo --as ada
      bff demo --port 9000 --latency 20ms-200ms
    """  # noqa: D301 - \b is click's: keep these lines as they are
    from bff.dev.shop.recordings import CONFIG

    shop = config is None
    run(Wanted("demo", config or CONFIG, port, account, latency, _TOKEN_SECONDS, shop=shop))
