"""`bff demo`: the demo shop on this machine, with stub services."""

from pathlib import Path

import click

from bff.cli.local import LocalOptions, local_options, run

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

    Users sign in as `ada` or `grace`, at a local OpenID provider without passwords. Ends on Ctrl-C
    and SIGTERM, and removes its processes and sessions.

    \b
    Examples:
      bff demo
      bff demo --as ada
      bff demo --port 9000 --latency 20ms-200ms
    """  # noqa: D301 - \b is click's: keep these lines as they are
    from bff.dev.shop.recordings import CONFIG

    shop = config is None
    run(LocalOptions("demo", config or CONFIG, port, account, latency, _TOKEN_SECONDS, shop=shop))
