"""The rules of recordings in `rules.toml`: redaction, and what matching ignores."""

import re
import tomllib
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from bff.dev.har_files import RecordingError, har_files
from bff.model.problem import did_you_mean

FILE: Final = "rules.toml"
_SECTIONS: Final = {
    "redact": ("headers", "query", "paths", "patterns", "allow"),
    "match": ("ignore_query", "ignore_body"),
}
_PATH: Final = re.compile(r"(?:\.\.)?(?:(?:\[\])+|[^.\[\]]+(?:\[\])*)(?:\.[^.\[\]]+(?:\[\])*)*")
_MEDIA: Final = re.compile(r"[a-z]+/[a-z0-9.+-]+")


@dataclass(frozen=True, slots=True)
class AllowList:
    """What is not a secret although it looks like one.

    Args:
        texts: as written: the name of a header, a path, or a media type.
        patterns: those of the texts that are regular expressions.
    """

    texts: tuple[str, ...] = ()
    patterns: tuple[re.Pattern[str], ...] = ()

    def header(self, name: str) -> bool:
        """True if a header of this name may have any value."""
        return name.lower() in {each.lower() for each in self.texts}

    def body(self, media_type: str) -> bool:
        """True if unreadable bodies of this media type are written."""
        return media_type in self.texts

    def at(self, at: tuple[str | int, ...]) -> bool:
        """True if a value at this path may be anything."""
        return any(is_at(at, each) for each in self.texts if _PATH.fullmatch(each))


@dataclass(frozen=True, slots=True)
class RedactionRules:
    """What is secret, or allowed, in addition to the built-in rules.

    Args:
        headers: names, in lower case.
        query: names of parameters.
        paths: of values in JSON and XML, such as `items[].email`; `..email` matches at any depth.
            In a form, the name of a field.
        patterns: replaced in any text.
        allow: what the scan for secrets ignores.
    """

    headers: frozenset[str] = frozenset()
    query: frozenset[str] = frozenset()
    paths: tuple[str, ...] = ()
    patterns: tuple[re.Pattern[str], ...] = ()
    allow: AllowList = AllowList()


@dataclass(frozen=True, slots=True)
class MatchRules:
    """What is ignored when a request is matched with recorded entries.

    Each is a name, or `service:name` for one service.

    Args:
        query: parameters.
        body: paths in JSON bodies, as in `RedactionRules`.
    """

    query: frozenset[str] = frozenset()
    body: tuple[str, ...] = ()

    def of(self, service: str) -> "MatchRules":
        """The rules for one service, without its name."""
        query = frozenset(each for name in self.query if (each := _own(service, name)))
        return MatchRules(query, tuple(each for name in self.body if (each := _own(service, name))))


@dataclass(frozen=True, slots=True)
class RecordingRules:
    """All rules of a folder of recordings."""

    redact: RedactionRules = field(default_factory=RedactionRules)
    match: MatchRules = field(default_factory=MatchRules)


def read_rules(folder: Path, services: Iterable[str] = ()) -> RecordingRules:
    """The rules of a folder; the defaults if it has no rules.toml.

    Args:
        services: the declared services; recorded ones are known in any case.

    Raises:
        RecordingError: the file is invalid; the message names the place.
    """
    file = folder / FILE
    try:
        given = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return RecordingRules()
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise RecordingError(f"{file}: {error}") from error
    _known(file, "", given, _SECTIONS)
    for name, keys in _SECTIONS.items():
        _known(file, f"{name}.", _table(file, name, given), keys)
    redact, match = given.get("redact", {}), given.get("match", {})
    known = {*services, *(each.stem for each in har_files(folder))}
    for name, given_names in match.items():
        _check_services(file, f"match.{name}", given_names, known)
    _check_paths(file, "redact.paths", redact.get("paths", ()))
    own = [each.rpartition(":")[2] for each in match.get("ignore_body", ())]
    _check_paths(file, "match.ignore_body", own)
    return RecordingRules(
        RedactionRules(
            headers=frozenset(map(str.lower, redact.get("headers", ()))),
            query=frozenset(redact.get("query", ())),
            paths=tuple(redact.get("paths", ())),
            patterns=_patterns(file, "patterns", redact.get("patterns", ())),
            allow=_allowed(file, redact.get("allow", ())),
        ),
        MatchRules(frozenset(match.get("ignore_query", ())), tuple(match.get("ignore_body", ()))),
    )


