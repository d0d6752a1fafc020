"""The option by which services from recordings break, and its words."""

from __future__ import annotations

from collections.abc import Callable, Container
from typing import TYPE_CHECKING, Any, Final

import click

if TYPE_CHECKING:
    from bff.dev.recordings.message import Fault

WORDS: Final[dict[str, Fault]] = {
    "reset": "reset",
    "empty": "empty",
    "truncated": "truncated",
    "slow": "dribble_body",
    "hang": "hang",
}


def fault_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command `--fault`."""
    return click.option(
        "--fault",
        "faults",
        multiple=True,
        metavar="SERVICE=KIND",
        help="What a service does instead of replying from its recording: reset, empty (it closes"
        " without a reply), truncated, slow (a byte now and then), hang.",
    )(command)


def read_faults(texts: tuple[str, ...], known: Container[str]) -> dict[str, Fault]:
    """The fault of each service that has one. Raises ValueError."""
    found = {}
    for text in texts:
        service, _, kind = text.partition("=")
        if service not in known or kind not in WORDS:
            words = ", ".join(WORDS)
            raise ValueError(f"--fault {text}: should name a service, and one of {words}")
        found[service] = WORDS[kind]
    return found
