"""Whether a request is sent again: a table of what came, and how long it waits."""

import pytest

from bff.errors import BadReply, CircuitOpen, LimitReached, TimedOut, Unreachable
from bff.model.exchange import Reply
from bff.model.policy import Retry
from bff.upstream.retry import wait_before

DATE = "Sat, 21 Nov 2026 00:00:00 GMT"
ONE_SECOND = Retry(first=1.0, most=8.0)
HALF = 0.5


def reply_of(status, **headers):
    return Reply(status, tuple((k.replace("_", "-"), v) for k, v in headers.items()), b"")


@pytest.mark.parametrize(
    ("result", "wait"),
    [
        (Unreachable("refused", "connect"), 0.5),
        (Unreachable("closed", "reset"), 0.5),
        (Unreachable("cut off within the reply"), None),
        (TimedOut("late"), None),
        (BadReply("html"), None),
        (CircuitOpen("open", 3.0), None),
        (LimitReached("full"), None),
        (reply_of(200), None),
        (reply_of(404), None),
        (reply_of(500), None),
        (reply_of(502), 0.5),
        (reply_of(503), 0.5),
        (reply_of(503, retry_after="2"), 2.5),
        (reply_of(504), 0.5),
        (reply_of(429), None),
        (reply_of(429, retry_after="3"), 3.5),
        (reply_of(429, retry_after="soon"), None),
        (reply_of(429, retry_after="-1"), None),
        (
            reply_of(
                429,
                retry_after="Sat, 21 Nov 2026 00:00:02 GMT",
                date="Sat, 21 Nov 2026 00:00:00 GMT",
            ),
            2.5,
        ),
        (reply_of(429, retry_after="Sat, 21 Nov 2026 00:00:02 GMT"), None),  # since when?
        (reply_of(429, retry_after="Fri, 01 Jan 9999999999999 00:00:00 GMT", date=DATE), None),
        (reply_of(503, retry_after="Fri, 01 Jan 9999999999999 00:00:00 GMT", date=DATE), 0.5),
        (reply_of(503, retry_after="Sat, 21 Nov 2026 00:00:02", date=DATE), 2.5),  # UTC
        (reply_of(503, retry_after="9" * 5000), None),
        (reply_of(503, retry_after="²"), 0.5),
    ],
    ids=str,
)
def test_what_came_decides(result, wait):
    assert wait_before(ONE_SECOND, 1, result, 60.0, lambda: HALF) == wait


@pytest.mark.parametrize(
    ("tried", "bound"), [(1, 1.0), (2, 2.0), (3, 4.0), (4, 8.0), (5, 8.0), (10, 8.0)]
)
@pytest.mark.parametrize("dice", [0.0, 0.25, 0.999])
def test_the_bound_of_the_wait_doubles_and_the_jitter_is_full(tried, bound, dice):
    policy = Retry(retries=10, first=1.0, most=8.0)
    assert wait_before(policy, tried, reply_of(503), 60.0, lambda: dice) == pytest.approx(
        dice * bound
    )


@pytest.mark.parametrize(
    ("retries", "tried", "again"), [(0, 1, 0), (1, 1, 1), (1, 2, 0), (3, 3, 1)]
)
def test_it_is_sent_again_as_often_as_declared(retries, tried, again):
    policy = Retry(retries=retries)
    assert (wait_before(policy, tried, reply_of(503), 60.0, lambda: 0.0) is not None) == again


@pytest.mark.parametrize(("left", "again"), [(0.0, False), (0.5, False), (0.51, True)])
def test_it_is_not_sent_again_past_the_deadline(left, again):
    assert (wait_before(ONE_SECOND, 1, reply_of(503), left, lambda: HALF) is not None) == again


def test_a_late_attempt_is_sent_again_where_an_attempt_has_a_time_of_its_own():
    assert wait_before(Retry(each=0.1), 1, TimedOut("late"), 1.0, lambda: 0.0) == 0.0


def test_what_is_retried_is_declared():
    policy = Retry(on=frozenset({"500"}))
    assert wait_before(policy, 1, reply_of(500), 1.0, lambda: 0.0) == 0.0
    assert wait_before(policy, 1, reply_of(503), 1.0, lambda: 0.0) is None
    assert wait_before(policy, 1, Unreachable("refused", "connect"), 1.0, lambda: 0.0) is None
