"""Where a piece of configuration stands, so that whatever is wrong with it can be found."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Place:
    """A position in a configuration file; line and column count from 1."""

    file: str
    line: int = 1
    column: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Source:
    """A text of the configuration (an expression, a template) and its place."""

    text: str
    place: Place


# A tree of lists and mappings whose text leaves are Source; other leaves stand for themselves.
Tree = Any
