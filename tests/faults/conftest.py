"""What the tests of faults share."""

import pytest


@pytest.fixture(scope="module", params=["sockets", pytest.param("pool", marks=pytest.mark.large)])
def exchange(request: pytest.FixtureRequest) -> str:
    """What carries requests to services, as in bff.yaml."""
    found: str = request.param
    return found
