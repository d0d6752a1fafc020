"""`bff record`: serve a configuration on its real services, and write down what they answer."""

import sys
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click

from bff.cli.configured import config_option, recordings_option
from bff.cli.local import Wanted, local_options, recordings_in, run


@click.command(name="record")
@config_option
@local_options
@recordings_option
@click.option(
    "--mode",
    type=click.Choice(["once", "new", "all", "none"]),
    default="once",
    show_default=True,
    help="Whom to ask: services without a recording, for what is not recorded, everybody, nobody.",
)
@click.option(
    "--declared-provider",
    is_flag=True,
    help="Sign in at the declared provider, which must know this address; its tokens go along.",
)
def command(
    config: Path,
    port: int,
    account: str | None,
    recordings: Path | None,
    mode: str,
    *,
    declared_provider: bool,
) -> None:
    """Serve a configuration on loopback, and record what its services answer, as HAR 1.2.

    Use the app as its frontends do; what it asks is written while it runs: one file for each
    service, one page for each request of a view. Secrets are replaced by pseudonyms before
    anything is written; a file in which something still looks like one is not saved, and where it
    is, is said. `rules.toml` beside the recordings declares what else is secret, or is none; while
    this runs, too. Ends on Ctrl-C and SIGTERM, with 1 where a file was not saved.

    \b
    Examples:
      bff record
      bff record --as ada --mode new
      bff record --declared-provider
      bff record --mode all --recordings /tmp/today
    """  # noqa: D301 - \b is click's: keep these lines as they are
    from bff.auth.session.secret import kept_secret
    from bff.declare.settings import Settings
    from bff.dev.har_files import har_files

    folder = recordings or config / "recordings"
    if har_files(folder):
        recordings_in(folder, config)  # what cannot be read is not written over
    with TemporaryDirectory(prefix="bff-record-") as told:
        report = Path(told) / "report.json"
        record = {
            "folder": str(folder),
            "mode": mode,
            "key": kept_secret(Settings.from_env().state, "recordings-secret"),
            "report": str(report),
        }
        try:
            wanted = Wanted("record", config, port, account, None, 300.0, shop=False)
            run(replace(wanted, record=record, declared=declared_provider))
        except SystemExit as ended:
            status = ended.code
        refused = _sum_up(folder, report)
    sys.exit(status or int(refused))


def _sum_up(folder: Path, report: Path) -> bool:
    """Say what was recorded; whether a file was not saved."""
    import orjson

    if not report.is_file():
        return False  # it did not come so far
    told: dict[str, Any] = orjson.loads(report.read_bytes())
    if not told["exchanges"]:
        click.echo("Nothing was recorded: no view asked a service.")
    for service, entries in told["entries"].items():
        click.echo(f"{folder / service}.har: {entries} entries")
    for request in told["failed"]:
        click.echo(f"not recorded, it brought no reply: {request}", err=True)
    for entries in told["unused"].values():
        for request in entries:
            click.echo(f"recorded before, and not asked for: {request}", err=True)
    for found in told["refused"]:
        click.echo(f"not saved: {found}", err=True)
    if told["refused"]:
        rules = folder / "rules.toml"
        hint = f"declare it secret in {rules}, by `paths` or `patterns`, or `allow` it there"
        click.echo(f"    hint: {hint}", err=True)
    return bool(told["refused"])
