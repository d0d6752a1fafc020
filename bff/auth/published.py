"""What a provider publishes (metadata, keys): fetched once for all threads, kept, fetched anew.

A document that is old is fetched anew in the background, and used meanwhile; one that cannot be is
used for a day. And nobody can have it fetched over and over by showing tokens of unknown keys.
"""

from collections.abc import Callable
from concurrent.futures import Future
from threading import Lock
from typing import Final, Generic, TypeVar

from bff.auth.renewal import Later
from bff.errors import ProviderAway
from bff.observe.log import logger

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
        later: runs what no request waits for.
    """

    def __init__(self, fetch: Callable[[], T], now: Callable[[], float], later: Later) -> None:
        self._fetch, self._now, self._later = fetch, now, later
        self._lock = Lock()
        self._held: tuple[T, float] | None = None  # the document, and since when
        self._tried = self._failed = float("-inf")
        self._why: tuple[type[ProviderAway], str] = (ProviderAway, "")  # the last try failed
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
            # an old one does while it is fetched anew, or where that has just failed
            due = held and now >= held[1] + _FRESH and now >= self._tried + _COOLDOWN
            if not held and now < self._failed + _BREATH:
                raise self._again()
        if not held:
            return self._fetched()
        if due:
            self._later(self, self._renew)
            held = self._held or held
        return held[0]

    def _renew(self) -> None:
        try:
            self._fetched()
        except ProviderAway as error:
            about = {"detail": error.detail}
            logger.warning("what a provider publishes was not fetched anew", extra=about)

    def _again(self) -> ProviderAway:
        """Why the last try failed, for one that comes too soon after it."""
        kind, why = self._why
        return kind(f"the provider could not be asked a moment ago: {why}")

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
                        raise self._again()
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
                if isinstance(error, ProviderAway):
                    self._why = type(error), str(error)
            flight.set_exception(error)
            raise
        with self._lock:
            self._flight, self._held = None, (document, self._now())
        flight.set_result(document)
        return document
