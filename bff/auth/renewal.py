"""Renews a token once for concurrent requests of all processes, by a distributed lock.

1. The token is valid, and due for renewal: one request holds the lock and renews it in the
   background; the others use the current token.
2. The token has expired, or was rejected: one request holds the lock and asks the provider; the
   others wait, and re-read the stored token.
3. The provider fails: the failure is stored for a few seconds, so that the waiting requests do not
   run into its time-out one after the other.
"""

from collections.abc import Callable, Hashable
from contextlib import suppress
from threading import Event
from time import monotonic, sleep
from typing import Final

from bff.errors import BffError, NoCredentials, ProviderAway, ProviderMisconfigured, StoreAway
from bff.store.lock import Lock, LockLost
from bff.store.protocol import Store

_LEASE: Final = 5.0  # seconds that the lock is held if it is not renewed
_FAILURE_LASTS: Final = 5.0  # seconds that a failure is stored, and not tried again
_RETRY_AFTER: Final = 1.0  # seconds, if there is no usable token and the provider was away
_BACKGROUND_WAIT: Final = 0.25  # seconds that one request waits for a background renewal
_FIRST_POLL, _MAX_POLL = 0.02, 0.2  # seconds between two reads of a waiting request
_REQUESTS: Final = 3  # to the provider, for one renewal: metadata, keys, tokens
_AHEAD: Final = 30.0  # seconds before its expiry that a token is due, at most
_SHARE: Final = 5  # and no earlier than in the last fifth of its lifetime

# Runs a job in the background, one at a time of a key; False if one of this key is running
RunInBackground = Callable[[Hashable, Callable[[], object]], bool]
Current = Callable[[], str]  # the stored token if it is usable, else empty
Fetch = Callable[[Lock], str]  # a new token; empty if another process has stored one meanwhile


def good_until(expires: float, obtained: float) -> float:
    """When a token is due for renewal: 30 s before its expiry, or in the last fifth of its life."""
    return expires - min(_AHEAD, (expires - obtained) / _SHARE)


def is_new(expires: float, obtained: float, now: float) -> bool:
    """Whether a token was issued so recently that a service which rejects it rejects any."""
    return now < obtained + min(_AHEAD, (expires - obtained) / _SHARE)


class RenewalCoordinator:
    """Coordinates the renewal of tokens, each by the name of its lock in the store.

    Args:
        now: seconds since 1970.
        later: runs a job in the background.
        pause: sleeps for a number of seconds.
    """

    def __init__(
        self,
        store: Store,
        now: Callable[[], float],
        later: RunInBackground,
        pause: Callable[[float], None] = sleep,
    ) -> None:
        self._store, self._now, self._later, self.pause = store, now, later, pause
        self._slow_until = 0.0  # by the monotonic clock

    def ahead(self, name: str, current: Current, fetch: Fetch) -> None:
        """Renew a token in the background while it is still valid; at most once at a time.

        The request that starts it waits up to 0.25 s, so that it may use the new token; no request
        waits for 5 s after that was not enough.
        """
        done = Event()

        def job() -> None:
            try:
                with suppress(BffError):  # `fetch` logs it; the current token is still valid
                    self._attempt(name, current, fetch, _FAILURE_LASTS)
            finally:
                done.set()

        begun = self._later(name, job)
        if begun and monotonic() >= self._slow_until and not done.wait(_BACKGROUND_WAIT):
            self._slow_until = monotonic() + _FAILURE_LASTS

    def renewed(self, name: str, current: Current, fetch: Fetch, timeout: float) -> str:
        """A usable token, renewed by this request or by another one.

        Args:
            timeout: seconds for one request to the provider.

        Raises:
            ProviderAway: the provider cannot be reached, or could not a moment ago.
            NoCredentials: the provider refuses a token, or did a moment ago.
            BffError: raised by `current` or `fetch`.
        """
        interval = _FIRST_POLL
        # bounded, since the process that holds the lock may have been killed
        give_up_at = self._now() + _LEASE + _REQUESTS * timeout
        while self._now() < give_up_at:
            token = self._attempt(name, current, fetch, _RETRY_AFTER)
            if token:
                return token
            self.pause(interval)
            interval = min(2 * interval, _MAX_POLL)
        raise ProviderAway("timed out waiting for another request to renew the token")

    def _attempt(self, name: str, current: Current, fetch: Fetch, retry_after: float) -> str:
        """The stored token, or a new one if the lock was free; else empty.

        Args:
            retry_after: seconds before a provider that was away is asked again.
        """
        lock = Lock.acquire(self._store, name, _LEASE, self._now)
        try:
            token = current()  # after the lock: another process may have renewed it just before
            if token:
                return token
            self._check_failed(name, retry_after)
            return self._fetched(name, fetch, lock) if lock else ""
        finally:
            if lock:
                lock.release()

    def _fetched(self, name: str, fetch: Fetch, lock: Lock) -> str:
        try:
            return fetch(lock)
        except (ProviderAway, NoCredentials) as error:
            with suppress(StoreAway):  # then the next request tries again
                self._remember(name, error.status)
            raise

    def _remember(self, name: str, status: int) -> None:
        """Store the failure before the lock is released."""
        there = self._store.get(_failed(name))
        value, until = str(status).encode(), self._now() + _FAILURE_LASTS
        self._store.put(_failed(name), value, until, there.version if there else None)

    def _check_failed(self, name: str, retry_after: float) -> None:
        """Raise the stored failure of a recent attempt, of any process."""
        entry = self._store.get(_failed(name))
        if entry is None:
            return
        ago = self._now() - (entry.expires - _FAILURE_LASTS)
        status, message = int(entry.value), "the last request for a token failed a moment ago"
        if ago >= (retry_after if status == ProviderAway.status else _FAILURE_LASTS):
            return
        if status == ProviderAway.status:
            raise ProviderAway(message)
        if status == ProviderMisconfigured.status:
            raise ProviderMisconfigured(message)
        raise NoCredentials(message, status)


def renew_lock(lock: Lock) -> None:
    """Renew a lock. If it was lost, compare-and-set in the store decides which token is stored."""
    with suppress(LockLost, StoreAway):
        lock.renew()


def _failed(name: str) -> str:
    return f"failed:{name}"
