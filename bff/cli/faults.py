"""The option `--fault`: fault injection in services from recordings."""

from __future__ import annotations

from collections.abc import Callable, Container
from typing import TYPE_CHECKING, Any, Final

import click

if TYPE_CHECKING:
    from bff.dev.recordings.message import Fault

FAULTS: Final[dict[str, Fault]] = {
    "reset": "reset",
    "empty": "empty",
    "truncated": "truncated",
    "slow": "dribble_body",
    "hang": "hang",
}


def fault_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--fault` to a command."""
    return click.option(
        "--fault",
        "faults",
        multiple=True,
        metavar="SERVICE=KIND",
        help="A fault in place of the recorded replies of a service: reset, empty (closes without a"
        " reply), truncated, slow (a byte at a time), hang.",
    )(command)


def read_faults(texts: tuple[str, ...], known: Container[str]) -> dict[str, Fault]:
    """Parse `SERVICE=KIND` texts to faults by service.

    Args:
        known: the names of the services.

    Raises:
        ValueError: a text has an unknown service or kind.
    """
    found = {}
    for text in texts:
        service, _, kind = text.partition("=")
        if service not in known or kind not in FAULTS:
            kinds = ", ".join(FAULTS)
            message = f"a recorded service and one of {kinds} are expected: orders=slow"
            raise ValueError(f"--fault {text}: {message}")
        found[service] = FAULTS[kind]
    return found
