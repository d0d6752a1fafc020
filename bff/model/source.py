"""Places in configuration files, and texts that know theirs: every problem names one."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

# Private-use characters (Unicode) that replace braces in the value of a `${…}` reference: a secret
# that contains a brace is not a template.
OPEN, CLOSE = "\ue000", "\ue001"
_BACK: Final = str.maketrans(OPEN + CLOSE, "{}")


@dataclass(frozen=True, slots=True)
class Place:
    """A position in a configuration file; line and column count from 1.

    Args:
        keys: where the keys of the mapping that begins here stand, by name.
    """

    file: str
    line: int = 1
    column: int = 1
    keys: Mapping[str, "Place"] = field(default_factory=dict, compare=False, repr=False)

    @property
    def order(self) -> tuple[str, int, int]:
        """What places are sorted by: as a reader comes upon them."""
        return self.file, self.line, self.column

    def of(self, *names: str) -> "Place":
        """The place of the first of these keys that is written; else where the mapping begins."""
        return next((self.keys[name] for name in names if name in self.keys), self)

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Source:
    """A text of the configuration (an expression, a template) and its place.

    Args:
        written: the text as it stands in the file, references unresolved: messages show this.
        values: the named values that the text may use, compiled; None before a view is planned.
    """

    text: str
    place: Place
    written: str = ""
    values: Mapping[str, Any] | None = field(default=None, compare=False, repr=False)

    @property
    def shown(self) -> str:
        """The text for messages and plans, without what a reference stands for."""
        return self.written or self.text


def braces_back(text: str) -> str:
    """A text with the braces that came out of references in their places again."""
    return text if text.isascii() else text.translate(_BACK)  # the marks are not ASCII


# A tree of lists and mappings whose text leaves are Source; other leaves stand for themselves.
Tree = Any


@dataclass(frozen=True, slots=True)
class Reference:
    """What a `${…}` of the configuration stands for.

    Args:
        name: of the variable, or `file:` with a path.
        value: from the environment or a file; one that is a default of the configuration's own is
            no reference.
        keys: that lead to where it stands, such as `services`, `users`, `url`.
    """

    name: str
    value: str = field(repr=False)
    keys: tuple[str, ...] = ()
