"""`bff check`: report all problems of a configuration."""

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bff.cli.configured import config_option
from bff.errors import ConfigError
from bff.model.problem import Problem, did_you_mean

if TYPE_CHECKING:
    from bff.declare.rules import Rule


@click.command(name="check")
@config_option
@click.option("--strict", is_flag=True, help="Count warnings as errors.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
@click.option("--sarif", "as_sarif", is_flag=True, help="Print SARIF 2.1.0, for code review.")
@click.option("--explain", metavar="ID", help="Explain one kind of problem; check nothing.")
def command(
    config: Path, *, strict: bool, as_json: bool, as_sarif: bool, explain: str | None
) -> None:
    """Check a configuration, and report all of its problems at once.

    Ends with 0 if it can be served, with 2 if not. Each problem ends with its id in brackets.
    A comment in the file suppresses a warning: `# bff: ignore ID because REASON`.

    \b
    Examples:
      bff check
      bff check --config other/config --json
      bff check --explain unknown-name
      bff check --sarif > check.sarif
    """  # noqa: D301 - \b is click's: keep these lines as they are
    if explain:
        _explain(explain)
        return
    problems, summary = _found(config)
    errors = sum(strict or not problem.warning for problem in problems)
    if as_json:
        click.echo(_json(problems, good=not errors))
    elif as_sarif:
        click.echo(_sarif(problems, strict=strict))
    else:
        _print(problems, errors, summary)
    sys.exit(2 if errors else 0)


def _found(folder: Path) -> tuple[Sequence[Problem], str]:
    """The problems that are not suppressed, in the order of places, and a summary if valid."""
    from bff.declare.check import check_config
    from bff.declare.checks.ignores import (
        ignores_in,
        unused_ignores,
        without_ignored,
        wrong_ignores,
    )
    from bff.declare.checks.sign_in import sign_in_problems
    from bff.declare.config import read_config
    from bff.declare.folder import files_of

    summary = ""
    problems: tuple[Problem, ...]
    try:
        found = check_config(*read_config(folder))
        summary = _count(len(found.plans))
        problems = (*found.warnings, *found.unsafe, *sign_in_problems(found.config))
    except ConfigError as error:
        problems = error.problems
    ignores = ignores_in(files_of(folder))
    unused = unused_ignores(problems, ignores) if summary else ()
    problems = (*without_ignored(problems, ignores), *wrong_ignores(ignores), *unused)
    return sorted(problems, key=lambda problem: problem.place.order), summary


def _count(views: int) -> str:
    return "1 view is good" if views == 1 else f"{views} views are good"


def _print(problems: Iterable[Problem], errors: int, summary: str) -> None:
    problems = list(problems)
    for problem in problems:
        click.echo(str(problem), err=True)
    warnings = len(problems) - errors
    counts = [f"{errors} error(s)"] * bool(errors) + [f"{warnings} warning(s)"] * bool(warnings)
    click.echo(", ".join([*([summary] if not errors else []), *counts]))


def _explain(name: str) -> None:
    from bff.declare.rules import RULES

    rule: Rule | None = RULES.get(name)
    if rule is None:
        hint = did_you_mean(name, RULES) or "docs/problems.md lists all problems"
        click.echo(f"bff check: there is no problem `{name}`\n    hint: {hint}", err=True)
        sys.exit(2)
    ignore = (
        f"To accept it: `# bff: ignore {rule.id} because REASON`, on the line or above it."
        if rule.may_be_ignored
        else "It cannot be ignored."
    )
    click.echo(f"{rule.id}: {rule.title}\n\n{rule.why}\n\nInstead: {rule.instead}\n{ignore}")


def _json(problems: Iterable[Problem], *, good: bool) -> str:
    import orjson

    reported = [
        {
            "id": problem.id,
            "file": problem.place.file,
            "line": problem.place.line,
            "column": problem.place.column,
            "severity": "warning" if problem.warning else "error",
            "message": problem.message,
            "hint": problem.hint or None,
        }
        for problem in problems
    ]
    return orjson.dumps({"good": good, "problems": reported}, option=orjson.OPT_INDENT_2).decode()


def _sarif(problems: Iterable[Problem], *, strict: bool) -> str:
    import orjson

    from bff.cli.sarif import sarif

    return orjson.dumps(sarif(problems, strict=strict), option=orjson.OPT_INDENT_2).decode()
