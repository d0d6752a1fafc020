"""The files in which processes share their figures: read as one, and those of the dead merged.

Each process writes files of its own (prometheus_client's multiprocess mode). The library keeps
those of ended processes for ever, as counters must not go back; here they become one.
"""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from prometheus_client.mmap_dict import MmapedDict, mmap_key

from bff.observe.figures import reserve
from bff.observe.instruments import Instrument

VARIABLE: Final = "PROMETHEUS_MULTIPROC_DIR"
_ADDED_UP: Final = ("counter", "histogram")
_NOBODY: Final = 0  # the process id of all that have ended


@contextmanager
def reading(folder: Path) -> Iterator[None]:
    """While this lasts, nothing is merged, so nothing is counted twice or not at all."""
    with _locked(folder, fcntl.LOCK_SH):
        yield


def bury(folder: Path, process: int) -> None:
    """Add what an ended process has counted to that of all others, and forget its gauges.

    Where there is no room for the sum its files stay as they are, which are read as well.

    Raises:
        OSError: there is none.
    """
    with _locked(folder, fcntl.LOCK_EX):
        for gauge in folder.glob(f"gauge_*_{process}.db"):
            gauge.unlink()
        for kind in _ADDED_UP:
            dead = folder / f"{kind}_{process}.db"
            if dead.exists():
                _add(dead, folder / f"{kind}_{_NOBODY}.db")
                dead.unlink()


def count(folder: Path, instrument: Instrument, labels: tuple[str, ...]) -> None:
    """Count one for a process that has no files of its own, such as gunicorn's master."""
    name, names = instrument.name, list(instrument.labels)
    key = mmap_key(name.removesuffix("_total"), name, names, list(labels), instrument.says)
    with _locked(folder, fcntl.LOCK_EX):
        total = MmapedDict(str(folder / f"{instrument.kind}_{_NOBODY}.db"))
        try:
            before, at = total.read_value(key)
            total.write_value(key, before + 1, at)
        finally:
            total.close()


def _add(dead: Path, to: Path) -> None:
    reserve(str(to), sum(each.stat().st_size for each in (dead, to) if each.exists()))
    total = MmapedDict(str(to))
    try:
        for key, value, at, _ in MmapedDict.read_all_values_from_file(str(dead)):
            before, until = total.read_value(key)
            total.write_value(key, before + value, max(at, until))
    finally:
        total.close()


@contextmanager
def _locked(folder: Path, how: int) -> Iterator[None]:
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, how)
        yield
