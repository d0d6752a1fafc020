"""Problems of a configuration: the rule, the place, the message and a hint."""

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

from bff.model.source import Place

_FEW: Final = 12  # words that are worth listing in a hint


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem of a configuration.

    Args:
        id: the id of its rule, see `bff.declare.rules`.
        unsafe: whether it is a warning for development and an error for `bff serve`.
    """

    id: str
    place: Place
    message: str
    hint: str = ""
    warning: bool = False
    unsafe: bool = False

    def __str__(self) -> str:
        kind = "warning" if self.warning else "error"
        hint = f"\n    hint: {self.hint}" if self.hint else ""
        return f"{self.place}: {kind}: {self.message} [{self.id}]{hint}"


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A hint that names the known word nearest to `name`, or lists a few; empty without any."""
    words = sorted(known)
    near = get_close_matches(name, words, n=1, cutoff=0.6)
    if near:
        return f"did you mean `{near[0]}`?"
    return f"known: {', '.join(words)}" if 0 < len(words) <= _FEW else ""
