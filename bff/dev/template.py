"""The files of a new project, as they are in `new_project`, by the names that they get."""

from pathlib import Path
from typing import Final

_FOLDER: Final = Path(__file__).parent / "new_project"
_SUFFIX: Final = ".in"  # so that no tool takes them for files of ours


def files() -> dict[str, bytes]:
    """What is in each file, by its path in the project."""
    paths = sorted(path for path in _FOLDER.rglob(f"*{_SUFFIX}") if path.is_file())
    return {
        str(path.relative_to(_FOLDER)).removesuffix(_SUFFIX): path.read_bytes() for path in paths
    }
