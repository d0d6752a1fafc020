"""`bff har`: the recordings of all services as one file, for whatever shows HAR."""

import sys
from pathlib import Path

import click

from bff.cli.configured import recordings_option


@click.command(name="har", no_args_is_help=False)
@recordings_option
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The file to write; else it is printed.",
)
def command(recordings: Path | None, output: Path | None) -> None:
    """Put the recordings of all services into one HAR 1.2 file.

    Recordings are kept by service. In this file each request of a view is a page with all of its
    calls, so that a viewer (the network panel of a browser's developer tools, say) draws when each
    began and how long it took. It has large bodies in it, and no custom fields.

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
