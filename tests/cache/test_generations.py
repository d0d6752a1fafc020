"""What a process knows of generations stays known while it is used, however many tags there are."""

import time
from itertools import count

import pytest

from bff.cache.cache import Cache
from bff.cache.entry import CacheEntry
from bff.cache.files import FileStore
from bff.cache.generations import _MAX_TAGS, Generations
from bff.cache.key import EVERYTHING, cache_key, is_structural, key_of, kind_of, session_of, tag_of
from bff.cache.store import _GENERATION_LASTS, BackendStore
from bff.store.lru_cache import LruCache

VIEW = kind_of("view", "home")
NUMBERS = count()


def entry():
    return CacheEntry(200, (), b"x", time.time(), 600.0)


def test_nothing_under_structural_tags_is_forgotten_for_other_tags():
    cache = Cache(1 << 20)
    home, about = cache_key(["home"], [VIEW]), cache_key(["about"], [kind_of("view", "about")])
    for want in (home, about):
        cache.put_local(cache.get_local(want).address, entry())
    for number in range(_MAX_TAGS + 1):
        cache.get_local(cache_key(["other"], [tag_of(str(number))]))
    assert cache.get_local(home).entry is not None
    assert cache.get_local(about).entry is not None


def test_the_tags_that_are_used_stay_and_those_not_used_for_longest_go():
    generations = Generations()
    (used,), (idle,) = generations.own(["used"]), generations.own(["idle"])
    for number in range(_MAX_TAGS):
        generations.own([str(number)])
        assert generations.known(["used"]) == (used,)
    assert generations.known(["idle"]) is None
    assert generations.own(["idle"]) != (idle,)


def test_a_structural_tag_is_invalidated_like_any_other():
    generations = Generations()
    before = generations.own([VIEW, key_of(EVERYTHING)])
    generations.forget([VIEW])
    after = generations.own([VIEW, key_of(EVERYTHING)])
    assert after[0] != before[0]
    assert after[1] == before[1]
    generations.forget()
    assert generations.known([VIEW]) is None


def test_which_tags_are_structural():
    assert is_structural(key_of(EVERYTHING))
    assert is_structural(kind_of("service", "users"))
    assert not any(map(is_structural, (tag_of("service"), session_of("users"))))


class _Timeouts(dict):
    """A backend that notes for how long something is kept."""

    def add(self, key, _value, timeout):
        self[key] = timeout

    def set(self, key, _value, timeout):
        self[key] = timeout
        return True

    def get(self, _key):
        return None


@pytest.mark.parametrize("write", ["generations", "bump"])
def test_a_store_that_evicts_what_expires_soonest_evicts_structural_tags_last(write):
    backend = _Timeouts()
    getattr(BackendStore(backend, ""), write)([VIEW, tag_of("any")])
    assert backend[f"g:{VIEW}"] > backend[f"g:{tag_of('any')}"] == _GENERATION_LASTS


def test_a_full_folder_forgets_no_structural_tag(tmp_path, monkeypatch):
    monkeypatch.setattr("bff.cache.files._MAX_FILES", 20)
    cache = Cache(1 << 20)
    store = FileStore(tmp_path, cache)
    (first,) = store.generations([VIEW]).values()
    for number in range(40):
        store.generations([tag_of(str(number))])
    assert store.generations([VIEW]) == {VIEW: first}


def test_what_was_used_last_is_evicted_last():
    recent = LruCache(2)
    recent.put("a", 1)
    recent.put("b", 2)
    assert recent.get("a") == 1
    recent.put("c", 3)
    assert (recent.get("b"), recent.get("a"), recent.get("c"), len(recent)) == (None, 1, 3, 2)
    recent.put("a", 4)
    recent.put("d", 5)
    assert (recent.get("c"), recent.get("a")) == (None, 4)
    recent.pop("nothing")
    recent.pop("a")
    recent.clear()
    assert len(recent) == 0
