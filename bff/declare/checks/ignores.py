"""Warnings that a file takes responsibility for: `# bff: ignore ID because REASON`.

The comment stands on the line of the warning, or above it with only comments between.
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
class Ignore:
    """One comment.

    Args:
        place: where the comment stands.
        lines: those that it is about: one, and after a bare key (`user:`) the first of its mapping,
            where the value has its place.
    """

    rule: str
    reason: str
    place: Place
    lines: tuple[int, ...]

    @property
    def problems(self) -> set[tuple[str, int, str]]:
        """What it ignores: a file, a line and a rule."""
        return {(self.place.file, line, self.rule) for line in self.lines}


def ignores_in(files: Iterable[tuple[Path, str]]) -> list[Ignore]:
    """The comments of some files.

    Args:
        files: paths, each with its name in messages.
    """
    found: list[Ignore] = []
    for path, shown in files:
        try:
            text = path.read_text()
        except (OSError, UnicodeDecodeError):
            continue  # that is a problem of its own, reported where the file is read
        if "bff:" in text:
            found += _ignores(text.splitlines(), shown)
    return found


def _ignores(lines: Sequence[str], shown: str) -> Iterator[Ignore]:
    for number, line in enumerate(lines, 1):
        comment = _COMMENT.search(line)
        if not comment:
            continue
        about = number
        if line.lstrip().startswith("#"):
            about = _next(lines, number)
        rest = comment["rest"].strip()
        reason = rest.removeprefix("because").strip() if _BECAUSE.match(rest) else ""
        yield Ignore(
            comment["id"], reason, Place(shown, number, comment.start() + 1), _about(lines, about)
        )


def _next(lines: Sequence[str], number: int) -> int:
    """The next line that is neither blank nor a comment; lines count from 1."""
    after = enumerate(lines[number:], number + 1)
    return next((n for n, each in after if each.split("#")[0].strip()), number)


def _about(lines: Sequence[str], number: int) -> tuple[int, ...]:
    is_bare = _BARE_KEY.fullmatch(lines[number - 1])
    return (number, _next(lines, number)) if is_bare else (number,)


def wrong_ignores(ignores: Iterable[Ignore]) -> Iterator[Problem]:
    """Comments that name no rule, no reason, or a rule that cannot be ignored."""
    for each in ignores:
        rule = RULES.get(each.rule)
        if rule is None:
            hint = did_you_mean(each.rule, RULES) or _FORM
            message = f"`{each.rule}` is no rule of `bff check`"
            yield Problem("ignore", each.place, message, hint)
        elif not rule.may_be_ignored:
            message = f"`{each.rule}` cannot be ignored: such a configuration is not served"
            yield Problem("ignore", each.place, message, "correct it")
        elif not each.reason:
            message = f"`{each.rule}` is ignored without a reason"
            yield Problem("ignore", each.place, message, _FORM)


def without_ignored(problems: Iterable[Problem], ignores: Iterable[Ignore]) -> tuple[Problem, ...]:
    """The problems that no comment is about."""
    ignored = set[tuple[str, int, str]]().union(*(each.problems for each in ignores if each.reason))
    return tuple(
        each
        for each in problems
        if not RULES[each.id].may_be_ignored
        or not each.warning
        or (each.place.file, each.place.line, each.id) not in ignored
    )


def unused_ignores(problems: Iterable[Problem], ignores: Iterable[Ignore]) -> Iterator[Problem]:
    """Comments about a line that has no such problem any more."""
    found = {(each.place.file, each.place.line, each.id) for each in problems}
    for each in ignores:
        if each.rule in RULES and not each.problems & found:
            message = f"nothing on line {each.lines[0]} is `{each.rule}`"
            yield Problem("unused-ignore", each.place, message, "remove it", warning=True)
