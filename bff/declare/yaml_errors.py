"""Explains YAML syntax errors: the likely mistake, and what to write instead.

libyaml reports the token that it did not expect, which is seldom the mistake. Each entry of
`_EXPLANATIONS` maps one of its messages to the mistake that usually causes it.
"""

import re
from dataclasses import dataclass
from typing import Final

import yaml

from bff.model.source import Place

_OPEN_QUOTE: Final = "a quote is opened here and never closed"
_EXPLANATIONS: Final[tuple[tuple[str, str, str], ...]] = (
    # a part of the message of libyaml, the mistake, what to write instead
    (
        "did not find expected '-' indicator",
        "an entry of a list without its `- `, or indented differently from the entries above",
        "all entries of a list start with `- ` in the same column",
    ),
    (
        "did not find expected ',' or '}'",
        "the braces are not closed, or a comma is missing",
        "`{get: users:/users, timeout: 1s}`",
    ),
    (
        "did not find expected ',' or ']'",
        "the brackets are not closed, or a comma is missing",
        "`[web, mobile]`",
    ),
    ("did not find expected node content", "a value is missing here", "`key: value`"),
    ("found unexpected end of stream", _OPEN_QUOTE, "close it with the same quote"),
    (
        "unknown escape character",
        "a backslash in double quotes begins an escape, and this escape is unknown",
        "in single quotes a backslash is literal: `'\\d+'`",
    ),
    ("found unexpected document indicator", _OPEN_QUOTE, "close it with the same quote"),
    (
        "could not find expected ':'",
        "a key without its `: `",
        "`key: value`, with a blank after the colon",
    ),
    (
        "found unexpected ':'",
        "a colon without a blank after it",
        "`key: value`, with a blank after the colon",
    ),
    (
        "block sequence entries are not allowed",
        "a list begins on the line of its key",
        "begin the list on the next line, or write it in brackets: `[web, mobile]`",
    ),
    (
        "did not find expected <document start>",
        "a file is one mapping, and there is text before or after it",
        "every line is `key: value`",
    ),
    (
        "but found another document",
        "a second document begins here",
        "a file is one document: remove the `---`",
    ),
    (
        "expected comment or line break",
        "text on the line of `|` or `>`",
        "the text begins on the next line, indented",
    ),
    (
        "control characters are not allowed",
        "a control character that YAML does not allow",
        "remove it, or write it as an escape in double quotes",
    ),
)
_QUOTED: Final = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'[^']*'")
_BARE_BRACES: Final = re.compile(
    r"[^\s\[{,:-]\{|\{(?!\s)[^}:]*(\}|$)"
)  # `/users/{id}`, `{a.b[?c]}`
_BARE_BRACKETS: Final = re.compile(r"\w\[[\]?*:\d]")  # `orders[?open]`, within braces
_RESERVED_STARTS: Final = {
    "@": "a text that begins with `@` needs quotes",
    "`": "a text that begins with a backtick needs quotes: '`3`'",
    "%": "a text that begins with `%` needs quotes",
}


@dataclass(frozen=True, slots=True)
class SyntaxMistake:
    """An explained syntax error."""

    place: Place
    message: str
    hint: str


def explain_syntax_error(text: str, shown: str, error: yaml.MarkedYAMLError) -> SyntaxMistake:
    """Explain a syntax error.

    Args:
        text: the whole file.
        shown: the name of the file in messages.
    """
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line, mark.column) if mark else (0, 0)
    place = Place(shown, line + 1, column + 1)
    lines = text.splitlines()
    here = lines[line] if line < len(lines) else ""
    problem = str(error.problem or "")
    for found in (
        _tab(here),
        _braces(lines, line, error),
        _start(here, column, problem),
        _colons(here, problem),
    ):
        if found:
            return SyntaxMistake(place, *found)
    if "did not find expected key" in problem:
        return SyntaxMistake(place, *_indentation(lines, line, error))
    if error.context and "quoted scalar" in error.context and error.context_mark:
        mark = error.context_mark  # where the quote was opened, not the end of the file
        place = Place(shown, mark.line + 1, mark.column + 1)
    for part, message, hint in _EXPLANATIONS:
        if part in problem:
            return SyntaxMistake(place, f"this is not YAML: {message}", hint)
    return SyntaxMistake(place, f"this is not YAML: {problem}", "")


def _tab(here: str) -> tuple[str, str] | None:
    if "\t" in here[: len(here) - len(here.lstrip())]:
        return "this is not YAML: a tab indents this line", "YAML is indented with blanks"
    return None


def _braces(lines: list[str], line: int, error: yaml.MarkedYAMLError) -> tuple[str, str] | None:
    """Text with braces and without quotes, on this line or where the braces were opened."""
    opened = error.context_mark.line if error.context_mark else line
    for number in {line, opened}:
        here = _QUOTED.sub('""', lines[number]) if number < len(lines) else ""
        if _BARE_BRACES.search(here.partition(" #")[0]):
            message = "this is not YAML: a text with braces without quotes"
            return message, 'put quotes around all of it: `get: "users:/users/{params.id}"`'
        if _BARE_BRACKETS.search(here.partition(" #")[0]):
            message = "this is not YAML: an expression with brackets without quotes"
            return message, 'within braces it needs them: `{open: "orders[?open].id"}`'
    return None


def _start(here: str, column: int, problem: str) -> tuple[str, str] | None:
    if "cannot start any token" not in problem:
        return None
    char = here[column : column + 1]
    message = f"this is not YAML: a text without quotes cannot begin with `{char}`"
    return message, _RESERVED_STARTS.get(char, "put the text in quotes")


def _colons(here: str, problem: str) -> tuple[str, str] | None:
    if "mapping values are not allowed" not in problem:
        return None
    if _QUOTED.sub("", here).count(": ") > 1:
        message = "this is not YAML: a second `: ` on this line"
        return message, 'a text that contains `: ` needs quotes: `title: "Orders: all"`'
    message = "this is not YAML: this line is indented too far, or the line above lacks its `: `"
    return message, "keys of one mapping begin in the same column, each as `key: value`"


def _indentation(lines: list[str], line: int, error: yaml.MarkedYAMLError) -> tuple[str, str]:
    """A line whose indentation matches no line above, or text after a quoted text.

    For example, the third line here, of which libyaml expects a key:

        calls:
            user: {get: users:/x}
          orders: {get: users:/y}
    """
    mark = error.context_mark
    begun = f" (its mapping begins on line {mark.line + 1})" if mark else ""
    own = len(lines[line]) - len(lines[line].lstrip()) if line < len(lines) else 0
    wanted = mark.column if mark else 0
    if own == wanted or not own:
        message = f"this is not YAML: a key is expected here{begun}"
        if "'" in lines[line]:
            return message, "a single quote within single quotes is written twice: `'it''s'`"
        return message, "each line is `key: value`, and nothing follows a closing quote"
    message = f"this is not YAML: this line is indented by {own}, the keys above by {wanted}"
    return f"{message}{begun}", "keys of one mapping begin in the same column"
