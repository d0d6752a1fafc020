"""What a provider publishes (metadata, keys): fetched once for all threads, kept, fetched anew.

A provider that is away for a while is no reason to turn anybody away: what was fetched last is used
on, for a day. And nobody can have it fetched over and over by showing tokens of unknown keys.
"""

from collections.abc import Callable
from concurrent.futures import Future
from threading import Lock
from typing import Final, Generic, TypeVar

from bff.errors import ProviderAway

T = TypeVar("T")
_FRESH: Final = 3600.0  # seconds that a document is used before it is fetched again
_KEPT: Final = 24 * 3600.0  # seconds that it is used where it cannot be
_COOLDOWN: Final = 30.0  # seconds between two fetches that are not for its age
_BREATH: Final = 1.0  # seconds between two tries to get what nobody has


class Published(Generic[T]):
    """One document of a provider.

    Args:
        fetch: gets it, in bounded time, or raises ProviderAway.
        now: seconds since 1970.
    """

    def __init__(self, fetch: Callable[[], T], now: Callable[[], float]) -> None:
        self._fetch, self._now = fetch, now
        self._lock = Lock()
        self._held: tuple[T, float] | None = None  # the document, and since when
        self._tried = self._failed = float("-inf")
        self._asked_for = {True: float("-inf"), False: float("-inf")}
        self._flight: Future[T] | None = None

    def get(self) -> T:
        """The document as it was not long ago.

        Raises:
            ProviderAway: there is none, and none can be had.
        """
        now = self._now()
        with self._lock:
            held = self._held if self._held and now < self._held[1] + _KEPT else None
            # an old one does while somebody fetches it, or has just failed to
            if held and (now < held[1] + _FRESH or now < self._tried + _COOLDOWN):
                return held[0]
            if not held and now < self._failed + _BREATH:
                raise ProviderAway("the provider could not be asked a moment ago")
        try:
            return self._fetched()
        except ProviderAway:
            if held:
                return held[0]
            raise

    def newer(self, than: T, *, for_anybody: bool) -> T:
        """The document after `than`, which did not do; `than` itself if it is too soon to ask.

        Args:
            for_anybody: whether anybody could have us ask. They have a time between two fetches of
                their own, and so cannot use up that of those whom the provider itself has sent.

        Raises:
            ProviderAway: it cannot be fetched.
        """
        now = self._now()
        with self._lock:
            if self._held and self._held[0] is not than:
                return self._held[0]
            if not self._flight:
                asked_for = self._asked_for[for_anybody]
                if now < asked_for + _COOLDOWN:
                    if self._failed >= asked_for:
                        raise ProviderAway("the provider could not be asked a moment ago")
                    return than
                self._asked_for[for_anybody] = now
        return self._fetched()

    def _fetched(self) -> T:
        """The document, by one fetch for all who want it now."""
        with self._lock:
            flight, mine = self._flight, self._flight is None
            if flight is None:
                flight = self._flight = Future()
                self._tried = self._now()
        if not mine:
            return flight.result()
        try:
            document = self._fetch()
        except BaseException as error:
            with self._lock:
                self._flight, self._failed = None, self._now()
            flight.set_exception(error)
            raise
        with self._lock:
            self._flight, self._held = None, (document, self._now())
        flight.set_result(document)
        return document
