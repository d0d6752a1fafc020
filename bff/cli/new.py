"""`bff new`: a project with a first view, its recording, a test and editor settings."""

import sys
from pathlib import Path

import click


@click.command(name="new")
@click.argument("folder", type=click.Path(path_type=Path))
def command(folder: Path) -> None:
    """Make a project: one view, its recorded service, one test, editor settings.

    Existing files are not overwritten: a folder with any of these files is rejected.

    \b
    Examples:
      bff new shop
      cd shop && bff dev --replay
    """  # noqa: D301 - \b is click's: keep these lines as they are
    import orjson

    from bff.declare.schema import FILES, schema_of
    from bff.dev.template import files

    made = files()
    for kind in FILES:
        schema = orjson.dumps(schema_of(kind), option=orjson.OPT_INDENT_2)
        made[f"config/schema/{kind}.json"] = schema + b"\n"
    existing = [name for name in made if (folder / name).exists()]
    if existing:
        click.echo(f"bff new: {folder / existing[0]} exists already", err=True)
        sys.exit(2)
    try:
        for name, content in made.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    except OSError as error:
        click.echo(f"bff new: {error.filename}: {error.strerror}", err=True)
        sys.exit(1)
    click.echo(f"{folder} has a view, a recording of its service, and a test:")
    click.echo(f"  cd {folder}")
    click.echo("  bff dev --replay   # http://127.0.0.1:8080/web/hello")
    click.echo("  pytest")
