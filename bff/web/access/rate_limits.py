"""Rate limits of sign-ins and requests: fixed windows, counted in the session store."""

import time
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address
from sys import maxsize
from threading import Lock
from typing import Final

from bff.errors import RateLimited, StoreAway
from bff.model.access import Limits as Rules
from bff.store.protocol import Store

_PREFIX: Final = "limit:"  # of the store's keys of counters
_BACKCHANNEL_LIMIT: Final = "600/minute"  # back-channel logouts from one address
_RETRY_STORE_AFTER: Final = 1.0  # seconds after the store was unavailable
_MAX_TRIES: Final = 64  # of compare-and-set
_INTERFACE_BITS: Final = 64  # of an IPv6 address: a client can use all of its /64
_SECONDS: Final = {"second": 1, "minute": 60, "hour": 3600}

Count = tuple[int, float]  # requests, and the end of the window in seconds since 1970


class RateLimits:
    """The rate limits of clients; an empty limit counts nothing.

    A window is fixed, and begins with the first request that is counted. Processes share the
    counters; while the store is unavailable each process counts alone, and requests are accepted.

    Args:
        store: the session store.
        now: seconds since 1970.
    """

    def __init__(self, store: Store, rules: Rules, now: Callable[[], float] = time.time) -> None:
        self._sign_in = (
            _FixedWindow("sign-in", rules.sign_in, store, now) if rules.sign_in else None
        )
        self._provider = _FixedWindow("back-channel", _BACKCHANNEL_LIMIT, store, now)
        self._person = _FixedWindow("person", rules.person, store, now) if rules.person else None

    def count_sign_in(self, address: str) -> None:
        """Count a step of a sign-in from an address; an unknown address is not counted.

        Raises:
            RateLimited: the limit is exceeded.
        """
        if self._sign_in and address:
            self._sign_in.count(_network(address))

    def count_logout(self, address: str) -> None:
        """Count a back-channel logout request from an address.

        Raises:
            RateLimited: the limit is exceeded.
        """
        if address:
            self._provider.count(_network(address))

    def count_request(self, key: str) -> None:
        """Count a request for a view.

        Args:
            key: the identity of the user; of an anonymous client, its address.

        Raises:
            RateLimited: the limit is exceeded.
        """
        if self._person and key:
            self._person.count(_network(key))


def rate_limit_headers(error: RateLimited) -> dict[str, str]:
    """Retry-After (RFC 9110, section 10.2.3), and draft-ietf-httpapi-ratelimit-headers-10."""
    return {
        "Retry-After": str(error.retry_after),
        "RateLimit-Policy": f'"{error.rule}";q={error.quota};w={error.window}',
        "RateLimit": f'"{error.rule}";r=0;t={error.retry_after}',
    }


def _network(key: str) -> str:
    """The key that is counted for an address: the /64 network of an IPv6 address."""
    try:
        address = ip_address(key)
    except ValueError:
        return key
    if not isinstance(address, IPv6Address):
        return key
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(IPv6Address(int(address) >> _INTERFACE_BITS << _INTERFACE_BITS))


class _FixedWindow:
    """One rate limit: a quota per window, such as `20/minute`."""

    def __init__(self, name: str, rate: str, store: Store, now: Callable[[], float]) -> None:
        quota, _, unit = rate.partition("/")
        self._name, self._quota, self._window = name, int(quota), _SECONDS[unit]
        self._prefix = f"{_PREFIX}{name}/{rate}/"  # a changed limit starts new counters
        self._now = now
        self._shared, self._local = _SharedCounters(store, now), _LocalCounters(now)
        self._local_until = float("-inf")

    def count(self, key: str) -> None:
        count, ends = self._add(self._prefix + key)
        if count > self._quota:
            wait = int(ends - self._now()) + 1  # rounded up
            raise RateLimited(self._name, self._quota, self._window, min(self._window, wait))

    def _add(self, key: str) -> Count:
        """Count in the store; in this process while the store is unavailable, and 1 s after."""
        if time.monotonic() >= self._local_until:
            try:
                return self._shared.add(key, self._window)
            except StoreAway:
                self._local_until = time.monotonic() + _RETRY_STORE_AFTER
        return self._local.add(key, self._window)


class _SharedCounters:
    """Counters in the store, exact by compare-and-set with retries."""

    def __init__(self, store: Store, now: Callable[[], float]) -> None:
        self._store, self._now = store, now

    def add(self, key: str, window: int) -> Count:
        """Count one request; raises StoreAway."""
        for _ in range(_MAX_TRIES):
            entry = self._store.get(key)
            count = 1 + (int(entry.value) if entry else 0)
            ends = entry.expires if entry else self._now() + window
            if self._store.put(key, b"%d" % count, ends, entry.version if entry else None):
                return count, ends
        return maxsize, self._now() + window  # too much contention counts as too many requests


class _LocalCounters:
    """Counters of one rate limit in this process.

    All windows are equally long, so they end in the order in which they began.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now, self._lock = now, Lock()
        self._counts: dict[str, Count] = {}

    def add(self, key: str, window: int) -> Count:
        """Count one request, and drop the windows that have ended."""
        with self._lock:
            now = self._now()
            while self._counts and next(iter(self._counts.values()))[1] <= now:
                del self._counts[next(iter(self._counts))]
            count, ends = self._counts.get(key, (0, now + window))
            self._counts[key] = count + 1, ends
            return self._counts[key]
