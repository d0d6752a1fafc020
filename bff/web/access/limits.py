"""How often an address may sign in and a user ask: fixed windows, counted in the session store."""

import time
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address
from sys import maxsize
from threading import Lock
from typing import Final

from bff.errors import RateLimited, StoreAway
from bff.model.access import Limits as Rules
from bff.store.protocol import Store

_PREFIX: Final = "limit:"  # of the store's keys of counts
_OF_PROVIDERS: Final = "600/minute"  # sign-outs, of however many people
_AWAY: Final = 1.0  # seconds for which a store that was away is not asked again
_TRIES: Final = 64
_INTERFACE_BITS: Final = 64  # of an IPv6 address: whoever has one has them all
_SECONDS: Final = {"second": 1, "minute": 60, "hour": 3600}

Count = tuple[int, float]  # how many, and when the window ends, in seconds since 1970


class RateLimits:
    """Counts, and refuses what is more than a rule allows; a rule that is empty costs nothing.

    Windows are fixed, and begin with the first request that is counted. All processes share the
    counts; while the store is away each has counts of its own, and requests go on.

    Args:
        store: where sessions are.
        now: seconds since 1970.
    """

    def __init__(self, store: Store, rules: Rules, now: Callable[[], float] = time.time) -> None:
        self._sign_in = _Rule("sign-in", rules.sign_in, store, now) if rules.sign_in else None
        self._provider = _Rule("back-channel", _OF_PROVIDERS, store, now)
        self._person = _Rule("person", rules.person, store, now) if rules.person else None

    def sign_in(self, address: str) -> None:
        """Count a step of a sign-in from an address; one that nobody knows is not counted.

        Raises:
            RateLimited: there were too many.
        """
        if self._sign_in and address:
            self._sign_in.count(_network(address))

    def provider(self, address: str) -> None:
        """Count what comes from an address and says that it is a provider.

        Raises:
            RateLimited: there was more than a provider would send.
        """
        if address:
            self._provider.count(_network(address))

    def person(self, key: str) -> None:
        """Count a request for a view.

        Args:
            key: a person's identity; the client's address where nobody is signed in.

        Raises:
            RateLimited: there were too many.
        """
        if self._person and key:
            self._person.count(_network(key))


def limited_headers(error: RateLimited) -> dict[str, str]:
    """What a client should know: Retry-After, and draft-ietf-httpapi-ratelimit-headers-10."""
    return {
        "Retry-After": str(error.retry_after),
        "RateLimit-Policy": f'"{error.rule}";q={error.quota};w={error.window}',
        "RateLimit": f'"{error.rule}";r=0;t={error.retry_after}',
    }


def _network(key: str) -> str:
    """An address as the one who has it: IPv6 without the part that everybody chooses freely."""
    try:
        address = ip_address(key)
    except ValueError:
        return key
    if not isinstance(address, IPv6Address):
        return key
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(IPv6Address(int(address) >> _INTERFACE_BITS << _INTERFACE_BITS))


class _Rule:
    """One rule: a quota in each window, as `20/minute`."""

    def __init__(self, name: str, rate: str, store: Store, now: Callable[[], float]) -> None:
        quota, _, unit = rate.partition("/")
        self._name, self._quota, self._window = name, int(quota), _SECONDS[unit]
        self._prefix = f"{_PREFIX}{name}/{rate}/"  # a rule that has changed counts anew
        self._now = now
        self._shared, self._own = _Shared(store, now), _Own(now)
        self._away_until = float("-inf")

    def count(self, key: str) -> None:
        count, ends = self._add(self._prefix + key)
        if count > self._quota:
            wait = int(ends - self._now()) + 1  # never a moment early
            raise RateLimited(self._name, self._quota, self._window, min(self._window, wait))

    def _add(self, key: str) -> Count:
        """Add one in the store; in this process while the store is away, and for a moment after."""
        if time.monotonic() >= self._away_until:
            try:
                return self._shared.add(key, self._window)
            except StoreAway:
                self._away_until = time.monotonic() + _AWAY
        return self._own.add(key, self._window)


class _Shared:
    """Counts in the store, exact by compare-and-set: who comes second reads and tries again."""

    def __init__(self, store: Store, now: Callable[[], float]) -> None:
        self._store, self._now = store, now

    def add(self, key: str, window: int) -> Count:
        """Add one. Raises StoreAway."""
        for _ in range(_TRIES):
            entry = self._store.get(key)
            count = 1 + (int(entry.value) if entry else 0)
            ends = entry.expires if entry else self._now() + window
            if self._store.put(key, b"%d" % count, ends, entry.version if entry else None):
                return count, ends
        return maxsize, self._now() + window  # more at once than can be counted are too many


class _Own:
    """Counts of one rule in this process alone.

    All its windows are equally long, so the one that began first ends first.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now, self._lock = now, Lock()
        self._counts: dict[str, Count] = {}

    def add(self, key: str, window: int) -> Count:
        """Add one, and forget the windows that have ended."""
        with self._lock:
            now = self._now()
            while self._counts and next(iter(self._counts.values()))[1] <= now:
                del self._counts[next(iter(self._counts))]
            count, ends = self._counts.get(key, (0, now + window))
            self._counts[key] = count + 1, ends
            return self._counts[key]
