"""Renewing a token once, however many requests of however many processes want it.

One holds a lock in the store and asks the provider. Requests with a token that is still good use it
meanwhile; the others wait, and read what is there then. A failure is remembered in the store for a
moment, so that a provider that hangs is not waited for by one request after the other.
"""

from collections.abc import Callable, Hashable
from contextlib import suppress
from threading import Event
from time import monotonic, sleep
from typing import Final

from bff.errors import BffError, NoCredentials, ProviderAway, ProviderMisconfigured, StoreAway
from bff.store.lock import Lock, LockLost
from bff.store.protocol import Store

_LOCK: Final = 5.0  # seconds that a lock lasts if it is not renewed
_REMEMBERED: Final = 5.0  # seconds for which a failure is not tried again
_BREATH: Final = 1.0  # and where there is no token, and the provider may be back
_MOMENT: Final = 0.25  # seconds that one request waits for a token better than its own
_FIRST_LOOK, _LATER_LOOKS = 0.02, 0.2  # seconds between two looks of one who waits
_REQUESTS: Final = 3  # to the provider, for one renewal: metadata, keys, tokens
_AHEAD: Final = 30.0  # seconds before its end that a token is renewed, at most
_SHARE: Final = 5  # and no earlier than in the last fifth of its life

Later = Callable[[Hashable, Callable[[], object]], bool]  # has a job run, one at a time of a key
Current = Callable[[], str]  # the token that is there by now, if it will do; empty if it will not
Fetch = Callable[[Lock], str]  # a new token; empty where another process was faster


def good_until(expires: float, obtained: float) -> float:
    """When a token is due to be renewed: a little before its end."""
    return expires - min(_AHEAD, (expires - obtained) / _SHARE)


def is_new(expires: float, obtained: float, now: float) -> bool:
    """Whether a token is so new that a service which rejects it would reject another, too."""
    return now < obtained + min(_AHEAD, (expires - obtained) / _SHARE)


class Renewals:
    """Renews what is known by a name in the store.

    Args:
        now: seconds since 1970.
        later: runs what no request waits for.
        pause: waits for so many seconds.
    """

    def __init__(
        self,
        store: Store,
        now: Callable[[], float],
        later: Later,
        pause: Callable[[float], None] = sleep,
    ) -> None:
        self._store, self._now, self._later, self.pause = store, now, later, pause
        self._slow_until = 0.0  # by the monotonic clock

    def ahead(self, name: str, current: Current, fetch: Fetch) -> None:
        """Renew in the background what is good for a little longer; at most one does.

        The request that begins it waits for a moment, so that it may have the new token; none does
        while providers are slow.
        """
        done = Event()

        def job() -> None:
            try:
                with suppress(BffError):  # `fetch` logs it; the old token lasts on
                    self._turn(name, current, fetch, _REMEMBERED)
            finally:
                done.set()

        begun = self._later(name, job)
        if begun and monotonic() >= self._slow_until and not done.wait(_MOMENT):
            self._slow_until = monotonic() + _REMEMBERED

    def renewed(self, name: str, current: Current, fetch: Fetch, timeout: float) -> str:
        """A token, by this request or by another one.

        Args:
            timeout: seconds that one request to the provider may take.

        Raises:
            ProviderAway: it cannot be had, or could not a moment ago.
            NoCredentials: the provider gives none, or gave none a moment ago.
            BffError: what else `current` and `fetch` raise.
        """
        look = _FIRST_LOOK
        # the holder of the lock may have been killed
        patience = self._now() + _LOCK + _REQUESTS * timeout
        while self._now() < patience:
            token = self._turn(name, current, fetch, _BREATH)
            if token:
                return token
            self.pause(look)
            look = min(2 * look, _LATER_LOOKS)
        raise ProviderAway("another request renews the token, and does not come to an end")

    def _turn(self, name: str, current: Current, fetch: Fetch, breath: float) -> str:
        """What is there by now, or what the provider gives if the lock was free; else nothing.

        Args:
            breath: seconds before a provider that was away is asked again.
        """
        lock = Lock.acquire(self._store, name, _LOCK, self._now)
        try:
            token = current()  # read after the lock: it may have been done meanwhile
            if token:
                return token
            self._check_failed(name, breath)
            return self._fetched(name, fetch, lock) if lock else ""
        finally:
            if lock:
                lock.release()

    def _fetched(self, name: str, fetch: Fetch, lock: Lock) -> str:
        try:
            return fetch(lock)
        except (ProviderAway, NoCredentials) as error:
            with suppress(StoreAway):  # then it is tried again a little sooner
                self._remember(name, error.status)
            raise

    def _remember(self, name: str, status: int) -> None:
        """Keep that it failed, before the lock is released."""
        there = self._store.get(_failed(name))
        value, until = str(status).encode(), self._now() + _REMEMBERED
        self._store.put(_failed(name), value, until, there.version if there else None)

    def _check_failed(self, name: str, breath: float) -> None:
        """Raise anew what a request, of whichever process, has met a moment ago."""
        entry = self._store.get(_failed(name))
        if entry is None:
            return
        ago = self._now() - (entry.expires - _REMEMBERED)
        status, message = int(entry.value), "the provider gave no token a moment ago"
        if ago >= (breath if status == ProviderAway.status else _REMEMBERED):
            return
        if status == ProviderAway.status:
            raise ProviderAway(message)
        if status == ProviderMisconfigured.status:
            raise ProviderMisconfigured(message)
        raise NoCredentials(message, status)


def renew_lock(lock: Lock) -> None:
    """Hold a lock for longer; if it is lost the store decides whose token counts."""
    with suppress(LockLost, StoreAway):
        lock.renew()


def _failed(name: str) -> str:
    return f"failed:{name}"
