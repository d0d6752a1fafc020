"""Promises about the files themselves: short modules that say what they are, and no stray names."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
MODULES = sorted((ROOT / "bff").rglob("*.py"))
LONGER_THAN_ALLOWED: set[str] = set()
# Written in two parts each, or this file would break its own rule.
FOREIGN = ("/work" + "/", "/opt/" + "wheels", "pypi." + "org", "python" + "hosted.org")


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_every_module_opens_by_saying_what_it_is_for() -> None:
    silent = [name(path) for path in MODULES if not ast.get_docstring(ast.parse(path.read_text()))]
    assert not silent


def test_no_module_has_more_than_300_lines() -> None:
    long = {name(path) for path in MODULES if len(path.read_text().splitlines()) > 300}
    assert long == LONGER_THAN_ALLOWED


def test_a_package_only_exports() -> None:
    exports = (ast.Import, ast.ImportFrom, ast.Assign)  # the assignment is __all__
    command_line = ROOT / "bff/cli/__init__.py"  # holds the group of commands
    packages = {path for path in MODULES if path.name == "__init__.py"} - {command_line}
    for path in sorted(packages):
        for statement in ast.parse(path.read_text()).body[1:]:
            assert isinstance(statement, exports), f"{name(path)}: {ast.unparse(statement)}"


def test_nothing_committed_names_where_it_was_written(committed: list[Path]) -> None:
    found = [
        f"{name(path)}: {word}"
        for path in committed
        for word in FOREIGN
        if word.encode() in path.read_bytes()
    ]
    assert not found


def test_a_committed_script_can_be_run(committed: list[Path]) -> None:
    for path in committed:
        if path.parent.name == ".ci" and path.read_bytes().startswith(b"#!"):
            assert path.stat().st_mode & 0o100, name(path)


def test_no_room_is_called_after_nothing(committed: list[Path]) -> None:
    assert not [path for path in committed if re.fullmatch(r"(utils?|helpers?|common)", path.stem)]
