"""Reads a Dockerfile: its stages, and what a container of each starts with."""

import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage.

    Args:
        base: what its FROM names: an image, or a stage before it.
        instructions: all that follow, as (word, rest) with continued lines in one.
    """

    name: str
    base: str
    instructions: tuple[tuple[str, str], ...] = field(repr=False)

    def last(self, word: str) -> str:
        """The rest of the last such instruction; empty if there is none."""
        return next((rest for name, rest in reversed(self.instructions) if name == word), "")

    @property
    def environment(self) -> dict[str, str]:
        """What ENV sets."""
        words = [each for name, rest in self.instructions if name == "ENV" for each in _split(rest)]
        return dict(each.split("=", 1) for each in words)

    @property
    def command(self) -> list[str]:
        """CMD, which is an array everywhere."""
        return list(json.loads(self.last("CMD") or "[]"))

    @property
    def health(self) -> list[str]:
        """The command of HEALTHCHECK."""
        return list(json.loads(self.last("HEALTHCHECK").partition("CMD")[2] or "[]"))


def read(path: Path) -> dict[str, Stage]:
    """The stages of a Dockerfile, by name, in their order; arguments have their defaults."""
    defaults: dict[str, str] = {}
    found: dict[str, Stage] = {}
    name, base, instructions = "", "", list[tuple[str, str]]()
    for word, rest in [*_instructions(path.read_text()), ("FROM", "scratch AS end")]:
        if word == "FROM":
            if name:
                found[name] = Stage(name, base, tuple(instructions))
            base, _, name = rest.partition(" AS ")
            base = re.sub(r"\$\{(\w+)\}", lambda match: defaults[match[1]], base)
            instructions = []
        elif name:
            instructions.append((word, rest))
        else:
            key, _, value = rest.partition("=")
            defaults[key] = value
    return found


def _instructions(text: str) -> Iterator[tuple[str, str]]:
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    for line in re.sub(r"\\\n\s*", "", "\n".join(lines)).splitlines():
        if line.strip():
            word, _, rest = line.strip().partition(" ")
            yield word, rest.strip()


def _split(text: str) -> list[str]:
    return shlex.split(text)
