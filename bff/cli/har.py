"""`bff har`: the recordings of all services as one HAR file, for HAR viewers."""

import sys
from pathlib import Path

import click

from bff.cli.configured import recordings_option


@click.command(name="har", no_args_is_help=False)
@recordings_option
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The file to write; standard output by default.",
)
def command(recordings: Path | None, output: Path | None) -> None:
    """Merge the recordings of all services into one HAR 1.2 file.

    Recordings are stored by service. In this file each request of a view is a page with all of its
    calls, so that a viewer, such as the network panel of browser developer tools, shows them as a
    waterfall. It contains large bodies, and no custom fields.

    \b
    Examples:
      bff har --output /tmp/shop.har
      bff har --recordings tests/checkout | jq '.log.pages[].title'
    """  # noqa: D301 - \b is click's: keep these lines as they are
    from bff.cli.progress import bar
    from bff.dev.har_files import RecordingError
    from bff.dev.recordings.har import written
    from bff.dev.recordings.waterfall import together
    from bff.dev.shop.recordings import folder_of

    try:
        text = written(together(recordings or folder_of(Path("config")), bar))
        if output:
            output.write_text(text, encoding="utf-8")
        else:
            click.echo(text, nl=False)
    except RecordingError as error:
        click.echo(f"bff har: {error}", err=True)
        sys.exit(2)
    except OSError as error:
        click.echo(f"bff har: {error.filename}: {error.strerror}", err=True)
        sys.exit(1)
