"""What was answered to a key: given again, never to another request, and by one at a time."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from bff.errors import RequestRefused
from bff.store.idempotency import LASTS, IdempotencyKeys, Lease, StoredResponse
from bff.store.seal import Seal

ANSWER = StoredResponse(201, (("Content-Type", "application/json"),), b'{"id": 1}')
WHOSE = ["ada", "web", "order", "key"]


@pytest.fixture
def store(opened, store_url, clock):
    return opened(store_url, clock)


@pytest.fixture
def once(store, clock):
    return IdempotencyKeys(store, Seal(["secret"]), clock)


def test_the_same_key_gives_what_was_answered(once):
    turn = once.begin(WHOSE, "print", 10)
    once.end(turn, ANSWER)
    assert once.begin(WHOSE, "print", 10) == ANSWER


def test_another_request_with_the_key_is_422_answered_or_not(once):
    turn = once.begin(WHOSE, "print", 10)
    for _ in range(2):
        with pytest.raises(RequestRefused) as refused:
            once.begin(WHOSE, "other", 10)
        assert refused.value.status == 422
        once.end(turn, ANSWER)


def test_while_it_is_under_way_it_is_409(once):
    once.begin(WHOSE, "print", 10)
    with pytest.raises(RequestRefused) as refused:
        once.begin(WHOSE, "print", 10)
    assert refused.value.status == 409


def test_who_crashes_loses_the_turn_and_the_name_stays(once, clock):
    turn = once.begin(WHOSE, "print", 10)
    clock.advance(10.1)
    other = once.begin(WHOSE, "print", 10)
    assert isinstance(other, Lease)
    assert other.name == turn.name
    once.end(turn, StoredResponse(200, (), b"late"))
    once.end(other, ANSWER)
    assert once.begin(WHOSE, "print", 10) == ANSWER


def test_what_is_not_kept_may_be_tried_again(once):
    once.end(once.begin(WHOSE, "print", 10), None)
    assert isinstance(once.begin(WHOSE, "print", 10), Lease)


def test_an_answer_is_kept_for_a_day(opened, tmp_path, clock):
    once = IdempotencyKeys(opened(f"sqlite:{tmp_path}/own.db", clock), Seal(["secret"]), clock)
    once.end(once.begin(WHOSE, "print", 10), ANSWER)
    clock.advance(LASTS - 1)
    assert once.begin(WHOSE, "print", 10) == ANSWER
    clock.advance(2)
    assert isinstance(once.begin(WHOSE, "print", 10), Lease)


@pytest.mark.parametrize("at", range(4))
def test_of_another_person_frontend_or_view_it_is_another_key(once, at):
    once.end(once.begin(WHOSE, "print", 10), ANSWER)
    other = [*WHOSE[:at], "other", *WHOSE[at + 1 :]]
    assert isinstance(once.begin(other, "print", 10), Lease)


def test_of_many_at_once_one_has_the_turn(once):
    def begin(_):
        try:
            return once.begin(WHOSE, "print", 10)
        except RequestRefused as refused:
            return refused.status

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(begin, range(16)))
    assert sum(isinstance(each, Lease) for each in found) == 1
    assert {each for each in found if not isinstance(each, Lease)} == {409}


def test_nothing_of_it_is_legible_in_the_store(once, store):
    turn = once.begin(WHOSE, "print", 10)
    once.end(turn, ANSWER)
    entry = store.get(turn.name)
    assert b"id" not in entry.value
    assert "ada" not in turn.name
