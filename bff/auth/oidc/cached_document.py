"""What a provider publishes (metadata, keys): fetched once for all threads, kept, fetched anew.

A document that is old is fetched anew in the background, and used meanwhile; one that cannot be is
used for a day. And nobody can have it fetched over and over by showing tokens of unknown keys.
"""

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from threading import Lock
from typing import Any, Final, Generic, TypeVar

from bff.auth.renewal import Later
from bff.cache.single_flight import SingleFlight
from bff.errors import ProviderAway
from bff.observe.log import logger

T = TypeVar("T")
_FRESH: Final = 3600.0  # seconds that a document is used before it is fetched again
_KEPT: Final = 24 * 3600.0  # seconds that it is used where it cannot be
_COOLDOWN: Final = 30.0  # seconds between two fetches that are not for its age
_DOCUMENT: Final = "document"  # the one flight that there is
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
        self._flights: SingleFlight[Future[T]] = SingleFlight(_deliver)

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
            if not self._flights:
                asked_for = self._asked_for[for_anybody]
                if now < asked_for + _COOLDOWN:
                    if self._failed >= asked_for:
                        raise self._again()
                    return than
                self._asked_for[for_anybody] = now
        return self._fetched()

    def _fetched(self) -> T:
        """The document, by one fetch for all who want it now."""
        mine: Future[T] = Future()
        with self._lock:
            leads = self._flights.join(_DOCUMENT, mine)
            if leads:
                self._tried = self._now()
        if leads:
            self._fetch_for_all()
        return mine.result()

    def _fetch_for_all(self) -> None:
        result: T | _Failed
        try:
            result = self._fetch()
        except BaseException as error:  # noqa: BLE001 - each who waits raises it
            result = _Failed(error)
        with self._lock:
            if isinstance(result, _Failed):
                self._failed = self._now()
                if isinstance(result.error, ProviderAway):
                    self._why = type(result.error), str(result.error)
            else:
                self._held = (result, self._now())
            self._flights.complete(_DOCUMENT, result)


@dataclass(frozen=True, slots=True)
class _Failed:
    error: BaseException


def _deliver(waiter: Future[Any], result: Any, _first: bool) -> None:  # noqa: FBT001 - a callback
    if isinstance(result, _Failed):
        waiter.set_exception(result.error)
    else:
        waiter.set_result(result)
