"""How many examples property tests try: a fifth of them in `make test`, all in `make test-all`.

`make test` tries the same examples each time, so that a change does not fail by chance; chance
finds new ones in `make test-all`, which sets TEST_EXAMPLES=all.
"""

import os

from hypothesis import settings

ALL = os.environ.get("TEST_EXAMPLES") == "all"
_LEAST = 20

# No deadline of an example: on a busy machine it tells of the others.
settings.register_profile("all", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.register_profile("lean", deadline=None, derandomize=True, max_examples=_LEAST)
settings.load_profile("all" if ALL else "lean")


def examples(all_of_them: int) -> int:
    """How many examples a test tries that tries so many in `make test-all`."""
    return all_of_them if ALL else max(_LEAST, all_of_them // 5)
