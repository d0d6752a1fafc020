"""Replay cursors: for each service, the next entry that answers a request, and those never used."""

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from threading import Lock
from typing import Final

from bff.dev.recordings.match import Candidate, EntryIndex, RequestKey
from bff.dev.recordings.normalize import ignoring, masking
from bff.dev.recordings.progress import Progress, no_progress
from bff.dev.recordings.recording import (
    RecordedEntry,
    Recording,
    read_recording,
    read_recordings,
    recordings_of,
    warning_of,
)
from bff.dev.rules import RecordingRules, read_rules

_NEAREST: Final = 3
_MOST_LISTED: Final = 5


class ReplayCursor:
    """The position of a replay in one recording.

    Several replies to one request are given in the order of recording; the last one repeats.
    """

    def __init__(self, recording: Recording, rules: RecordingRules | None = None) -> None:
        self.recording = recording
        _warn(recording)
        own = rules or RecordingRules()
        ignore = ignoring(own.match.of(recording.service))
        self._index = EntryIndex(recording.entries, ignore, masking(own.redact))
        self._answers = self._index.answers()
        self._lock = Lock()
        self._counts: dict[int, int] = {}  # requests so far, by the first matching entry
        self._used: set[int] = set()

    def next(self, key: RequestKey) -> RecordedEntry | None:
        """The entry that answers a request this time; None where no entry matches."""
        sequence = self._index.sequence(key)
        if not sequence:
            return None
        first = sequence[0].number
        with self._lock:
            at = self._counts.get(first, 0)
            self._counts[first] = at + 1
            entry = sequence[min(at, len(sequence) - 1)]
            self._used.add(entry.number)
        return entry

    def has(self, key: RequestKey) -> bool:
        """True if an entry matches a request."""
        return bool(self._index.sequence(key))

    def nearest(self, key: RequestKey) -> list[Candidate]:
        """The entries most similar to a request, with their differences."""
        return self._index.nearest(key, _NEAREST)

    def unused(self) -> list[RecordedEntry]:
        """The entries that have not answered any request, without those that never can."""
        with self._lock:
            left = self._answers - self._used
        return [each for each in self.recording.entries if each.number in left]

    def restart(self) -> None:
        """Start every sequence of replies from its first."""
        with self._lock:
            self._counts.clear()

    def rewind(self) -> None:
        """Restart, and mark all entries as unused."""
        self.restart()
        with self._lock:
            self._used.clear()


class RecordingFolder:
    """A folder of recordings; `reload` parses only the files that have changed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._rules: RecordingRules | None = None
        self._marks: dict[str, tuple[int, int]] = {}
        self.cursors: dict[str, ReplayCursor] = {}

    def reload(self, services: Iterable[str] = ()) -> dict[str, ReplayCursor]:
        """The current recordings by service, with their sequences restarted.

        Args:
            services: the declared services.

        Raises:
            RecordingError: a file cannot be read.
        """
        rules, files = read_rules(self._folder, services), recordings_of(self._folder)
        marks = {name: _file_version(file) for name, file in files.items()}
        known = self._marks if rules == self._rules else {}
        found = {
            name: self.cursors[name]
            if known.get(name) == marks[name]
            else ReplayCursor(read_recording(file), rules)
            for name, file in files.items()
        }
        for cursor in found.values():
            cursor.restart()
        self.cursors, self._marks, self._rules = found, marks, rules
        return found


def unused_report(cursors: Mapping[str, ReplayCursor]) -> list[str]:
    """Lines that list the unused entries, up to five of each service."""
    lines = []
    for service, cursor in cursors.items():
        unused = cursor.unused()
        if unused:
            lines.append(
                f"{service}: {len(unused)} of {len(cursor.recording.entries)} entries unused"
            )
        lines += [f"  {entry_text(each)}" for each in unused[:_MOST_LISTED]]
        if len(unused) > _MOST_LISTED:
            lines.append(f"  and {len(unused) - _MOST_LISTED} more")
    return lines


def entry_text(entry: RecordedEntry) -> str:
    """The index and the request of an entry, for reports."""
    return f"log.entries[{entry.number}]: {entry.method} {entry.target}"


def replay_cursors(
    folder: Path,
    rules: RecordingRules | None = None,
    watch: Progress = no_progress,
    services: Iterable[str] = (),
) -> dict[str, ReplayCursor]:
    """Read the recordings of a folder; returns a cursor for each service.

    Args:
        services: the declared services, which rules.toml may name even if they have no recording.

    Raises:
        RecordingError: a file cannot be read.
    """
    own = rules or read_rules(folder, services)
    return {name: ReplayCursor(each, own) for name, each in read_recordings(folder, watch).items()}


def _warn(recording: Recording) -> None:
    warning = warning_of(recording)
    if warning:
        sys.stderr.write(f"{warning}\n")


def _file_version(file: Path) -> tuple[int, int]:
    stat = file.stat()
    return stat.st_mtime_ns, stat.st_size
