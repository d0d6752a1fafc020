"""The last good configuration: taken before workers are forked, inherited by them, never changed.

A worker that starts while somebody edits the files, or after a bad edit, serves what was last good.
"""

import gc
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bff.declare.check import Checked, check
from bff.errors import ConfigError


@dataclass(slots=True)
class _Kept:
    checked: Checked | None = None
    refused: str = ""
    demand: Callable[[Checked], None] = lambda _: None


_kept = _Kept()


def demand(more: Callable[[Checked], None]) -> None:
    """Take from now on only what this lets pass, here and in every process that is forked.

    Args:
        more: raises a ConfigError for a configuration that is not to be served.
    """
    _kept.demand = more


def take(folder: Path) -> Checked:
    """Check the files of `folder`, and keep them if they are good.

    Raises:
        ConfigError: they are not; what was kept before stays.
    """
    collected = gc.isenabled()
    gc.disable()  # nearly all that is made here stays: looking for what does not takes a tenth
    try:
        checked = check(folder)
        _kept.demand(checked)
        _kept.checked = checked
    except ConfigError as error:
        _kept.refused = str(error)
        raise
    finally:
        if collected:
            gc.enable()
    _kept.refused = ""
    return _kept.checked


def current(folder: Path) -> Checked:
    """What was taken last; `folder` is taken now if nothing was."""
    return _kept.checked or take(folder)


def refuse(problems: str) -> None:
    """Remember why files that were tried elsewhere are not taken."""
    _kept.refused = problems


def refused() -> str:
    """The problems of the last files that were not kept; empty if the last ones were."""
    return _kept.refused
