"""Prose uses the field's standard terms: no page, docstring or message has a word of `WORDS`.

`python tests/project/test_words.py bff/engine docs/caching.md` prints every finding below these
paths, as file:line, also in rooms that are still to be cleaned.
"""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT = Path(__file__).parents[2]
# The words, and what is usually meant.
WORDS: Final = {
    "nobody": "no user, no client, anonymous",
    "somebody": "a user, a client",
    "anybody": "any user, any client",
    "whoever": "the user who, the client that",
    "of ours": "of bff, of this process",
    "told": "documented, notified, configured",
    "heard": "received, observed",
    "kept": "cached, stored",
    "said": "declared, configured",
}
_PATTERN: Final = re.compile(
    r"\b(" + "|".join(word.replace(" ", r"\s+") for word in WORDS) + r")\b", re.IGNORECASE
)
# Code is not prose: fenced blocks, code spans, and the targets of links.
_FENCE: Final = re.compile(r"^ *```.*?^ *```$", re.MULTILINE | re.DOTALL)
_SPAN: Final = re.compile(r"(`+)(?:(?!\1|\n\n).)+\1|(?<=\])\([^)\s]*\)", re.DOTALL)


@dataclass(frozen=True)
class Finding:
    """A word of the list, the line where it stands, and that line without its code."""

    file: str
    line: int
    word: str
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.word!r} ({WORDS[self.word]}): {self.text}"


@dataclass(frozen=True)
class Permitted:
    """A place where a word is the right one: an entry of words.toml."""

    file: str
    word: str
    text: str
    reason: str

    def covers(self, finding: Finding) -> bool:
        """Whether a finding is at this place."""
        same = (self.file, self.word) == (finding.file, finding.word)
        return same and self.text in finding.text


def findings_in(prose: str, file: str, first: int = 1) -> Iterator[Finding]:
    """The words of the list in a text that begins at line `first` of a file."""
    for code in (_FENCE, _SPAN):  # replaced by as many lines
        prose = code.sub(lambda match: "`" + "\n" * match[0].count("\n") + "`", prose)
    lines = prose.split("\n")
    for match in _PATTERN.finditer(prose):
        number = prose.count("\n", 0, match.start())
        word = " ".join(match[1].lower().split())
        yield Finding(file, first + number, word, lines[number].strip())


def findings_of(path: Path) -> Iterator[Finding]:
    """The words of the list in a page, or in the docstrings and other texts of a module."""
    file = str(path.relative_to(ROOT))
    if path.suffix == ".md":
        yield from findings_in(path.read_text(), file)
        return
    tree = ast.parse(path.read_text())
    names = {  # those that a package exports, in `__all__`
        id(part)
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
        for part in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in names:
            continue
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from findings_in(node.value, file, node.lineno)


def checked_files() -> list[Path]:
    """The pages that users read, and every module."""
    pages = {*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")}
    pages |= {ROOT / "nginx/README.md", ROOT / "tests/golden/README.md"}
    return sorted(pages | {*(ROOT / "bff").rglob("*.py")})


def permitted() -> list[Permitted]:
    """The exceptions."""
    table = tomllib.loads((ROOT / "tests/project/words.toml").read_text())
    return [Permitted(**entry) for entry in table["permitted"]]


def findings() -> list[Finding]:
    """Every finding that is no exception."""
    exceptions = permitted()
    return [
        finding
        for path in checked_files()
        for finding in findings_of(path)
        if not any(exception.covers(finding) for exception in exceptions)
    ]


def test_prose_uses_the_standard_terms() -> None:
    found = list(map(str, findings()))
    assert not found, "\n".join(found)


def test_every_exception_is_needed_and_has_a_reason() -> None:
    for exception in permitted():
        covered = map(exception.covers, findings_of(ROOT / exception.file))
        assert any(covered), f"{exception} is not needed any more"
        assert len(exception.reason.split()) > 2


def test_each_word_is_found_where_it_stands() -> None:
    text = "One\ntwo: Told, a file of\nours. `kept`\n```\nsaid\n```\nsee [it](heard.md), heard\n"
    found = [(each.line, each.word) for each in findings_in(text, "page.md")]
    assert found == [(2, "told"), (2, "of ours"), (7, "heard")]


def main(paths: list[str]) -> int:
    """Print the findings below some paths; 1 if there are any."""
    wanted = tuple(path.rstrip("/") for path in paths) or ("",)
    found = [each for each in findings() if each.file.startswith(wanted)]
    print(*found, sep="\n", end="\n" if found else "")
    print(f"{len(found)} findings", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
