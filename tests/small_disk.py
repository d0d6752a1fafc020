"""Disks of a few kilobytes, to be filled: mounting one takes root."""

import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

SmallDisk = Callable[[int], Path]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """Makes disks of so many kilobytes."""
    made: list[Path] = []

    def make(size: int) -> Path:
        folder = tmp_path / f"disk{len(made)}"
        folder.mkdir()
        _run("mount", "-t", "tmpfs", "-o", f"size={size}k", "tmpfs", str(folder))
        made.append(folder)
        return folder

    yield make
    for folder in made:
        _run("umount", "-l", str(folder))


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Callable[[Path], Path]]:
    """Shows a folder in a second place, where nothing can be written."""
    made: list[Path] = []

    def show(folder: Path) -> Path:
        place = tmp_path / f"read_only{len(made)}"
        place.mkdir()
        _run("mount", "--bind", str(folder), str(place))
        made.append(place)
        _run("mount", "-o", "remount,bind,ro", str(place))
        return place

    yield show
    for place in made:
        _run("umount", "-l", str(place))


def fill(folder: Path) -> None:
    """Leave no room on a disk."""
    with suppress(OSError), (folder / "filler").open("wb", buffering=0) as filler:
        while True:
            filler.write(bytes(4096))


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)  # noqa: S603
