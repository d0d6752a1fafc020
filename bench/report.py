"""What the rounds come to: medians, and the ratio to the hand-written page in the same round."""

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from rich.table import Table

from bench.contenders import APP, FLASK, LIVEZ, PAGES
from bench.rounds import Measured

Rounds = Mapping[str, Sequence[Measured]]
Memory = Mapping[str, tuple[float, float]]  # MB resident before the load, and after it


def summary(rounds: Rounds, memory: Memory, load: Mapping[str, Any]) -> dict[str, Any]:
    """Everything that is told, as values; a ratio above 1 is more than the Flask page has.

    Args:
        load: how it was measured.
    """
    return {
        "load": dict(load),
        "medians": {name: _medians(measured) for name, measured in rounds.items()},
        "ratios": {name: _ratios(rounds[name], rounds[FLASK]) for name in PAGES},
        "memory_mb": {
            name: {"idle": round(idle, 1), "after": round(after, 1)}
            for name, (idle, after) in memory.items()
        },
    }


def speed(told: Mapping[str, Any]) -> float:
    """How fast the app is, as a multiple of the Flask page."""
    ratio: float = told["ratios"][APP]["rate"]
    return ratio


def table(told: Mapping[str, Any]) -> Table:
    """The same for a person."""
    made = Table(
        title="Medians of {rounds} rounds, {connections} connections".format(**told["load"])
    )
    made.add_column("")
    columns = ("answers/s", "p50 ms", "p99 ms", "CPU ms", "rate x", "CPU x", "MB idle", "MB after")
    for column in columns:
        made.add_column(column, justify="right")
    for name, each in told["medians"].items():
        ratios, memory = told["ratios"].get(name), told["memory_mb"].get(name)
        made.add_row(
            name,
            f"{each['rate']:,.0f}",
            f"{each['p50']:.1f}",
            f"{each['p99']:.1f}",
            f"{each['cpu']:.2f}",
            *([f"{ratios['rate']:.2f}", f"{ratios['cpu']:.2f}"] if ratios else ["", ""]),
            *([f"{memory['idle']:.0f}", f"{memory['after']:.0f}"] if memory else ["", ""]),
            end_section=name != LIVEZ and name == PAGES[-1],
        )
    return made


def _medians(measured: Sequence[Measured]) -> dict[str, float]:
    return {
        key: round(median(getattr(each, key) for each in measured), 3)
        for key in ("rate", "p50", "p99", "cpu")
    }


def _ratios(measured: Sequence[Measured], base: Sequence[Measured]) -> dict[str, float]:
    """Medians of the ratios round by round: what slows a round down slows both sides."""
    return {
        key: round(
            median(
                getattr(one, key) / getattr(other, key)
                for one, other in zip(measured, base, strict=True)
            ),
            3,
        )
        for key in ("rate", "p50", "p99", "cpu")
    }
