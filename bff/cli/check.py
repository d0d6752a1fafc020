"""`bff check`: report everything that is wrong with a configuration."""

import sys
from pathlib import Path

import click

from bff.cli.configured import config_option
from bff.errors import ConfigError, Problem


@click.command(name="check")
@config_option
@click.option("--strict", is_flag=True, help="Count warnings as errors.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for a program.")
def command(config: Path, *, strict: bool, as_json: bool) -> None:
    """Check a configuration, and say everything that is wrong with it at once.

    Ends with 0 if it can be served, with 2 if not.

    \b
    Examples:
      bff check
      bff check --config other/config --json
    """  # noqa: D301 - \b is click's: keep these lines as they are
    from bff.declare.check import check
    from bff.declare.sign_in import sign_in_problems

    problems: tuple[Problem, ...]
    try:
        found = check(config)
        summary = _count(len(found.plans))
        found_problems = (*found.warnings, *found.unsafe, *sign_in_problems(found.config))
        problems = tuple(sorted(found_problems, key=lambda each: each.place.order))
    except ConfigError as error:
        problems, summary = error.problems, ""
    errors = sum(strict or not problem.warning for problem in problems)
    if as_json:
        click.echo(_json(problems, good=not errors))
    else:
        for problem in problems:
            click.echo(str(problem), err=True)
        others = len(problems) - errors
        counts = [f"{errors} error(s)"] * bool(errors) + [f"{others} warning(s)"] * bool(others)
        click.echo(", ".join([*([summary] if not errors else []), *counts]))
    sys.exit(2 if errors else 0)


def _count(views: int) -> str:
    return "1 view is good" if views == 1 else f"{views} views are good"


def _json(problems: tuple[Problem, ...], *, good: bool) -> str:
    import orjson

    told = [
        {
            "file": each.place.file,
            "line": each.place.line,
            "column": each.place.column,
            "severity": "warning" if each.warning else "error",
            "message": each.message,
            "hint": each.hint or None,
        }
        for each in problems
    ]
    return orjson.dumps({"good": good, "problems": told}, option=orjson.OPT_INDENT_2).decode()
