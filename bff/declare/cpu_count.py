"""How many processors this process may use, also where a container may use fewer than there are."""

import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_CGROUPS: Final = Path("/sys/fs/cgroup")
_OURS: Final = Path("/proc/self/cgroup")


def cores(cgroups: Path = _CGROUPS, ours: Path = _OURS) -> int:
    """Processors, by affinity and by the quotas of our control groups; one at least.

    Args:
        cgroups: where control groups are mounted, version 2 or 1.
        ours: the file that names those of this process.
    """
    affinity = len(os.sched_getaffinity(0))
    return max(1, min([affinity, *(math.ceil(quota) for quota in _quotas(cgroups, ours))]))


def _quotas(cgroups: Path, ours: Path) -> Iterator[float]:
    """The quotas of our group and of all above it: each of them binds."""
    for group in _groups(ours):
        for folder in (group, *group.parents):
            yield from _unified(cgroups / folder / "cpu.max")
            yield from _legacy(cgroups / "cpu" / folder)


def _groups(ours: Path) -> list[Path]:
    try:
        lines = ours.read_text().splitlines()
    except OSError:
        return [Path()]
    return [Path(line.rpartition(":")[2].lstrip("/")) for line in lines] or [Path()]


def _unified(path: Path) -> Iterator[float]:
    """Version 2: `cpu.max` has a quota, or `max`, and the period that it is of."""
    try:
        quota, period = path.read_text().split()
        yield int(quota) / int(period)
    except (OSError, ValueError, ZeroDivisionError):
        return


def _legacy(folder: Path) -> Iterator[float]:
    """Version 1: a quota of -1 is none."""
    try:
        quota = int((folder / "cpu.cfs_quota_us").read_text())
        period = int((folder / "cpu.cfs_period_us").read_text())
    except (OSError, ValueError):
        return
    if quota > 0 and period > 0:
        yield quota / period
