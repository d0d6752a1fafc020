"""Rules about what is allowed, and often not meant."""

from typing import Final

from bff.declare.rules.rule import Rule

DOUBTS: Final = (
    Rule(
        "unused-call",
        "A call that no view makes",
        "No shape uses its value.",
        "Use it, say `guard: true`, or remove it.",
        may_be_ignored=True,
    ),
    Rule(
        "cache-and-hedge",
        "A cached call with a hedge",
        "What several requests wait for is fetched once, so its hedge is never sent.",
        "One of `cache` and `hedge`.",
        may_be_ignored=True,
    ),
)
