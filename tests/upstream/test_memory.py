"""The budget of bytes: what is taken is given back, and small replies have a part of their own."""

import gc
import threading
from queue import SimpleQueue

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bff.errors import BadReply, MemoryReached
from bff.upstream.body import read_body
from bff.upstream.memory import Lease, Memory
from bff.upstream.thread_pool import ThreadPool

KB = 1024


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 40 * KB), st.booleans())))
def test_what_is_taken_is_what_leases_hold(steps: list[tuple[int, int, bool]]):
    memory: Memory = Memory(256 * KB)
    leases: dict[int, Lease] = {}
    for number, size, dropped in steps:
        if dropped:
            leases.pop(number, None)
        elif size % 3:
            leases.setdefault(number, memory.lease())
            try:
                leases[number].add(size)
            except MemoryReached:
                assert memory.taken + size > 256 * KB * 7 // 8
        elif number in leases:
            leases[number].shrink(size)
        assert memory.taken == sum(each.size for each in leases.values()) <= 256 * KB
    leases.clear()
    assert memory.taken == 0


def test_the_last_eighth_is_for_small_replies():
    memory = Memory(1024 * KB)
    large, small = memory.lease(), memory.lease()
    large.add(896 * KB)
    with pytest.raises(MemoryReached):
        memory.lease().add(65 * KB)
    with pytest.raises(MemoryReached):
        large.add(1)
    small.add(64 * KB)
    assert memory.refused == 2


def test_what_is_announced_takes_nothing():
    memory = Memory(1024 * KB)
    memory.admit(800 * KB)
    assert memory.taken == 0
    with pytest.raises(MemoryReached):
        memory.admit(1024 * KB)


def test_a_lease_may_end_while_the_budget_is_locked():
    """The garbage collector runs at any point; a lock would then wait for its own thread."""
    memory = Memory()
    lease = memory.lease()
    lease.add(10)
    ended = threading.Thread(target=lease.shrink, args=(0,), daemon=True)
    with memory._lock:
        ended.start()
        ended.join(5)
        assert not ended.is_alive()
    assert memory.taken == 0


@pytest.mark.parametrize("coding", ["", "gzip", "deflate"])
def test_a_body_that_fails_holds_nothing(coding: str):
    memory = Memory()
    with pytest.raises(BadReply):
        read_body(cut_off(), coding, 10**6, memory.lease())
    gc.collect()
    assert memory.taken == 0


def cut_off():
    yield b"\x1f\x8b\x08" + bytes(1000)
    raise BadReply("it broke off")


def test_an_idle_thread_holds_nothing_of_its_last_job():
    memory, done = Memory(), SimpleQueue()
    workers = ThreadPool(1, "test")

    def job(lease: Lease) -> None:
        lease.add(100)

    lease = memory.lease()
    workers.submit(lambda lease=lease: job(lease))
    del lease
    workers.submit(lambda: done.put(memory.taken))
    assert done.get(timeout=5) == 0
    workers.close()