def is_at(at: tuple[str | int, ...], path: str) -> bool:
    """True if a value is at a path, or below it."""
    steps = _steps(path)
    starts = range(len(at)) if path.startswith("..") else (0,)
    return any(_leads(at[start:], steps) for start in starts)


def _leads(at: tuple[str | int, ...], steps: tuple[str, ...]) -> bool:
    if len(at) < len(steps):
        return False
    pairs = zip(at, steps, strict=False)
    return all(
        step == "[]" if isinstance(each, int) else step in {"*", each} for each, step in pairs
    )


@lru_cache(maxsize=1024)
def _steps(path: str) -> tuple[str, ...]:
    return tuple(filter(None, path.replace("[]", ".[]").split(".")))


def changed_at(tree: Any, path: str, change: Callable[[Any], Any]) -> Any:
    """A copy of JSON with the values at a path changed; a member changed to `...` is removed."""
    steps = list(_steps(path))
    return _anywhere(tree, steps, change) if path.startswith("..") else _at(tree, steps, change)


def _at(tree: Any, steps: list[str], change: Callable[[Any], Any]) -> Any:
    if not steps:
        return change(tree)
    step, rest = steps[0], steps[1:]
    if isinstance(tree, list):
        return [_at(each, rest, change) for each in tree] if step == "[]" else tree
    if not isinstance(tree, dict):
        return tree
    names = tree.keys() if step == "*" else {step}
    changed = {
        name: _at(each, rest, change) if name in names else each for name, each in tree.items()
    }
    return {name: each for name, each in changed.items() if each is not ...}


def _anywhere(tree: Any, steps: list[str], change: Callable[[Any], Any]) -> Any:
    made = _at(tree, steps, change)
    if isinstance(made, list):
        return [_anywhere(each, steps, change) for each in made]
    if not isinstance(made, dict):
        return made
    return {name: _anywhere(each, steps, change) for name, each in made.items()}


def _own(service: str, name: str) -> str:
    of, _, own = name.rpartition(":")
    return own if of in {"", service} else ""


def _table(file: Path, name: str, given: Mapping[str, Any]) -> Mapping[str, Any]:
    table = given.get(name, {})
    if not isinstance(table, dict):
        raise RecordingError(f"{file}: {name}: should be a table, as [{name}]")
    for key, value in table.items():
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            raise RecordingError(f"{file}: {name}.{key}: should be a list of strings")
    return table


def _known(file: Path, where: str, given: Mapping[str, Any], known: Any) -> None:
    for key in given:
        if key not in known:
            hint = did_you_mean(key, known)
            raise RecordingError(f"{file}: {where}{key}: is not known; {hint}".rstrip("; "))


def _patterns(file: Path, name: str, texts: Iterable[str]) -> tuple[re.Pattern[str], ...]:
    try:
        return tuple(map(re.compile, texts))
    except re.error as error:
        raise RecordingError(f"{file}: redact.{name}: is not a pattern: {error}") from error


def _allowed(file: Path, texts: list[str]) -> AllowList:
    patterns = [each for each in texts if "[]" not in each and not _MEDIA.fullmatch(each)]
    return AllowList(tuple(texts), _patterns(file, "allow", patterns))


def _check_paths(file: Path, key: str, paths: Iterable[str]) -> None:
    for path in paths:
        if not _PATH.fullmatch(path):
            each = re.sub(r"\[[^\]]*\]", "[]", path).removeprefix("$.").removeprefix("$")
            hint = f"; `{each}` is each of them" if _PATH.fullmatch(each) else ""
            raise RecordingError(
                f"{file}: {key}: `{path}` is no path, such as items[].email or ..email{hint}"
            )


def _check_services(file: Path, key: str, names: Iterable[str], known: Collection[str]) -> None:
    for name in names:
        service, colon, _ = name.rpartition(":")
        if colon and known and service not in known:
            hint = did_you_mean(service, known)
            raise RecordingError(
                f"{file}: {key}: `{name}`: there is no service `{service}`; {hint}".rstrip("; ")
            )
