"""`python -m bench.sizing`: what a page costs here, and how much a rate would need."""

import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Final
from urllib.request import urlopen

import click

from bench.contenders import ROOT, Contender, environ
from bench.kept import EDGE, PERSON, start_kept
from bench.processes import Failed, Server, ended_by_signals, free_ports
from bench.rounds import measure
from bench.upstream import start_upstream
from bff.dev.stubs.stub import StubReply, StubRequest, StubServices

_BUSY: Final = 0.6  # of its cores that a process may use: beyond that, answers wait for each other
_AT_ONCE: Final = 64  # requests that are held up to see what each of them takes
_HELD: Final = 1.0  # seconds for which each call of theirs is
_PAGE: Final = "/web/page/7"
_MB: Final = 1024.0


@dataclass(frozen=True, slots=True)
class Costs:
    """What was measured.

    Args:
        made: milliseconds of CPU for a page that is made of four calls.
        kept: the same for one that is kept, and a person's.
        front: the same for nginx, of a page that it passes on.
        process: MB of a worker that does nothing.
        request: MB that one request under way adds to it.
    """

    made: float
    kept: float
    front: float
    process: float
    request: float


@click.command()
@click.option("--rounds", type=click.IntRange(1, 100), default=3, show_default=True)
@click.option("--seconds", type=click.IntRange(1, 60), default=4, show_default=True)
@click.option("--rate", type=float, default=10_000.0, show_default=True, help="Pages a second.")
@click.option("--hits", type=click.FloatRange(0, 1), default=0.5, help="The share that is kept.")
@click.option(
    "--page", type=float, default=0.2, help="Seconds that a page takes, services included."
)
def main(rounds: int, seconds: int, rate: float, hits: float, page: float) -> None:
    """Measure, and do the arithmetic of docs/scaling.md."""
    try:
        costs = _measured(rounds, seconds)
    except Failed as failure:
        click.echo(f"sizing: {failure}", err=True)
        sys.exit(1)
    click.echo(f"CPU of a page that is made    {costs.made:.2f} ms")
    click.echo(f"CPU of a page that is kept    {costs.kept:.2f} ms")
    click.echo(f"CPU of nginx for either       {costs.front:.3f} ms")
    click.echo(f"memory of an idle worker      {costs.process:.0f} MB")
    click.echo(f"memory of a request under way {costs.request:.2f} MB")
    click.echo(f"\nfor {rate:,.0f} pages/s, {hits:.0%} of them kept, {page * 1000:.0f} ms each:")
    for line in arithmetic(costs, rate, hits, page):
        click.echo(f"  {line}")


def arithmetic(costs: Costs, rate: float, hits: float, page: float) -> list[str]:
    """How many cores, workers and threads, how much memory; each with how it comes about.

    Args:
        rate: pages a second.
        hits: the share of them that is kept.
        page: seconds that one takes which is not.
    """
    each = hits * costs.kept + (1 - hits) * costs.made
    cores = rate * each / 1000
    workers = ceil(cores / _BUSY)
    at_once = rate * (1 - hits) * page / workers
    memory = costs.process + at_once * costs.request
    mixed = f"{hits:.2f} x {costs.kept:.2f} + {1 - hits:.2f} x {costs.made:.2f}"
    made = f"{rate:,.0f} x {1 - hits:.2f} x {page} s / {workers}"
    needs = f"{costs.process:.0f} + {at_once:.1f} x {costs.request:.2f}"
    front = rate * costs.front / 1000 / _BUSY
    return [
        f"CPU a page    {mixed} = {each:.2f} ms",
        f"cores         {rate:,.0f} x {each:.2f} ms = {cores:.1f}",
        f"workers       {cores:.1f} / {_BUSY} = {workers}, a core for each",
        f"made at once  {made} = {at_once:.1f} in each worker; twice as many threads",
        f"memory        {needs} = {memory:.0f} MB each, {workers * memory / _MB:.1f} GB in all",
        f"nginx         {rate:,.0f} x {costs.front:.3f} ms / {_BUSY} = {front:.1f} cores",
    ]


def _measured(rounds: int, seconds: int) -> Costs:
    stop: list[Server] = []
    with TemporaryDirectory(prefix="bff-sizing-") as folder, ended_by_signals():
        scratch = Path(folder)
        try:
            (port,) = free_ports(1)
            upstream = start_upstream(scratch, port)
            stop.append(upstream)
            upstream.wait_until_up()
            kept = {each.name: each for each in start_kept(scratch, port, stop)}
            app, front = kept[PERSON].server, kept[EDGE].server
            person = kept[PERSON]
            pages = {
                "made": (Contender("made", app, _PAGE, 4), ()),
                "kept": (person, person.headers),
                "front": (Contender("front", front, _PAGE, 4), ()),
            }
            found: dict[str, list[float]] = {name: [] for name in pages}
            for _ in range(rounds):
                for name, (each, headers) in pages.items():
                    found[name].append(measure(each, upstream, seconds, 1, headers).cpu)
            cpu = {name: median(each) for name, each in found.items()}
            process, request = _memory(scratch, stop)
        finally:
            for server in reversed(stop):
                server.stop()
    return Costs(cpu["made"], cpu["kept"], cpu["front"], process, request)


def _memory(scratch: Path, stop: list[Server]) -> tuple[float, float]:
    """MB of a worker before, and what each of many requests adds that are under way at once."""
    replies = {path.stem: path.read_bytes() for path in (scratch / "files").glob("*.json")}
    names = {"users": "user", "for": "recommended"}

    def late(request: StubRequest) -> StubReply:
        time.sleep(_HELD)
        name = request.path.split("/")[1]
        body = replies[names.get(name, name)]
        return StubReply(200, (("Content-Type", "application/json"),), body)

    with StubServices({"all": late}) as stubs:
        app, management = free_ports(2)
        settings = {
            **environ(stubs.urls["all"]),
            "BFF_BIND": f"127.0.0.1:{app}",
            "BFF_MANAGEMENT_BIND": f"127.0.0.1:{management}",
            "BFF_WORKERS": "1",
            "BFF_THREADS": str(_AT_ONCE),
            "BFF_POOL": str(8 * _AT_ONCE),
            "BFF_STATE": str(scratch / "state"),
        }
        words = ["serve", "--config", str(ROOT / "bench/config")]
        command = [str(Path(sys.executable).parent / "bff"), *words]
        server = Server("slow", command, settings, app, scratch / "slow.log")
        stop.append(server)
        server.wait_until_up()
        url = f"http://127.0.0.1:{app}{_PAGE}"
        _ask(url)  # what is loaded with the first page is no page's own
        before, most = server.memory(), 0.0
        with ThreadPoolExecutor(_AT_ONCE) as threads:
            asked = [threads.submit(_ask, url) for _ in range(_AT_ONCE)]
            while not all(each.done() for each in asked):
                most = max(most, server.memory())
                time.sleep(_HELD / 20)
        if not all(each.result() for each in asked):
            raise Failed("a page that was held up came to nothing")
    return before, (most - before) / _AT_ONCE


def _ask(url: str) -> bytes:
    with closing(urlopen(url, timeout=20)) as reply:  # noqa: S310 - http
        body: bytes = reply.read()
        return body


if __name__ == "__main__":
    main()
