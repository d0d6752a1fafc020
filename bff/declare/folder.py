"""The files of a configuration folder: which are read, and under which names."""

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from bff.declare.load import LoadResult, load
from bff.declare.python import PythonView, load_python
from bff.declare.read import wrong
from bff.errors import ConfigError
from bff.model.problem import Problem
from bff.model.source import Place

_STEM: Final = re.compile("[a-z][a-z0-9_]*")
_GUNICORN: Final = "gunicorn.conf.py"
_GUNICORN_MESSAGE: Final = (
    "delete this file, which is not read, and set BFF_BIND, BFF_WORKERS, BFF_THREADS and the like,"
    " or GUNICORN_CMD_ARGS for what they do not cover"
)


def files_of(folder: Path) -> Iterator[tuple[Path, str]]:
    """The files of a configuration, each with its name in messages."""
    paths = [folder / "bff.yaml"]
    for name in ("views", "calls", "relays"):
        paths += files(folder / name)
    paths += files(folder / "views", "*.py")
    for path in paths:
        yield path, shown(path)


def unread_files(folder: Path) -> Iterator[Path]:
    """Files that look like configuration, but are not read because of their place or suffix."""
    for name in ("views", "calls", "relays"):
        yield from files(folder, f"{name}/**/*.yml")
        yield from (path for path in files(folder, f"{name}/*/**/*.yaml") if path.is_file())


def gunicorn_files(folder: Path) -> Iterator[Problem]:
    """The problem of a `gunicorn.conf.py` in a folder: bff does not read it."""
    path = folder / _GUNICORN
    if path.exists() or path.is_symlink():
        yield Problem("gunicorn-file", Place(shown(path)), _GUNICORN_MESSAGE)


def files(folder: Path, pattern: str = "*.yaml") -> Iterator[Path]:
    """The files of a folder, sorted by name, without hidden ones.

    Editors and Kubernetes create hidden files beside others: `.#hello.yaml`, `..data`.
    """
    for path in sorted(folder.glob(pattern)):
        if not is_hidden(path.relative_to(folder)):
            yield path


def is_hidden(path: Path) -> bool:
    """True if the name of a file, or of one of its folders, begins with a dot."""
    return any(part.startswith(".") for part in path.parts)


def load_file(path: Path, environ: Mapping[str, str]) -> LoadResult:
    """Load one file; its errors are returned, so that other files are checked as well."""
    try:
        return load(path, shown(path), environ)
    except ConfigError as error:
        return error


def load_folder(folder: Path, environ: Mapping[str, str]) -> dict[str, LoadResult]:
    """Load the YAML files of a folder, by their names without `.yaml`."""
    loaded: dict[str, LoadResult] = {}
    for path in files(folder):
        try:
            _check_stem(path)
            loaded[path.stem] = load_file(path, environ)
        except ConfigError as error:
            loaded[path.stem] = error
    return loaded


def load_python_views(folder: Path) -> tuple[dict[str, PythonView], dict[str, LoadResult]]:
    """Load the views in Python: those that succeed, and the errors of the others, by name."""
    found: dict[str, PythonView] = {}
    broken: dict[str, LoadResult] = {}
    for path in files(folder, "*.py"):
        try:
            _check_stem(path)
            found[path.stem] = load_python(path, shown(path))
        except ConfigError as error:
            broken[path.stem] = error
    return found, broken


def _check_stem(path: Path) -> None:
    if not _STEM.fullmatch(path.stem):
        hint = "lower-case letters, digits and `_`, a letter first"
        raise wrong("file-name", Place(shown(path)), f"`{path.stem}` is not a valid name", hint)


def shown(path: Path) -> str:
    """A path as messages show it: relative to the working directory if it is below that."""
    relative = os.path.relpath(path)
    return str(path) if relative.startswith("..") else relative
