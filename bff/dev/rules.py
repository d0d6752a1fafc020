"""What is declared of recordings, in `rules.toml` beside them: what is secret, what is loose."""

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from bff.dev.recording import RecordingError
from bff.model.problem import did_you_mean

FILE: Final = "rules.toml"
_SECTIONS: Final = {
    "redact": ("headers", "query", "paths", "patterns", "allow"),
    "match": ("ignore_query", "ignore_body"),
}


@dataclass(frozen=True, slots=True)
class Redaction:
    """What besides the usual is secret, and what looks it and is not.

    Args:
        headers: names, in lower case.
        query: names of parameters.
        paths: of values in JSON bodies, such as `items[].email`; `..email` is one at any depth.
        patterns: what is replaced wherever it stands.
        allow: what the scan for secrets lets pass.
    """

    headers: frozenset[str] = frozenset()
    query: frozenset[str] = frozenset()
    paths: tuple[str, ...] = ()
    patterns: tuple[re.Pattern[str], ...] = ()
    allow: tuple[re.Pattern[str], ...] = ()


@dataclass(frozen=True, slots=True)
class Looseness:
    """What of a request does not count when its recorded entry is looked for.

    Each is a name, or `service:name` for one service alone.

    Args:
        query: parameters.
        body: paths in JSON bodies, as in `Redaction`.
    """

    query: frozenset[str] = frozenset()
    body: tuple[str, ...] = ()

    def of(self, service: str) -> "Looseness":
        """What holds for one service, without its name."""
        query = frozenset(each for name in self.query if (each := _own(service, name)))
        return Looseness(query, tuple(each for name in self.body if (each := _own(service, name))))


@dataclass(frozen=True, slots=True)
class Rules:
    """Everything declared of a folder of recordings."""

    redact: Redaction = field(default_factory=Redaction)
    match: Looseness = field(default_factory=Looseness)


def read_rules(folder: Path) -> Rules:
    """The rules of a folder; none where it has no rules.toml.

    Raises:
        RecordingError: the file is not as it should be, and where.
    """
    file = folder / FILE
    try:
        given = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Rules()
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise RecordingError(f"{file}: {error}") from error
    _known(file, "", given, _SECTIONS)
    for name, keys in _SECTIONS.items():
        _known(file, f"{name}.", _table(file, name, given), keys)
    redact, match = given.get("redact", {}), given.get("match", {})
    patterns = {name: _patterns(file, name, redact.get(name, ())) for name in ("patterns", "allow")}
    return Rules(
        Redaction(
            headers=frozenset(map(str.lower, redact.get("headers", ()))),
            query=frozenset(redact.get("query", ())),
            paths=tuple(redact.get("paths", ())),
            **patterns,
        ),
        Looseness(frozenset(match.get("ignore_query", ())), tuple(match.get("ignore_body", ()))),
    )


def changed_at(tree: Any, path: str, change: Callable[[Any], Any]) -> Any:
    """A copy of JSON in which the values at a path are changed; a member that is `...` is gone."""
    if path.startswith(".."):
        return _anywhere(tree, path[2:], change)
    return _at(tree, path.replace("[]", ".[]").split("."), change)


def _at(tree: Any, steps: list[str], change: Callable[[Any], Any]) -> Any:
    if not steps:
        return change(tree)
    step, rest = steps[0], steps[1:]
    if step in {"[]", ""} and isinstance(tree, list):
        return [_at(each, rest, change) for each in tree]
    if not isinstance(tree, dict):
        return tree
    names = tree.keys() if step == "*" else {step}
    changed = {
        name: _at(each, rest, change) if name in names else each for name, each in tree.items()
    }
    return {name: each for name, each in changed.items() if each is not ...}


def _anywhere(tree: Any, name: str, change: Callable[[Any], Any]) -> Any:
    if isinstance(tree, list):
        return [_anywhere(each, name, change) for each in tree]
    if not isinstance(tree, dict):
        return tree
    changed = {
        key: change(each) if key == name else _anywhere(each, name, change)
        for key, each in tree.items()
    }
    return {key: each for key, each in changed.items() if each is not ...}


def _own(service: str, name: str) -> str:
    of, _, own = name.rpartition(":")
    return own if of in {"", service} else ""


def _table(file: Path, name: str, given: Mapping[str, Any]) -> Mapping[str, Any]:
    table = given.get(name, {})
    if not isinstance(table, dict):
        raise RecordingError(f"{file}: {name}: should be a table, as [{name}]")
    for key, value in table.items():
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            raise RecordingError(f"{file}: {name}.{key}: should be a list of texts")
    return table


def _known(file: Path, where: str, given: Mapping[str, Any], known: Any) -> None:
    for key in given:
        if key not in known:
            hint = did_you_mean(key, known)
            raise RecordingError(f"{file}: {where}{key}: is not known; {hint}".rstrip("; "))


def _patterns(file: Path, name: str, texts: list[str]) -> tuple[re.Pattern[str], ...]:
    try:
        return tuple(map(re.compile, texts))
    except re.error as error:
        raise RecordingError(f"{file}: redact.{name}: is no pattern: {error}") from error
