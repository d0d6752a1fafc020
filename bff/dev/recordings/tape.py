"""One service's recording while it is replayed: what answers next, and what nobody asked for."""

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from threading import Lock
from typing import Final

from bff.dev.recordings.loosen import hiding, loosening
from bff.dev.recordings.match import Asked, Index, Near
from bff.dev.recordings.progress import Watch, unwatched
from bff.dev.recordings.recording import (
    Entry,
    Recording,
    read_recording,
    read_recordings,
    recordings_of,
    warning_of,
)
from bff.dev.rules import Rules, read_rules

_NEAREST: Final = 3
_MOST_LISTED: Final = 5


class Tape:
    """A recording in play. Of several replies to one request, the last comes for ever."""

    def __init__(self, recording: Recording, rules: Rules | None = None) -> None:
        self.recording = recording
        _warn(recording)
        own = rules or Rules()
        loosen = loosening(own.match.of(recording.service))
        self._index = Index(recording.entries, loosen, hiding(own.redact))
        self._answers = self._index.answers()
        self._lock = Lock()
        self._asked: dict[int, int] = {}  # by the number of a request's first entry: how often
        self._used: set[int] = set()

    def next(self, asked: Asked) -> Entry | None:
        """The reply to a request, as often as it has been asked; None where there is none."""
        sequence = self._index.sequence(asked)
        if not sequence:
            return None
        first = sequence[0].number
        with self._lock:
            at = self._asked.get(first, 0)
            self._asked[first] = at + 1
            entry = sequence[min(at, len(sequence) - 1)]
            self._used.add(entry.number)
        return entry

    def has(self, asked: Asked) -> bool:
        """Whether there is a reply to a request."""
        return bool(self._index.sequence(asked))

    def nearest(self, asked: Asked) -> list[Near]:
        """The entries that come nearest to a request, and what differs."""
        return self._index.nearest(asked, _NEAREST)

    def unused(self) -> list[Entry]:
        """The entries that have answered nothing, though they could."""
        with self._lock:
            left = self._answers - self._used
        return [each for each in self.recording.entries if each.number in left]

    def restart(self) -> None:
        """Begin every sequence again."""
        with self._lock:
            self._asked.clear()

    def rewind(self) -> None:
        """Begin again, as if nobody had asked for anything."""
        self.restart()
        with self._lock:
            self._used.clear()


class Shelf:
    """A folder of recordings whose files change: one that has not is not read a second time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._rules: Rules | None = None
        self._marks: dict[str, tuple[int, int]] = {}
        self.tapes: dict[str, Tape] = {}

    def look(self, services: Iterable[str] = ()) -> dict[str, Tape]:
        """The recordings as they are now, their sequences begun again.

        Args:
            services: that are declared.

        Raises:
            RecordingError: one of the files cannot be read.
        """
        rules, files = read_rules(self._folder, services), recordings_of(self._folder)
        marks = {name: _mark(file) for name, file in files.items()}
        known = self._marks if rules == self._rules else {}
        found = {
            name: self.tapes[name]
            if known.get(name) == marks[name]
            else Tape(read_recording(file), rules)
            for name, file in files.items()
        }
        for tape in found.values():
            tape.restart()
        self.tapes, self._marks, self._rules = found, marks, rules
        return found


def told_unused(tapes: Mapping[str, Tape]) -> list[str]:
    """The entries that have answered nothing, for people: some of each service."""
    lines = []
    for service, tape in tapes.items():
        unused = tape.unused()
        if unused:
            lines.append(
                f"{service}: {len(unused)} of {len(tape.recording.entries)} entries unused"
            )
        lines += [f"  {shown(each)}" for each in unused[:_MOST_LISTED]]
        if len(unused) > _MOST_LISTED:
            lines.append(f"  and {len(unused) - _MOST_LISTED} more")
    return lines


def shown(entry: Entry) -> str:
    """An entry, for people: which it is, and what it answers."""
    return f"log.entries[{entry.number}]: {entry.method} {entry.target}"


def tapes_of(
    folder: Path,
    rules: Rules | None = None,
    watch: Watch = unwatched,
    services: Iterable[str] = (),
) -> dict[str, Tape]:
    """The recordings of a folder, ready to be played.

    Args:
        services: that are declared: rules.toml may name them, too.

    Raises:
        RecordingError: one of the files cannot be read.
    """
    own = rules or read_rules(folder, services)
    return {name: Tape(each, own) for name, each in read_recordings(folder, watch).items()}


def _warn(recording: Recording) -> None:
    warning = warning_of(recording)
    if warning:
        sys.stderr.write(f"{warning}\n")


def _mark(file: Path) -> tuple[int, int]:
    stat = file.stat()
    return stat.st_mtime_ns, stat.st_size
