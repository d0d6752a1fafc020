"""A cached document of a provider (metadata, JWK Set): stale-while-revalidate, stale-if-error.

    age         get()
    0 - 1 h     the cached document
    1 - 24 h    the cached document; refreshed in the background, at most every 30 s
    older       fetched by the caller; an error is repeated for 1 s without asking again

Concurrent fetches are one (single flight). `newer` fetches before that time for a token with an
unknown key, since providers rotate keys; it has a rate limit, so that clients which send tokens
with invented key ids cannot cause a request each.
"""

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from threading import Lock
from typing import Any, Final, Generic, TypeVar

from bff.auth.renewal import RunInBackground
from bff.cache.single_flight import SingleFlight
from bff.errors import ProviderAway
from bff.observe.log import logger

T = TypeVar("T")
_FRESH: Final = 3600.0  # seconds until a document is refreshed
_USABLE: Final = 24 * 3600.0  # seconds that it is used if it cannot be refreshed
_COOLDOWN: Final = 30.0  # seconds between two refreshes, or two fetches by `newer`
_DOCUMENT: Final = "document"  # the key of the single flight, which has one only
_RETRY_AFTER: Final = 1.0  # seconds between two fetches while there is no document


class CachedDocument(Generic[T]):
    """One document of a provider.

    Args:
        fetch: returns it within a bounded time, or raises ProviderAway.
        now: seconds since 1970.
        later: runs a job in the background.
    """

    def __init__(
        self, fetch: Callable[[], T], now: Callable[[], float], later: RunInBackground
    ) -> None:
        self._fetch, self._now, self._later = fetch, now, later
        self._lock = Lock()
        self._cached: tuple[T, float] | None = None  # the document, and when it was fetched
        self._tried_at = self._failed_at = float("-inf")
        self._last_error: tuple[type[ProviderAway], str] = (ProviderAway, "")
        self._forced_at = {True: float("-inf"), False: float("-inf")}  # by `unauthenticated`
        self._flights: SingleFlight[Future[T]] = SingleFlight(_deliver)

    def get(self) -> T:
        """The document, not older than 24 hours.

        Raises:
            ProviderAway: none is cached, and it cannot be fetched.
        """
        now = self._now()
        with self._lock:
            cached = self._cached if self._cached and now < self._cached[1] + _USABLE else None
            due = cached and now >= cached[1] + _FRESH and now >= self._tried_at + _COOLDOWN
            if not cached and now < self._failed_at + _RETRY_AFTER:
                raise self._repeated_error()
        if not cached:
            return self._fetched()
        if due:
            self._later(self, self._refresh)
            cached = self._cached or cached  # without background threads it is refreshed by now
        return cached[0]

    def _refresh(self) -> None:
        try:
            self._fetched()
        except ProviderAway as error:
            about = {"detail": error.detail}
            logger.warning("a provider's metadata or keys could not be refreshed", extra=about)

    def _repeated_error(self) -> ProviderAway:
        """The last error, for a caller that comes too soon after it."""
        kind, detail = self._last_error
        return kind(f"the last request to the provider failed a moment ago: {detail}")

    def newer(self, than: T, *, unauthenticated: bool) -> T:
        """A document newer than `than`, in which a key is missing; `than` within the rate limit.

        Args:
            unauthenticated: whether any client can cause the fetch, by a token of an unknown key.
                Its rate limit is separate, so that such clients cannot exhaust the one for tokens
                that came from the provider itself.

        Raises:
            ProviderAway: it cannot be fetched.
        """
        now = self._now()
        with self._lock:
            if self._cached and self._cached[0] is not than:
                return self._cached[0]
            if not self._flights:
                forced_at = self._forced_at[unauthenticated]
                if now < forced_at + _COOLDOWN:
                    if self._failed_at >= forced_at:
                        raise self._repeated_error()
                    return than
                self._forced_at[unauthenticated] = now
        return self._fetched()

    def _fetched(self) -> T:
        """The document, by one fetch for all threads that wait for it now."""
        mine: Future[T] = Future()
        with self._lock:
            leads = self._flights.join(_DOCUMENT, mine)
            if leads:
                self._tried_at = self._now()
        if leads:
            self._fetch_for_all()
        return mine.result()

    def _fetch_for_all(self) -> None:
        result: T | _Failed
        try:
            result = self._fetch()
        except BaseException as error:  # noqa: BLE001 - every waiting thread raises it
            result = _Failed(error)
        with self._lock:
            if isinstance(result, _Failed):
                self._failed_at = self._now()
                if isinstance(result.error, ProviderAway):
                    self._last_error = type(result.error), str(result.error)
            else:
                self._cached = (result, self._now())
            self._flights.complete(_DOCUMENT, result)


@dataclass(frozen=True, slots=True)
class _Failed:
    error: BaseException


def _deliver(waiter: Future[Any], result: Any, _first: bool) -> None:  # noqa: FBT001 - a callback
    if isinstance(result, _Failed):
        waiter.set_exception(result.error)
    else:
        waiter.set_result(result)
