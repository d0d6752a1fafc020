"""A bar for long work, on a terminal, and only once it has taken a while."""

import sys
from collections.abc import Callable, Iterable, Iterator
from time import monotonic
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from rich.progress import Progress

T = TypeVar("T")
_PATIENCE: Final = 0.5  # seconds of work that nobody needs a bar for


def bar(
    things: Iterable[T], what: str, total: int, clock: Callable[[], float] = monotonic
) -> Iterator[T]:
    """Give things on one by one; how far it is with `what` is done with them goes to stderr."""
    if not sys.stderr.isatty():
        yield from things
        return
    begun, shown = clock(), None
    try:
        for done, each in enumerate(things):
            if shown is None and clock() - begun > _PATIENCE:
                shown = _begun()
                shown.add_task(what, total=total)
            if shown:
                shown.update(shown.task_ids[0], completed=done)
            yield each
    finally:
        if shown:
            shown.stop()


def _begun() -> "Progress":
    from rich.console import Console
    from rich.progress import Progress

    progress = Progress(console=Console(stderr=True), transient=True)
    progress.start()
    return progress
