"""The check for a disconnected client, repeated while a view runs."""

from collections.abc import Callable
from typing import Final

from bff.engine.answer import Failure
from bff.engine.attempts import VIEW, Attempts
from bff.upstream.exchange import Clock

_EVERY: Final = 0.25  # seconds
_CLOSED: Final = 499  # for the log only, as nginx uses it


class DisconnectCheck:
    """Fails a view whose client has disconnected.

    Args:
        gone: whether the client has disconnected.
        fail: fails the view.
    """

    def __init__(
        self,
        attempts: Attempts,
        clock: Clock,
        gone: Callable[[], bool],
        fail: Callable[[Failure], None],
    ) -> None:
        self._attempts, self._clock = attempts, clock
        self._gone, self._fail = gone, fail

    def begin(self) -> None:
        """Start the timer of the next check."""
        self._attempts.wake(self._clock.now() + _EVERY, VIEW, self._check)

    def _check(self, _due: None) -> None:
        if self._gone():
            self._fail(Failure(_CLOSED, "Client Closed Request"))
        else:
            self.begin()
