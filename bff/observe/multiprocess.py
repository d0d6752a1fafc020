"""prometheus_client's multiprocess mode: merges the files of ended worker processes.

Each process writes files of its own. The library retains those of ended processes for ever, since
counters must not decrease; here they are merged into one, under a lock that readers share.
"""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from prometheus_client.mmap_dict import MmapedDict, mmap_key

from bff.observe.instruments import Instrument
from bff.observe.reserved_mmap import reserve

VARIABLE: Final = "PROMETHEUS_MULTIPROC_DIR"
_SUMMED: Final = ("counter", "histogram")
_ENDED: Final = 0  # the process id in the name of the merged files


@contextmanager
def reading(folder: Path) -> Iterator[None]:
    """A shared lock: no file is merged while all are read, so nothing is counted twice."""
    with _locked(folder, fcntl.LOCK_SH):
        yield


def merge_ended(folder: Path, process: int) -> None:
    """Merge the counters and histograms of an ended process, and delete its gauges.

    Raises:
        OSError: there is no disk space; its files remain, and are still read.
    """
    with _locked(folder, fcntl.LOCK_EX):
        for gauge in folder.glob(f"gauge_*_{process}.db"):
            gauge.unlink()
        for kind in _SUMMED:
            ended = folder / f"{kind}_{process}.db"
            if ended.exists():
                _add(ended, folder / f"{kind}_{_ENDED}.db")
                ended.unlink()


def count(folder: Path, instrument: Instrument, labels: tuple[str, ...]) -> None:
    """Increment a counter for a process without files of its own, such as gunicorn's master."""
    name, names = instrument.name, list(instrument.labels)
    key = mmap_key(name.removesuffix("_total"), name, names, list(labels), instrument.says)
    with _locked(folder, fcntl.LOCK_EX):
        total = MmapedDict(str(folder / f"{instrument.kind}_{_ENDED}.db"))
        try:
            before, at = total.read_value(key)
            total.write_value(key, before + 1, at)
        finally:
            total.close()


def _add(ended: Path, to: Path) -> None:
    reserve(str(to), sum(each.stat().st_size for each in (ended, to) if each.exists()))
    total = MmapedDict(str(to))
    try:
        for key, value, at, _ in MmapedDict.read_all_values_from_file(str(ended)):
            before, until = total.read_value(key)
            total.write_value(key, before + value, max(at, until))
    finally:
        total.close()


@contextmanager
def _locked(folder: Path, how: int) -> Iterator[None]:
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, how)
        yield
