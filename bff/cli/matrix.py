"""`bff matrix`: what each frontend gets of a view while one of its services is broken."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from bff.cli.configured import config_option, recordings_option
from bff.cli.console import console
from bff.model.problem import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bff.declare.check import Checked
    from bff.testing.matrix import Cell, MatrixRequest


@click.command(name="matrix")
@click.argument("view")
@click.option("--as", "subject", metavar="WHO", help="The subject of who asks; else nobody does.")
@click.option("--claim", "claims", multiple=True, metavar="NAME=VALUE", help="A claim of theirs.")
@click.option("--param", "params", multiple=True, metavar="NAME=VALUE", help="A parameter.")
@click.option("--body", metavar="JSON", help="The body, for a view that takes one.")
@config_option
@recordings_option
@click.option(
    "--snapshot",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write what each frontend gets there; if it is there already, say whether it still holds.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for a program.")
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
    """Replay a view with each of its services timing out, failing, cut short and empty.

    Time is virtual: a time-out takes no time. Ends with 1 where an answer is late or a 500, or is
    not what the snapshot has.

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
    wrong = [(each, why) for each in cells if (why := verdict(each, found, view))]
    _print(cells, as_json=as_json)
    for cell, why in wrong:
        where = f"{cell.frontend}, {cell.service or 'nothing'} {cell.broken}".strip()
        click.echo(f"bff matrix: {where}: {why}", err=True)
    holds = _compare(snapshot, cells) if snapshot else True
    sys.exit(int(bool(wrong) or not holds))


def _cells(found: "Checked", folder: Path, view: str, asked: "MatrixRequest") -> "list[Cell]":
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

        told = [asdict(each) for each in cells]
        click.echo(orjson.dumps(told, option=orjson.OPT_INDENT_2).decode())
        return
    from rich.table import Table

    table = Table("frontend", "broken", "status", "s", "calls", "differs in", box=None)
    for each in cells:
        broken = f"{each.service} {each.broken}" if each.service else "nothing"
        calls = [call for call in each.calls.split(", ") if not call.endswith("=ok")]
        calls += [f"left out of {what}" for what in each.left_out]
        row = (str(each.status), f"{each.took:.2f}", "\n".join(calls), "\n".join(each.differs))
        table.add_row(each.frontend, broken, *row)
    console().print(table)


def _compare(file: Path, cells: "Sequence[Cell]") -> bool:
    """Whether a snapshot holds; it is written where there is none."""
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
        raise ValueError(f"{text!r} should read as NAME=VALUE")
    return name, value


def _json(text: str | None) -> Any:
    import orjson

    return None if text is None else orjson.loads(text)


def _refuse(message: str, hint: str = "") -> NoReturn:
    click.echo(f"bff matrix: {message}" + (f"\n    hint: {hint}" if hint else ""), err=True)
    sys.exit(2)
