"""Load in interleaved rounds: what one contender does for some seconds, then the next one."""

import json
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final
from urllib.request import urlopen

from bench.contenders import PAGES, Contender
from bench.processes import Failed, Server
from bench.upstream import find

CONNECTIONS: Final = 32
_SCRIPT: Final = Path(__file__).parent / "wrk.lua"
_TIMEOUT: Final = 10


@dataclass(frozen=True, slots=True)
class Measured:
    """One contender in one round.

    Args:
        rate: answers a second.
        p50: milliseconds within which half of them came.
        p99: milliseconds within which 99 of 100 came.
        cpu: milliseconds of CPU that the server's processes had for each answer.
    """

    rate: float
    p50: float
    p99: float
    cpu: float


def verify(contenders: list[Contender]) -> None:
    """Hold the pages against each other: all must be the same JSON.

    Raises:
        Failed: they are not.
    """
    bodies = {each.name: _page(each) for each in contenders if each.name in PAGES}
    first = bodies[PAGES[0]]
    if not all(first[name][1:] for name in ("orders", "more")):
        raise Failed("the page is empty: there would be nothing to measure")
    for name, body in bodies.items():
        if body != first:
            raise Failed(f"{name} does not give the same page as {PAGES[0]}")


def measure(
    contender: Contender,
    upstream: Server,
    seconds: int,
    warm_up: int,
    headers: Sequence[str] = (),
) -> Measured:
    """Put one contender under load, after a warm-up that is not counted.

    Raises:
        Failed: an answer was an error, or was made with fewer calls than it should take.
    """
    _load(contender, warm_up, headers)
    calls, spent = _served(upstream), contender.server.cpu()
    done = _load(contender, seconds, headers)
    spent, calls = contender.server.cpu() - spent, _served(upstream) - calls
    answers = done["requests"]
    if done["errors"] or not answers:
        raise Failed(f"{contender.name}: {done['errors']} errors in {answers} answers")
    if calls < answers * contender.calls:
        raise Failed(f"{contender.name}: {answers} answers took only {calls} calls")
    rate = answers / done["seconds"]
    return Measured(rate, done["p50"], done["p99"], spent / answers * 1000)


def _load(contender: Contender, seconds: int, headers: Sequence[str]) -> Any:
    load = ["-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--timeout", f"{_TIMEOUT}s"]
    load += [word for header in headers for word in ("-H", header)]
    done = subprocess.run(  # noqa: S603 - our own command
        [find("wrk"), *load, "-s", str(_SCRIPT), contender.url],
        capture_output=True,
        text=True,
        check=True,
        timeout=seconds + 2 * _TIMEOUT,
    )
    return json.loads(done.stdout.splitlines()[-1])


def _page(contender: Contender) -> Any:
    with urlopen(contender.url, timeout=_TIMEOUT) as reply:  # noqa: S310 - http, as it begins with
        if reply.status != HTTPStatus.OK:
            raise Failed(f"{contender.name} answers {reply.status}")
        return json.load(reply)


def _served(upstream: Server) -> int:
    """How many requests nginx has had."""
    with urlopen(f"http://127.0.0.1:{upstream.port}/status", timeout=_TIMEOUT) as reply:
        found = re.search(r"\n\s*\d+ \d+ (\d+)", reply.read().decode())
    if not found:
        raise Failed("nginx does not say how many requests it had")
    return int(found[1])
