"""The outcomes of an answer's calls, for assertions."""

from typing import Any


def outcomes_of(response: Any) -> dict[str, str]:
    """The outcome of each call, such as `ok` or `fallback`, from the BFF-Calls header."""
    return {name: each[0] for name, each in _calls(response).items()}


def assert_outcomes(response: Any, **expected: str) -> None:
    """Check the outcomes of calls.

    Args:
        expected: for each call its outcome (`ok`, `stale`, `fallback`, `skipped`, `failed`), or its
            outcome and reason: `orders="fallback timeout"`.

    Raises:
        AssertionError: an outcome differs, or there is no such call; lists all outcomes.
    """
    found = _calls(response)
    wrong = [
        f"{name}: expected {wanted}, was {' '.join(found[name]) if name in found else 'no call'}"
        for name, wanted in expected.items()
        if name not in found or tuple(wanted.split()) != found[name][: len(wanted.split())]
    ]
    if wrong:
        header = response.headers.get("BFF-Calls", "none: nothing was called for this answer")
        text = "; ".join(wrong)
        raise AssertionError(f"{text}\n  status {response.status_code}, BFF-Calls: {header}")


def _calls(response: Any) -> dict[str, tuple[str, ...]]:
    found = {}
    for member in response.headers.get("BFF-Calls", "").split(", "):
        name, _, rest = member.partition("=")
        kind, *parameters = rest.split(";")
        reason = [each[7:] for each in parameters if each.startswith("reason=")]
        if name:
            found[name] = (kind, *reason)
    return found
