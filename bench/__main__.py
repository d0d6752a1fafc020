"""`python -m bench`: start everything, verify it, load it in rounds, say what came of it."""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import click
import orjson
from rich.console import Console
from rich.progress import track

from bench.contenders import FLASK, LIVEZ, PAGES, THREADS, Contender, start_contenders
from bench.kept import DEAREST, LEAST, measure_kept, start_kept
from bench.processes import Failed, Server, ended_by_signals, free_ports
from bench.report import Memory, Rounds, speed, summary, table
from bench.rounds import CONNECTIONS, Measured, measure, verify
from bench.upstream import start_upstream

_WARM_UP: Final = 1
_LIVEZ_SECONDS: Final = 2
_SLOWEST: Final = 0.9  # of the hand-written Flask page's rate


@click.command()
@click.option("--rounds", type=click.IntRange(1, 100), default=5, show_default=True)
@click.option("--seconds", type=click.IntRange(1, 60), default=5, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def main(rounds: int, seconds: int, *, as_json: bool) -> None:
    """Compare the app with the same page written by hand.

    Ends with 1 where the app is slower than 0.9 times the Flask page, or nothing could be
    measured.
    """
    try:
        told = _run(rounds, seconds)
    except Failed as failure:
        click.echo(f"bench: {failure}", err=True)
        sys.exit(1)
    if as_json:
        click.echo(orjson.dumps(told, option=orjson.OPT_INDENT_2))
    else:
        Console(width=None if sys.stdout.isatty() else 100).print(table(told))
        click.echo(f"x: relative to {FLASK}, round by round. CPU: of the server, per answer.")
    if not as_json:
        kept = told["kept"]
        for name, each in kept["medians"].items():
            click.echo(f"{name}: {each['rate']:,.0f} answers/s, CPU {each['cpu']:.2f} ms")
        click.echo(f"a kept page of a person costs {kept['cost_beside_a_bare_route']} bare routes")
        click.echo(
            f"nginx has {kept['rate_of_nginx_for_the_same_cpu']} times the app's rate for its CPU"
        )
    if told["kept"]["cost_beside_a_bare_route"] > DEAREST:
        click.echo(f"bench: a kept page costs more than {DEAREST} bare routes", err=True)
        sys.exit(1)
    if told["kept"]["rate_of_nginx_for_the_same_cpu"] < LEAST:
        click.echo(f"bench: nginx has less than {LEAST} times the app's rate", err=True)
        sys.exit(1)
    if speed(told) < _SLOWEST:
        click.echo(f"bench: the app has {speed(told):.2f} of the rate of {FLASK}", err=True)
        sys.exit(1)


def _run(rounds: int, seconds: int) -> dict[str, Any]:
    stop: list[Server] = []
    with TemporaryDirectory(prefix="bff-bench-") as folder, ended_by_signals():
        try:
            scratch = Path(folder)
            (port,) = free_ports(1)
            upstream = start_upstream(scratch, port)
            stop.append(upstream)
            upstream.wait_until_up()
            contenders = start_contenders(scratch, port, stop)
            verify(contenders)
            idle = _memory(contenders)
            measured = _measure(contenders, upstream, rounds, seconds)
            after = _memory(contenders)
            kept = measure_kept(start_kept(scratch, port, stop), upstream, rounds, seconds)
        finally:
            for server in reversed(stop):
                server.stop()
    memory: Memory = {name: (idle[name], after[name]) for name in idle}
    load = {"rounds": rounds, "seconds": seconds, "connections": CONNECTIONS, "threads": THREADS}
    return summary(measured, memory, load) | {"kept": kept}


def _measure(contenders: list[Contender], upstream: Server, rounds: int, seconds: int) -> Rounds:
    measured: dict[str, list[Measured]] = {each.name: [] for each in contenders}
    turns = range(rounds)
    for turn in track(turns, "Rounds", console=Console(stderr=True), transient=True):
        first = turn % len(contenders)  # nobody is always the one after the pause
        for each in contenders[first:] + contenders[:first]:
            last = _LIVEZ_SECONDS if each.name == LIVEZ else seconds
            measured[each.name].append(measure(each, upstream, last, _WARM_UP))
    return measured


def _memory(contenders: list[Contender]) -> dict[str, float]:
    return {each.name: each.server.memory() for each in contenders if each.name in PAGES}


if __name__ == "__main__":
    main()
