"""`bff matrix`: the answer of a view to each frontend, for each failure of one of its services."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from bff.cli.configured import config_option, recordings_option
from bff.cli.console import console
from bff.model.problem import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bff.declare.check import CheckedConfig
    from bff.testing.matrix import Cell, MatrixRequest


@click.command(name="matrix")
@click.argument("view")
@click.option(
    "--as",
    "subject",
    metavar="SUBJECT",
    help="The subject of the signed-in user; anonymous by default.",
)
@click.option(
    "--claim", "claims", multiple=True, metavar="NAME=VALUE", help="A claim of that user."
)
@click.option(
    "--param", "params", multiple=True, metavar="NAME=VALUE", help="A parameter of the view."
)
@click.option("--body", metavar="JSON", help="The request body, if the view takes one.")
@config_option
@recordings_option
@click.option(
    "--snapshot",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write the results to this file; if it exists, print the differences.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
def command(
    view: str,
    subject: str | None,
    claims: tuple[str, ...],
    params: tuple[str, ...],
    body: str | None,
    config: Path,
    recordings: Path | None,
    snapshot: Path | None,
    *,
    as_json: bool,
) -> None:
    """Replay a view with each of its services timing out, failing, truncated and empty.

    Time is simulated, so that time-outs take no time. Ends with 1 if an answer is late or a 500,
    or differs from the snapshot.

    \b
    Examples:
      bff matrix home --as ada --claim plan=pro --claim tenant=acme
      bff matrix order --as ada --claim tenant=acme --param id=o-5038
      bff matrix search --param q=lamp --snapshot tests/search.json
    """  # noqa: D301 - \b is click's: keep these lines as they are
    from bff.cli.configured import checked
    from bff.dev.har_files import RecordingError
    from bff.dev.shop.recordings import folder_of
    from bff.testing.client import Unmatched, principal_of
    from bff.testing.matrix import MatrixRequest, verdict

    found = checked(config)
    if view not in found.plans:
        _refuse(f"there is no view `{view}`", did_you_mean(view, found.plans))
    try:
        values: dict[str, list[str]] = {}
        for name, value in map(_pair, params):
            values.setdefault(name, []).append(value)
        asked = MatrixRequest(values, principal_of(subject, dict(map(_pair, claims))), _json(body))
        cells = _cells(found, recordings or folder_of(config), view, asked)
    except (RecordingError, ValueError, Unmatched) as error:
        _refuse(str(error))
    failed = [(cell, why) for cell in cells if (why := verdict(cell, found, view))]
    _print(cells, as_json=as_json)
    for cell, why in failed:
        where = f"{cell.frontend}, {cell.service or 'nothing'} {cell.broken}".strip()
        click.echo(f"bff matrix: {where}: {why}", err=True)
    unchanged = _compare(snapshot, cells) if snapshot else True
    sys.exit(int(bool(failed) or not unchanged))


def _cells(found: "CheckedConfig", folder: Path, view: str, asked: "MatrixRequest") -> "list[Cell]":
    from bff.cli.progress import bar
    from bff.dev.recordings.replay_cursor import replay_cursors
    from bff.testing.matrix import Matrix

    cursors = replay_cursors(folder, watch=bar, services=found.config.services)
    matrix = Matrix(found, cursors, view)
    return list(bar(matrix.cells(asked), view, matrix.count()))


def _print(cells: "Sequence[Cell]", *, as_json: bool) -> None:
    if as_json:
        from dataclasses import asdict

        import orjson

        rows = [asdict(cell) for cell in cells]
        click.echo(orjson.dumps(rows, option=orjson.OPT_INDENT_2).decode())
        return
    from rich.table import Table

    table = Table("frontend", "broken", "status", "s", "calls", "differs in", box=None)
    for cell in cells:
        broken = f"{cell.service} {cell.broken}" if cell.service else "nothing"
        calls = [call for call in cell.calls.split(", ") if not call.endswith("=ok")]
        calls += [f"omitted from {what}" for what in cell.left_out]
        row = (str(cell.status), f"{cell.took:.2f}", "\n".join(calls), "\n".join(cell.differs))
        table.add_row(cell.frontend, broken, *row)
    console().print(table)


def _compare(file: Path, cells: "Sequence[Cell]") -> bool:
    """True if the results equal those of a snapshot file; it is written if it does not exist."""
    from difflib import unified_diff

    from bff.testing.matrix import snapshot

    text = snapshot(cells)
    if not file.is_file():
        file.write_text(text, encoding="utf-8")
        click.echo(f"bff matrix: {file} is written", err=True)
        return True
    before = file.read_text(encoding="utf-8")
    for line in unified_diff(before.splitlines(), text.splitlines(), str(file), "now", lineterm=""):
        click.echo(line)
    return before == text


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise ValueError(f"{text!r} is not NAME=VALUE")
    return name, value


def _json(text: str | None) -> Any:
    import orjson

    return None if text is None else orjson.loads(text)


def _refuse(message: str, hint: str = "") -> NoReturn:
    click.echo(f"bff matrix: {message}" + (f"\n    hint: {hint}" if hint else ""), err=True)
    sys.exit(2)
