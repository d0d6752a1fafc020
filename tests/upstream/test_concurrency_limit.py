"""The concurrency limit of a service, and its queue."""

from bff.upstream.concurrency_limit import ConcurrencyLimit


def test_whoever_comes_to_a_full_one_waits_in_the_order_of_coming():
    slots = ConcurrencyLimit(2)
    assert [slots.acquire() for _ in range(3)] == [True, True, False]
    for name in "abc":
        slots.enqueue(name)
    assert slots.waiting == 3
    assert [slots.release() for _ in range(3)] == ["a", "b", "c"]
    assert slots.taken == 2
    assert [slots.release(), slots.release()] == [None, None]
    assert slots.taken == 0


def test_nobody_jumps_the_queue():
    slots = ConcurrencyLimit(1)
    assert slots.acquire()
    slots.enqueue("a")
    assert not slots.acquire()
    assert slots.release() == "a"
    assert not slots.acquire()


def test_whoever_leaves_the_line_gets_no_place():
    slots = ConcurrencyLimit(1)
    slots.acquire()
    slots.enqueue("a")
    slots.enqueue("b")
    assert slots.dequeue("a")
    assert not slots.dequeue("a")
    assert slots.release() == "b"
