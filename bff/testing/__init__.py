"""The test tools for views; the pytest fixtures are in `bff/fixtures.py`."""

from bff.testing.client import Client, Unmatched
from bff.testing.outcomes import assert_outcomes, outcomes_of

__all__ = ["Client", "Unmatched", "assert_outcomes", "outcomes_of"]
