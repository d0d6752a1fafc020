"""The files of a configuration: which of a folder are read, and under which names."""

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from bff.declare.load import Loaded, load
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
    """The files that a configuration is read from, each with its name in messages."""
    paths = [folder / "bff.yaml"]
    for name in ("views", "calls", "relays"):
        paths += files(folder / name)
    paths += files(folder / "views", "*.py")
    for path in paths:
        yield path, shown(path)


def unread_files(folder: Path) -> Iterator[Path]:
    """Files that look like configuration, and stand where nothing is read."""
    for name in ("views", "calls", "relays"):
        yield from files(folder, f"{name}/**/*.yml")
        yield from (path for path in files(folder, f"{name}/*/**/*.yaml") if path.is_file())


def gunicorn_files(folder: Path) -> Iterator[Problem]:
    """A `gunicorn.conf.py`: bff reads none, and one that is there is meant to have an effect."""
    path = folder / _GUNICORN
    if path.exists() or path.is_symlink():
        yield Problem("gunicorn-file", Place(shown(path)), _GUNICORN_MESSAGE)


def files(folder: Path, pattern: str = "*.yaml") -> Iterator[Path]:
    """The files of a folder, in the order of their names, but for hidden ones.

    Editors and Kubernetes put those beside what they write: `.#hello.yaml`, `..data`.
    """
    for path in sorted(folder.glob(pattern)):
        if not is_hidden(path.relative_to(folder)):
            yield path


def is_hidden(path: Path) -> bool:
    """Whether the name of a file, or of a folder that leads to it, begins with a dot."""
    return any(part.startswith(".") for part in path.parts)


def load_file(path: Path, environ: Mapping[str, str]) -> Loaded:
    """One file; what is wrong with it is a value, for others to go on."""
    try:
        return load(path, shown(path), environ)
    except ConfigError as error:
        return error


def load_folder(folder: Path, environ: Mapping[str, str]) -> dict[str, Loaded]:
    """The YAML files of a folder, by their names without `.yaml`."""
    loaded: dict[str, Loaded] = {}
    for path in files(folder):
        try:
            _check_stem(path)
            loaded[path.stem] = load_file(path, environ)
        except ConfigError as error:
            loaded[path.stem] = error
    return loaded


def load_python_views(folder: Path) -> tuple[dict[str, PythonView], dict[str, Loaded]]:
    """The views in Python, and what is wrong with those that could not be loaded."""
    found: dict[str, PythonView] = {}
    broken: dict[str, Loaded] = {}
    for path in files(folder, "*.py"):
        try:
            _check_stem(path)
            found[path.stem] = load_python(path, shown(path))
        except ConfigError as error:
            broken[path.stem] = error
    return found, broken


def _check_stem(path: Path) -> None:
    if not _STEM.fullmatch(path.stem):
        hint = "small letters, digits and `_`"
        raise wrong("file-name", Place(shown(path)), f"`{path.stem}` is no name", hint)


def shown(path: Path) -> str:
    """A path as messages name it: from here, if it is below here."""
    relative = os.path.relpath(path)
    return str(path) if relative.startswith("..") else relative
