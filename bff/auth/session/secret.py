"""The generated secret of sessions, if none is declared: a file beside the session store."""

import os
from pathlib import Path
from secrets import token_urlsafe
from typing import Final

from bff.errors import ConfigError
from bff.model.problem import Problem
from bff.model.source import Place

_FILE: Final = "session-secret"
_BYTES: Final = 32
_read: Final[dict[Path, str]] = {}  # by this process, or its parent before a fork


def load_or_create_secret(folder: Path, name: str = _FILE) -> str:
    """Read the secret of a folder; create it atomically if there is none.

    A process and its forks read it once: if the file is deleted or replaced later, new workers
    still decrypt what the others have encrypted.

    Args:
        name: of its file.

    Raises:
        ConfigError: the folder cannot be written, and `session.secrets` is empty.
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
        message = f"no secret can be stored in {folder}: {error.strerror}"
        hint = "declare `session.secrets`, or set BFF_STATE to a writable folder"
        raise ConfigError([Problem("setting", Place("environment"), message, hint)]) from None


def _make(path: Path) -> None:
    """Write a new secret to a temporary file and link it, unless another process was first."""
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
