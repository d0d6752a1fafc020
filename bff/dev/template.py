"""The template of a new project: the files of `new_project` by their names in the project."""

from pathlib import Path
from typing import Final

_FOLDER: Final = Path(__file__).parent / "new_project"
_SUFFIX: Final = ".in"  # so that tools do not treat them as files of this repository


def files() -> dict[str, bytes]:
    """The content of each file, by its path in the project."""
    paths = sorted(path for path in _FOLDER.rglob(f"*{_SUFFIX}") if path.is_file())
    return {
        str(path.relative_to(_FOLDER)).removesuffix(_SUFFIX): path.read_bytes() for path in paths
    }
