from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from bff.errors import StoreAway
from bff.store.lock import Lock, LockLost

NAME = "refresh:1"


@pytest.fixture
def take(store, clock):
    """Try to take the lock."""
    return lambda seconds=100.0, name=NAME: Lock.acquire(store, name, seconds, clock)


def test_a_lock_that_somebody_has_is_not_given(take):
    assert take()
    assert take() is None


def test_locks_of_other_names_are_others(take):
    assert take()
    assert take(name="refresh:2")


def test_a_lock_given_back_is_free(take):
    take().release()
    assert take()


def test_the_end_of_a_with_gives_it_back_whatever_happened(take):
    with pytest.raises(ZeroDivisionError), take():
        raise ZeroDivisionError
    assert take()


def test_of_many_threads_one_gets_it(take):
    barrier = Barrier(8)

    def together(_):
        barrier.wait(10)
        return take()

    with ThreadPoolExecutor(8) as threads:
        assert len([lock for lock in threads.map(together, range(8)) if lock]) == 1


def test_a_lock_that_is_not_renewed_goes_to_somebody_else(take, until):
    assert take(0.05)
    until(take)


def test_a_lock_that_is_renewed_is_kept(store, clock, take):
    lock = take(10)
    for _ in range(3):
        clock.advance(6)
        lock.renew()
        assert take() is None
    assert store.get(f"lock:{NAME}").expires == clock() + 10


def test_who_has_lost_it_learns_so_and_takes_nothing_back(take, until):
    slow = take(0.05)
    quick = []
    until(lambda: quick.append(take()) or quick[-1])
    for _ in range(2):
        with pytest.raises(LockLost):
            slow.renew()
    slow.release()
    assert take() is None, "it is the other's still"
    quick[-1].renew()


def test_who_has_lost_it_gives_back_nothing_of_somebody_elses(take, until):
    slow = take(0.05)
    quick = []
    until(lambda: quick.append(take()) or quick[-1])
    slow.release()
    assert take() is None


def test_a_lock_that_expired_cannot_be_renewed_even_if_it_is_free(store, take, until):
    lock = take(0.05)
    until(lambda: store.get(f"lock:{NAME}") is None)
    with pytest.raises(LockLost):
        lock.renew()


def test_what_was_given_back_cannot_be_renewed_nor_given_back_again(take):
    lock = take()
    lock.release()
    other = take()
    with pytest.raises(LockLost):
        lock.renew()
    lock.release()
    assert take() is None
    other.renew()


class Away:
    """A store that nobody reaches."""

    def put(self, *_args):
        raise StoreAway("away")

    delete = put


def test_a_store_that_is_away_is_no_lock_that_somebody_has(clock):
    with pytest.raises(StoreAway):
        Lock.acquire(Away(), NAME, 1, clock)


def test_a_store_that_is_away_takes_no_lock_from_who_has_it(store, take):
    lock = take()
    lock._store = Away()
    with pytest.raises(StoreAway):
        lock.renew()
    lock._store = store
    lock.renew()
    assert take() is None


def test_a_store_that_is_away_hides_no_error_of_the_work(take):
    lock = take()
    lock._store = Away()
    with pytest.raises(ZeroDivisionError), lock:
        raise ZeroDivisionError
