"""The console for tables: as wide as the terminal, of unlimited width without one."""

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from rich.console import Console

_WIDE: Final = 10_000  # columns; for files and pipes


def console() -> "Console":
    """The console on standard output."""
    from rich.console import Console

    found = Console()
    return found if found.is_terminal else Console(width=_WIDE)
