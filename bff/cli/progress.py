"""A progress bar for long work, on terminals only."""

import sys
from collections.abc import Callable, Iterable, Iterator
from time import monotonic
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from rich.progress import Progress

T = TypeVar("T")
_DELAY: Final = 0.5  # seconds before the bar is shown


def bar(
    things: Iterable[T], what: str, total: int, clock: Callable[[], float] = monotonic
) -> Iterator[T]:
    """Yield things one by one, and show on standard error how many of them are done.

    Args:
        what: the label of the bar.
        total: the number of things.
        clock: a monotonic clock, in seconds.
    """
    if not sys.stderr.isatty():
        yield from things
        return
    started, shown = clock(), None
    try:
        for done, thing in enumerate(things):
            if shown is None and clock() - started > _DELAY:
                shown = _start()
                shown.add_task(what, total=total)
            if shown:
                shown.update(shown.task_ids[0], completed=done)
            yield thing
    finally:
        if shown:
            shown.stop()


def _start() -> "Progress":
    from rich.console import Console
    from rich.progress import Progress

    progress = Progress(console=Console(stderr=True), transient=True)
    progress.start()
    return progress
