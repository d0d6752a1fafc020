"""docs/problems.md lists every problem of `bff check`; the code uses these ids and no others.

`python tests/project/test_problems_page.py` writes the page anew.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from bff.declare.rules import GROUPS, RULES

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/problems.md"
OPEN = """\
# What `bff check` reports

For developers of views: every problem of a configuration. Each ends with its id in brackets;
`bff check --explain ID` prints the entry below. `--json` and `--sarif` give the same to programs
and to code review.

A warning can be accepted, with a reason, by a comment on its line or above it:

```text
# bff: ignore path-may-be-missing because the page is only linked with an id
```

Errors, and problems that `bff serve` refuses, cannot be ignored. A comment without a reason, or
about a problem that is not there, is a problem itself. This page is written by `make docs`.
"""
MAKERS = {"Problem", "wrong", "_wrong", "_unsafe", "_problem"}
ID = re.compile(r"[a-z]+(-[a-z]+)*")


def page() -> str:
    parts = [OPEN]
    for title, rules in GROUPS.items():
        parts.append(f"\n## {title}\n")
        for rule in rules:
            accepted = "" if rule.may_be_ignored else " It cannot be ignored."
            about = f"{rule.title}. {rule.why}{accepted}"
            parts.append(f"\n### {rule.id}\n\n{about}\n\nInstead: {rule.instead}\n")
    return "".join(parts)


def ids_in_code() -> Iterator[tuple[str, str]]:
    """Every id that code gives to a problem, with its place."""
    for path in sorted((ROOT / "bff").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            first = node.args[0]
            if name in MAKERS and isinstance(first, ast.Constant) and isinstance(first.value, str):
                yield first.value, f"{path.relative_to(ROOT)}:{node.lineno}"


def test_the_page_is_what_the_code_says() -> None:
    assert PAGE.read_text() == page(), "run `make docs`"


def test_every_id_of_the_code_is_explained() -> None:
    unknown = [(id_, place) for id_, place in ids_in_code() if id_ not in RULES]
    assert unknown == []


def test_every_rule_is_reported_somewhere() -> None:
    assert RULES.keys() - {id_ for id_, _ in ids_in_code()} == set()


def test_ids_are_unique_and_stable_in_form() -> None:
    rules = [rule for group in GROUPS.values() for rule in group]
    assert len({rule.id for rule in rules}) == len(rules)
    assert [rule.id for rule in rules if not ID.fullmatch(rule.id)] == []
    for rule in rules:
        assert rule.title, rule.id
        assert (rule.why[-1], rule.instead[-1]) == (".", "."), rule.id


if __name__ == "__main__":
    PAGE.write_text(page())
