"""`bff new`: a folder in which a first view runs, is tested, and is known to the editor."""

import sys
from pathlib import Path

import click


@click.command(name="new")
@click.argument("folder", type=click.Path(path_type=Path))
def command(folder: Path) -> None:
    """Make a project: one view, its recorded service, one test, settings for the editor.

    What is there already is left alone: a folder that has any of these files is refused.

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
    there = [name for name in made if (folder / name).exists()]
    if there:
        click.echo(f"bff new: {folder / there[0]} is there already", err=True)
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
