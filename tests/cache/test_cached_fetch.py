"""The steps of a cached fetch, as a transcript: what is to be done, and what came of it."""

import pytest

from bff.cache.cache import Cache, Lookup, RemoteLookup
from bff.cache.cached_fetch import (
    UNUSABLE,
    Decode,
    Fetch,
    Fetched,
    Hit,
    Refresh,
    cached_fetch,
    flight_key,
    lookup_to_refresh,
    perform,
)
from bff.cache.entry import CacheEntry
from bff.cache.key import cache_key, tag_of
from bff.cache.store import StoreUnavailable
from tests.kept import Wall, memory_only

KEY = cache_key(["x"], [tag_of("x")])
FAILED, NOT_FOUND = Fetched("a failure", failure="status"), Fetched("a 404")


class Store:
    """A shared store with one entry, which can be away."""

    def __init__(self):
        self.entry, self.away = None, False

    def ready(self):
        return not self.away

    def await_ready(self):
        return not self.away

    def generations(self, tags):
        if self.away:
            raise StoreUnavailable
        return dict.fromkeys(tags, "1")

    def get(self, _address):
        return self.entry


@pytest.fixture
def wall():
    return Wall()


@pytest.fixture
def cache(wall):
    return memory_only(wall)


def put(cache, wall):
    """An entry that is fresh for 10 s, then stale for 20 s, and usable on errors for 100 s."""
    entry = CacheEntry(200, (), b"stored", wall(), 10.0, 20.0, 100.0)
    cache.put_local(cache.get_local(KEY).address, entry)
    return entry


def transcript(cache, *results):
    """The steps that were taken, and the outcome; `results` are those of the steps in turn."""
    given, taken = iter(results), []

    def do(step):
        taken.append(step)
        return next(given)

    outcome = perform(cached_fetch(cache, KEY), do)
    assert next(given, None) is None, "it takes as many steps as the test says"
    return taken, outcome


def test_a_miss_is_fetched(cache):
    fetched = Fetched("new")
    taken, outcome = transcript(cache, fetched)
    assert taken == [Fetch(cache.get_local(KEY))]
    assert outcome is fetched
    assert cache.stats()["looked_up"]["miss"] == 1


def test_a_fresh_entry_is_answered(cache, wall):
    entry = put(cache, wall)
    wall.pass_by(4)
    taken, outcome = transcript(cache, "decoded")
    assert taken == [Decode(entry)]
    assert (outcome.value, outcome.entry, outcome.instead_of) == ("decoded", entry, None)
    assert (outcome.freshness.hit, outcome.freshness.age, outcome.freshness.ttl) == (True, 4, 6)
    assert cache.stats()["looked_up"]["fresh"] == 1


def test_a_stale_entry_is_answered_and_refreshed(cache, wall):
    entry = put(cache, wall)
    wall.pass_by(12)
    taken, outcome = transcript(cache, "decoded", None)
    assert taken == [Decode(entry), Refresh()]
    assert outcome.freshness.ttl == -2
    assert cache.stats()["looked_up"]["stale"] == 1


@pytest.mark.parametrize("age", [4, 12])
def test_an_entry_that_cannot_be_decoded_is_fetched_anew(cache, wall, age):
    put(cache, wall)
    wall.pass_by(age)
    taken, outcome = transcript(cache, UNUSABLE, NOT_FOUND)
    assert [type(each) for each in taken] == [Decode, Fetch]
    assert outcome is NOT_FOUND
    assert not any(cache.stats()["looked_up"].values())


def test_an_old_entry_is_answered_instead_of_a_failure(cache, wall):
    entry = put(cache, wall)
    wall.pass_by(109)
    taken, outcome = transcript(cache, FAILED, "decoded")
    assert taken == [Fetch(cache.get_local(KEY)), Decode(entry)]
    assert (outcome.value, outcome.instead_of) == ("decoded", FAILED)
    assert outcome.freshness.word == "error"
    counts = cache.stats()["looked_up"]
    assert (counts["miss"], counts["error"]) == (1, 1)


@pytest.mark.parametrize(
    ("age", "results", "expected"),
    [
        (109, [NOT_FOUND], NOT_FOUND),  # the answer of a service
        (111, [FAILED], FAILED),  # too old
        (109, [FAILED, UNUSABLE], FAILED),
    ],
)
def test_otherwise_the_fetch_is_answered(cache, wall, age, results, expected):
    put(cache, wall)
    wall.pass_by(age)
    assert transcript(cache, *results)[1] is expected


# -- with a shared store -------------------------------------------------------------------------


@pytest.fixture
def store():
    return Store()


@pytest.fixture
def shared(wall, store):
    return Cache(1 << 20, lambda _: store, now=wall, chance=lambda: 0.0)


def test_the_shared_store_is_asked_where_memory_has_nothing(shared, store, wall):
    store.entry = CacheEntry(200, (), b"stored", wall(), 10.0)
    found = Lookup("address", store.entry)
    taken, outcome = transcript(shared, found, "decoded")
    assert taken == [RemoteLookup(KEY), Decode(store.entry)]
    assert isinstance(outcome, Hit)


def test_it_is_not_asked_for_what_memory_can_answer(shared, store, wall):
    store.entry = CacheEntry(200, (), b"stored", wall(), 10.0, 20.0)
    shared.get_shared(RemoteLookup(KEY))
    for age, steps in ((4, [Decode]), (8, [Decode, Refresh])):
        wall.pass_by(age)
        taken, _ = transcript(shared, *["decoded", None][: len(steps)])
        assert [type(each) for each in taken] == steps


def test_a_lookup_that_takes_too_long_is_a_miss(shared):
    taken, outcome = transcript(shared, Lookup(), NOT_FOUND)
    assert taken == [RemoteLookup(KEY), Fetch(Lookup())]
    assert outcome is NOT_FOUND


def test_a_store_that_is_away_is_not_asked(shared, store):
    store.away = True
    assert transcript(shared, NOT_FOUND)[0] == [Fetch(Lookup())]


# -- refreshes and flights -----------------------------------------------------------------------


def test_an_entry_that_another_process_has_refreshed_is_not_refreshed(shared, store, wall):
    store.entry = CacheEntry(200, (), b"stored", wall(), 10.0, 20.0)
    assert lookup_to_refresh(shared, KEY) is None, "it is fresh"
    wall.pass_by(12)
    assert lookup_to_refresh(shared, KEY).entry is store.entry
    store.entry = CacheEntry(200, (), b"stored", wall(), 10.0, 20.0)
    assert lookup_to_refresh(shared, KEY) is None


def test_what_could_not_be_stored_is_not_refreshed(shared, store):
    store.away = True
    assert lookup_to_refresh(shared, KEY) is None


def test_a_fetch_from_before_an_invalidation_is_not_shared_with_one_after_it(cache):
    for lookup in (None, Lookup()):
        before = flight_key(cache, KEY, lookup or cache.get_local(KEY))
        assert flight_key(cache, KEY, lookup or cache.get_local(KEY)) == before
        cache.invalidate([tag_of("x")])
        assert flight_key(cache, KEY, lookup or cache.get_local(KEY)) != before
