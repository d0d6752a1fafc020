"""Where commands print tables: as wide as the terminal, and not cut at all where there is none."""

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from rich.console import Console

_WIDE: Final = 10_000  # columns of a file or a pipe


def console() -> "Console":
    """The console of standard output."""
    from rich.console import Console

    found = Console()
    return found if found.is_terminal else Console(width=_WIDE)
