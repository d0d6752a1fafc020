"""The number of CPUs available to this process, with the CPU quota of its container (cgroups)."""

import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_CGROUPS: Final = Path("/sys/fs/cgroup")
_MEMBERSHIP: Final = Path("/proc/self/cgroup")


def cpu_count(cgroups: Path = _CGROUPS, membership: Path = _MEMBERSHIP) -> int:
    """The number of CPUs by affinity and cgroup quotas, rounded up; at least 1.

    Args:
        cgroups: the mount point of cgroups, version 2 or 1.
        membership: the file that lists the cgroups of this process; see cgroups(7).
    """
    affinity = len(os.sched_getaffinity(0))
    return max(1, min([affinity, *(math.ceil(quota) for quota in _quotas(cgroups, membership))]))


def _quotas(cgroups: Path, membership: Path) -> Iterator[float]:
    """The quotas, in CPUs, of the cgroups of this process and their ancestors; all apply."""
    for group in _groups(membership):
        for folder in (group, *group.parents):
            yield from _unified(cgroups / folder / "cpu.max")
            yield from _legacy(cgroups / "cpu" / folder)


def _groups(membership: Path) -> list[Path]:
    try:
        lines = membership.read_text().splitlines()
    except OSError:
        return [Path()]
    return [Path(line.rpartition(":")[2].lstrip("/")) for line in lines] or [Path()]


def _unified(path: Path) -> Iterator[float]:
    """The quota of version 2: `cpu.max` is `QUOTA PERIOD` in microseconds, or `max PERIOD`."""
    try:
        quota, period = path.read_text().split()
        yield int(quota) / int(period)
    except (OSError, ValueError, ZeroDivisionError):
        return


def _legacy(folder: Path) -> Iterator[float]:
    """The quota of version 1, in microseconds; -1 is no limit."""
    try:
        quota = int((folder / "cpu.cfs_quota_us").read_text())
        period = int((folder / "cpu.cfs_period_us").read_text())
    except (OSError, ValueError):
        return
    if quota > 0 and period > 0:
        yield quota / period
