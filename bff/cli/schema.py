"""`bff schema`: the JSON Schema of the configuration files, for editors."""

import sys
from pathlib import Path

import click


@click.command(name="schema")
@click.argument("kind", type=click.Choice(["bff", "view", "relay", "call"]), required=False)
@click.option(
    "--write",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Write all of them to this folder.",
)
def command(kind: str | None, write: Path | None) -> None:
    """Print the JSON Schema (draft-07) of one kind of file, or write all of them to a folder.

    A YAML file refers to its schema in its first line, for completion and checks in editors:
    `# yaml-language-server: $schema=../schema/view.json`

    \b
    Examples:
      bff schema view
      bff schema --write config/schema
    """  # noqa: D301 - \b is click's: keep these lines as they are
    import orjson

    from bff.declare.schema import FILES, schema_of

    if not kind and not write:
        click.echo("bff schema: bff, view, relay or call is required, or --write DIR", err=True)
        sys.exit(2)
    if kind:
        click.echo(orjson.dumps(schema_of(kind), option=orjson.OPT_INDENT_2).decode())
    if write:
        write.mkdir(parents=True, exist_ok=True)
        for name in FILES:
            content = orjson.dumps(schema_of(name), option=orjson.OPT_INDENT_2)
            (write / f"{name}.json").write_bytes(content + b"\n")
