"""Suppression of warnings by comments in the files: `# bff: ignore ID because REASON`.

The comment is on the line of the warning, or above it with only comments between.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bff.declare.rules import RULES
from bff.model.problem import Problem, did_you_mean
from bff.model.source import Place

_COMMENT: Final = re.compile(r"#\s*bff:\s*ignore\b[ \t]*(?P<id>[^\s#]*)[ \t]*(?P<rest>.*)")
_BECAUSE: Final = re.compile(r"because\s+\S")
_BARE_KEY: Final = re.compile(r"\s*[\w-]+:\s*(#.*)?")
_FORM: Final = "`# bff: ignore ID because REASON`"


@dataclass(frozen=True, slots=True)
class IgnoreComment:
    """One comment.

    Args:
        rule: the id of the problem.
        place: that of the comment.
        lines: the lines that it applies to. After a bare key (`user:`) also the first line of its
            mapping, which is the place of the value.
    """

    rule: str
    reason: str
    place: Place
    lines: tuple[int, ...]

    @property
    def problems(self) -> set[tuple[str, int, str]]:
        """The suppressed problems, as file, line and rule."""
        return {(self.place.file, line, self.rule) for line in self.lines}


def ignores_in(files: Iterable[tuple[Path, str]]) -> list[IgnoreComment]:
    """The comments of the given files; files that cannot be read have none.

    Args:
        files: paths, each with its name in messages.
    """
    found: list[IgnoreComment] = []
    for path, shown in files:
        try:
            text = path.read_text()
        except (OSError, UnicodeDecodeError):
            continue  # reported where the file is loaded
        if "bff:" in text:
            found += _ignores(text.splitlines(), shown)
    return found


def _ignores(lines: Sequence[str], shown: str) -> Iterator[IgnoreComment]:
    for number, line in enumerate(lines, 1):
        comment = _COMMENT.search(line)
        if not comment:
            continue
        first = number
        if line.lstrip().startswith("#"):
            first = _next(lines, number)
        rest = comment["rest"].strip()
        reason = rest.removeprefix("because").strip() if _BECAUSE.match(rest) else ""
        yield IgnoreComment(
            comment["id"],
            reason,
            Place(shown, number, comment.start() + 1),
            _lines_from(lines, first),
        )


def _next(lines: Sequence[str], number: int) -> int:
    """The next line that is neither blank nor a comment; lines count from 1."""
    after = enumerate(lines[number:], number + 1)
    return next((n for n, line in after if line.split("#")[0].strip()), number)


def _lines_from(lines: Sequence[str], number: int) -> tuple[int, ...]:
    is_bare = _BARE_KEY.fullmatch(lines[number - 1])
    return (number, _next(lines, number)) if is_bare else (number,)


def wrong_ignores(ignores: Iterable[IgnoreComment]) -> Iterator[Problem]:
    """Problems of comments: an unknown rule, no reason, or a rule that cannot be ignored."""
    for comment in ignores:
        rule = RULES.get(comment.rule)
        if rule is None:
            hint = did_you_mean(comment.rule, RULES) or _FORM
            message = f"`{comment.rule}` is not a problem of `bff check`"
            yield Problem("ignore", comment.place, message, hint)
        elif not rule.may_be_ignored:
            message = f"`{comment.rule}` cannot be ignored: such a configuration is not served"
            yield Problem("ignore", comment.place, message, "correct it")
        elif not comment.reason:
            message = f"`{comment.rule}` is ignored without a reason"
            yield Problem("ignore", comment.place, message, _FORM)


def without_ignored(
    problems: Iterable[Problem], ignores: Iterable[IgnoreComment]
) -> tuple[Problem, ...]:
    """The problems that no comment suppresses."""
    ignored = set[tuple[str, int, str]]().union(
        *(comment.problems for comment in ignores if comment.reason)
    )
    return tuple(
        problem
        for problem in problems
        if not RULES[problem.id].may_be_ignored
        or not problem.warning
        or (problem.place.file, problem.place.line, problem.id) not in ignored
    )


def unused_ignores(
    problems: Iterable[Problem], ignores: Iterable[IgnoreComment]
) -> Iterator[Problem]:
    """Warnings for comments on lines without such a problem.

    Args:
        problems: all problems, those that are suppressed among them.
    """
    found = {(problem.place.file, problem.place.line, problem.id) for problem in problems}
    for comment in ignores:
        if comment.rule in RULES and not comment.problems & found:
            message = f"there is no `{comment.rule}` on line {comment.lines[0]}"
            yield Problem("unused-ignore", comment.place, message, "remove it", warning=True)
