"""The secret of sessions where none is declared: made once, and kept beside their store."""

import os
from pathlib import Path
from secrets import token_urlsafe
from typing import Final

from bff.errors import ConfigError
from bff.model.problem import Problem
from bff.model.source import Place

_FILE: Final = "session-secret"
_BYTES: Final = 32
_read: Final[dict[Path, str]] = {}  # by this process, or the one that it was forked from


def kept_secret(folder: Path, name: str = _FILE) -> str:
    """The secret of a folder; made if there is none, by one process of however many.

    It is read once by a process and all that it forks: where the file is deleted or replaced
    meanwhile, a process that starts later opens what the others have sealed all the same.

    Args:
        name: of its file.

    Raises:
        ConfigError: the folder cannot be written, and `session.secrets` has none.
    """
    path = (folder / name).absolute()
    if path in _read:
        return _read[path]
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.is_file():
            _make(path)
        return _read.setdefault(path, path.read_text())
    except OSError as error:
        message = f"no secret can be kept in {folder}: {error.strerror}"
        hint = "declare `session.secrets`, or name a folder that can be written: BFF_STATE"
        raise ConfigError([Problem("setting", Place("environment"), message, hint)]) from None


def _make(path: Path) -> None:
    """Write a new one aside, and move it there whole unless somebody else was first."""
    aside = path.with_name(f"{path.name}.{token_urlsafe(8)}")
    handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(token_urlsafe(_BYTES))
    try:
        os.link(aside, path)
    except FileExistsError:
        pass
    finally:
        aside.unlink()
