"""The memory level: its bound holds, whatever is put into it by however many."""

from random import Random
from threading import Thread

from bff.cache.entry import CacheEntry
from bff.cache.memory import Memory


def entry(size):
    return CacheEntry(200, (), b"x" * size, 0.0, 60.0)


def test_the_bound_holds_and_what_was_used_longest_ago_goes_first():
    memory = Memory(100_000)
    for number in range(20):
        memory.put(str(number), entry(9_000))
        memory.get("0")
        assert memory.stats()["bytes"] <= 100_000
    assert memory.get("0") is not None
    assert memory.get("1") is None
    assert memory.get("19") is not None
    assert memory.stats()["evicted"] == 20 - memory.stats()["entries"]


def test_one_that_is_too_large_takes_nobodys_place():
    memory = Memory(100_000)
    memory.put("small", entry(10))
    memory.put("large", entry(50_000))
    assert memory.get("large") is None
    assert memory.get("small") is not None
    memory.put("small", entry(50_000))
    assert memory.get("small") is None, "what was there is no longer true"


def test_the_bound_holds_with_many_threads():
    memory = Memory(50_000)
    worst = []

    def work(seed):
        random = Random(seed)
        for _ in range(2_000):
            memory.put(str(random.randrange(200)), entry(random.randrange(6_000)))
            memory.get(str(random.randrange(200)))
            worst.append(memory.stats()["bytes"])

    threads = [Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(worst) <= 50_000
    assert sum(each.size for each in memory.entries()) == memory.stats()["bytes"]
    memory.clear()
    assert memory.stats()["bytes"] == memory.stats()["entries"] == 0
