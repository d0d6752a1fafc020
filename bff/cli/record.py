"""`bff record`: serve a configuration with its real services, and record their replies."""

import sys
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click

from bff.cli.configured import config_option, recordings_option
from bff.cli.local import LocalOptions, local_options, recordings_in, run


@click.command(name="record")
@config_option
@local_options
@recordings_option
@click.option(
    "--mode",
    type=click.Choice(["once", "new", "all", "none"]),
    default="once",
    show_default=True,
    help="What is requested of services: all of services without a recording (once), what is not"
    " recorded (new), everything (all), nothing (none).",
)
@click.option(
    "--declared-provider",
    is_flag=True,
    help="Sign in at the declared provider, where this address must be registered.",
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

    Use the app as its frontends do; its requests are recorded while it runs: one file for each
    service, one page for each request of a view. Secrets are replaced by pseudonyms before they are
    written; a file in which something still looks like a secret is not saved, and its place is
    printed. `rules.toml` beside the recordings declares further secrets, or exceptions; it is read
    again when it changes. Ends on Ctrl-C and SIGTERM, with 1 if a file was not saved.

    \b
    Examples:
      bff record
      bff record --as ada --mode new
      bff record --declared-provider
      bff record --mode all --recordings /tmp/today
    """  # noqa: D301 - \b is click's: keep these lines as they are
    from bff.auth.session.secret import load_or_create_secret
    from bff.declare.settings import Settings
    from bff.dev.har_files import har_files

    folder = recordings or config / "recordings"
    if har_files(folder):
        recordings_in(folder, config)  # so that no invalid file is overwritten
    with TemporaryDirectory(prefix="bff-record-") as results:
        report = Path(results) / "report.json"
        record = {
            "folder": str(folder),
            "mode": mode,
            "key": load_or_create_secret(Settings.from_env().state, "recordings-secret"),
            "report": str(report),
        }
        try:
            options = LocalOptions("record", config, port, account, None, 300.0, shop=False)
            run(replace(options, record=record, declared=declared_provider))
        except SystemExit as ended:
            status = ended.code
        refused = _print_summary(folder, report)
    sys.exit(status or int(refused))


def _print_summary(folder: Path, report: Path) -> bool:
    """Print what was recorded.

    Returns:
        True if a file was not saved.
    """
    import orjson

    if not report.is_file():
        return False  # it ended before the recording began
    summary: dict[str, Any] = orjson.loads(report.read_bytes())
    if not summary["exchanges"]:
        click.echo("Nothing was recorded: no view called a service.")
    for service, entries in summary["entries"].items():
        click.echo(f"{folder / service}.har: {entries} entries")
    for request in summary["failed"]:
        click.echo(f"not recorded, since there was no reply: {request}", err=True)
    for entries in summary["unused"].values():
        for request in entries:
            click.echo(f"recorded before, and not requested: {request}", err=True)
    for found in summary["refused"]:
        click.echo(f"not saved: {found}", err=True)
    if summary["refused"]:
        rules = folder / "rules.toml"
        hint = f"declare it a secret in {rules}, by `paths` or `patterns`, or `allow` it there"
        click.echo(f"    hint: {hint}", err=True)
    return bool(summary["refused"])
