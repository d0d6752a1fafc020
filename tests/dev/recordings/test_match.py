"""Which recorded entry answers a request, and which come near."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bff.dev.recordings.match import EntryIndex, RequestKey
from bff.dev.recordings.recording import RecordedEntry


def recorded(number, target, method="GET", body=b""):
    asked = RequestKey.target(method, target)
    return RecordedEntry(
        number, method, target.partition("?")[0], asked.query, body, 200, (), b"", 1.0
    )


ENTRIES = [
    recorded(0, "/orders?customer=ada&limit=5"),
    recorded(1, "/orders?customer=ada&limit=10"),
    recorded(2, "/orders/o-5001"),
    recorded(3, "/products?ids=a&ids=b"),
    recorded(4, "/orders", "POST", b'{"lines": [1], "note": ""}'),
    recorded(5, "/orders/o-5001"),
]
INDEX = EntryIndex(ENTRIES)


@pytest.mark.parametrize(
    ("method", "target", "body", "number"),
    [
        ("GET", "/orders?customer=ada&limit=5", b"", 0),
        ("GET", "/orders?limit=10&customer=ada", b"", 1),
        ("get", "/orders/o%2D5001", b"", 2),
        ("GET", "/products?ids=a&ids=b", b"", 3),
        ("POST", "/orders", b'{"note":"","lines":[1]}', 4),
    ],
)
def test_the_same_request_is_found(method, target, body, number):
    found = INDEX.find(RequestKey.target(method, target, body))
    assert found is not None
    assert found.number == number


@pytest.mark.parametrize(
    ("method", "target", "body"),
    [
        ("GET", "/orders?customer=ada", b""),
        ("GET", "/orders?customer=ada&limit=5&limit=5", b""),
        ("GET", "/products?ids=a", b""),
        ("GET", "/products?ids=b&ids=a", b""),
        ("GET", "/products?ids=a&ids=b&ids=b", b""),
        ("HEAD", "/orders/o-5001", b""),
        ("GET", "/orders%2Fo-5001", b""),
        ("POST", "/orders", b'{"lines": [2], "note": ""}'),
        ("POST", "/orders", b""),
    ],
)
def test_another_request_is_not(method, target, body):
    assert INDEX.find(RequestKey.target(method, target, body)) is None


@pytest.mark.parametrize(
    ("method", "target", "body", "number", "differences"),
    [
        (
            "GET",
            "/orders?customer=ada&limit=50",
            b"",
            0,
            ("query: asked limit=50, recorded limit=5",),
        ),
        ("GET", "/orders?customer=ada", b"", 0, ("query: asked no limit, recorded limit=5",)),
        ("GET", "/orders/o-5009", b"", 2, ("path: asked /orders/o-5009, recorded /orders/o-5001",)),
        ("PUT", "/orders/o-5001", b"", 2, ("method: asked PUT, recorded GET",)),
        ("POST", "/orders", b"[]", 4, ('body: asked [], recorded {"lines":[1],"note":""}',)),
    ],
)
def test_the_nearest_says_what_differs(method, target, body, number, differences):
    nearest = INDEX.nearest(RequestKey.target(method, target, body), 2)
    assert len(nearest) == 2
    assert (nearest[0].entry.number, nearest[0].differences) == (number, differences)


def test_nothing_is_near_where_nothing_is_recorded():
    assert EntryIndex([]).nearest(RequestKey.target("GET", "/")) == []


@given(st.permutations([("a", "1"), ("a", "2"), ("b", ""), ("ä", "&=")]))
def test_the_order_of_the_query_matters_among_values_of_one_name_alone(pairs):
    one = RequestKey.of("GET", "/x", pairs, b"")
    same = pairs.index(("a", "1")) < pairs.index(("a", "2"))
    assert (one == RequestKey.of("GET", "/x", sorted(pairs), b"")) == same
