"""What may refuse a request to a service before it is sent."""

import pytest

from bff.errors import CircuitOpen
from bff.model.policy import Break, Policies
from bff.upstream.admission import OpenCircuits, admission_of
from bff.upstream.breaker import Breaker


def breaker(*, opened=None):
    """A circuit breaker; open since a moment, or closed."""
    made = Breaker(Break(of=1, failures=0.5, open=5.0))
    if opened is not None:
        made.leave(made.enter(opened), opened, 0.1, failed=True)
    return made


def test_a_request_is_admitted_while_one_address_may_be_asked():
    OpenCircuits([breaker(opened=0.0), breaker()]).admit(1.0)
    OpenCircuits([breaker(opened=0.0), None]).admit(1.0)


def test_a_request_is_refused_while_all_circuits_are_open_and_knows_for_how_long():
    with pytest.raises(CircuitOpen) as refused:
        OpenCircuits([breaker(opened=0.0), breaker(opened=2.0)]).admit(3.0)
    assert refused.value.retry_after == 2.0
    OpenCircuits([breaker(opened=0.0), breaker(opened=2.0)]).admit(5.0)


def test_a_service_has_the_policies_that_it_declares():
    circuits = OpenCircuits([None])
    assert admission_of(Policies(), circuits) == ()
    assert admission_of(Policies(breaker=Break()), circuits) == (circuits,)
