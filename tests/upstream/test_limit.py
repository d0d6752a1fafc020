"""Places of a service, and the line before them."""

from bff.upstream.limit import Places


def test_whoever_comes_to_a_full_one_waits_in_the_order_of_coming():
    places = Places(2)
    assert [places.enter() for _ in range(3)] == [True, True, False]
    for name in "abc":
        places.wait(name)
    assert places.waiting == 3
    assert [places.leave() for _ in range(3)] == ["a", "b", "c"]
    assert places.taken == 2
    assert [places.leave(), places.leave()] == [None, None]
    assert places.taken == 0


def test_nobody_jumps_the_queue():
    places = Places(1)
    assert places.enter()
    places.wait("a")
    assert not places.enter()
    assert places.leave() == "a"
    assert not places.enter()


def test_whoever_leaves_the_line_gets_no_place():
    places = Places(1)
    places.enter()
    places.wait("a")
    places.wait("b")
    assert places.withdraw("a")
    assert not places.withdraw("a")
    assert places.leave() == "b"
