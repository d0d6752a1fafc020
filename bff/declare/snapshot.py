"""The last valid configuration: loaded before workers are forked, inherited by them, immutable.

A worker that starts while files are edited, or after an invalid edit, serves the last valid one.
"""

import gc
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bff.declare.check import CheckedConfig, check
from bff.errors import ConfigError


@dataclass(slots=True)
class _State:
    """The last valid configuration, and the problems of a later, rejected one."""

    checked: CheckedConfig | None = None
    rejection: str = ""
    extra_check: Callable[[CheckedConfig], None] = lambda _: None


_state = _State()


def add_check(extra_check: Callable[[CheckedConfig], None]) -> None:
    """Apply a further check to every configuration that is loaded, here and in forked processes.

    Args:
        extra_check: raises ConfigError for a configuration that must not be served.
    """
    _state.extra_check = extra_check


def load(folder: Path) -> CheckedConfig:
    """Load and check the files of `folder`, and make them current if they are valid.

    Raises:
        ConfigError: they are invalid; the current configuration stays.
    """
    collected = gc.isenabled()
    gc.disable()  # it finds little here, and takes a tenth of the time
    try:
        checked = check(folder)
        _state.extra_check(checked)
        _state.checked = checked
    except ConfigError as error:
        _state.rejection = str(error)
        raise
    finally:
        if collected:
            gc.enable()
    _state.rejection = ""
    return _state.checked


def current(folder: Path) -> CheckedConfig:
    """The current configuration; `folder` is loaded if there is none."""
    return _state.checked or load(folder)


def record_rejection(problems: str) -> None:
    """Record why files that were tried in another process are rejected."""
    _state.rejection = problems


def rejection() -> str:
    """The problems of the last files; empty if they are the current configuration."""
    return _state.rejection
