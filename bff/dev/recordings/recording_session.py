"""One run of recording: new exchanges are written regularly, with a report at the end."""

import atexit
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Lock, Thread
from time import monotonic
from typing import Any, Final

import orjson

from bff.dev.har_files import RecordingError, har_files
from bff.dev.recordings.archive import Archive, Mode, SaveResult, causes
from bff.dev.recordings.progress import Progress, no_progress
from bff.dev.recordings.record import Recorder, RecordingExchange
from bff.dev.recordings.replay import ReplayExchange
from bff.dev.recordings.replay_cursor import replay_cursors
from bff.dev.redaction.declared import declared_secrets
from bff.dev.redaction.scan import Finding
from bff.dev.rules import read_rules
from bff.model.config import Config
from bff.upstream.pool import PoolExchange

_OFTEN: Final = 0.5  # seconds between two saves
_COUNT: Final = re.compile(r", and \d+ more times?")


@dataclass(frozen=True, slots=True)
class RecordingOptions:
    """Options of a recording.

    Args:
        key: the key of the pseudonyms.
        report: the file for the report.
    """

    folder: str
    mode: Mode
    key: str
    report: str


class RecordingSession:
    """Records the exchanges of an app with its services.

    Raises:
        RecordingError: an existing recording cannot be read.
    """

    def __init__(self, wanted: RecordingOptions, config: Config, pool: int) -> None:
        self._folder = folder = Path(wanted.folder)
        self._services = config.services
        self._rules = read_rules(folder, config.services)
        self.recorder = Recorder(config.services)
        secrets = declared_secrets(config, os.environ)
        self._archive = Archive(folder, wanted.key.encode(), wanted.mode, secrets)
        self._report = Path(wanted.report)
        cursors = replay_cursors(folder, self._rules) if har_files(folder) else {}
        self.replay = ReplayExchange(cursors, config.services)
        live = PoolExchange(config.services, pool, traced=True)
        self.exchange = RecordingExchange(live, self.replay, wanted.mode, self.recorder)
        self._saving, self._over = Lock(), Event()
        self._seen: Any = (0, self._rules)
        self._saved = SaveResult({}, (), {})
        self._warned: list[str] = []

    def begin(self, watch: Progress = no_progress) -> None:
        """Save new exchanges regularly, and the rest at exit; `watch` shows its progress."""
        atexit.register(self.finish, watch)
        Thread(target=self._save_often, name="bff-record", daemon=True).start()

    def save(self, watch: Progress = no_progress) -> None:
        """Save new exchanges; refused ones are retried when rules.toml changes."""
        with self._saving:
            self._read_rules()
            noted = self.recorder.noted()
            if self._seen == (len(noted), self._rules):
                return
            self._seen = len(noted), self._rules
            self._saved = self._archive.save(noted, self._rules.redact, watch)
            self._warn(self._refused())

    def finish(self, watch: Progress = no_progress) -> None:
        """Save the rest, and write the report."""
        self.save(watch)
        self._report.write_bytes(orjson.dumps(self._summary()))

    def _read_rules(self) -> None:
        try:
            self._rules = read_rules(self._folder, self._services)
        except RecordingError as error:  # incomplete while an editor writes it
            self._warn([str(error)])

    def _warn(self, lines: list[str]) -> None:
        """Report each refused file at once, so that rules.toml can be corrected while recording."""
        new = [each for each in lines if _COUNT.sub("", each) not in self._warned]
        self._warned += [_COUNT.sub("", each) for each in new]
        sys.stderr.write("".join(f"not saved: {each}\n" for each in new))
        sys.stderr.flush()

    def _save_often(self) -> None:
        took = 0.0
        while not self._over.wait(max(_OFTEN, 10 * took)):
            begun = monotonic()
            self.save()
            took = monotonic() - begun

    def _refused(self) -> list[str]:
        """Each cause once, with the lines of rules.toml that would resolve it."""
        rules = self._folder / "rules.toml"
        return [
            _line(file, cause, rules)
            for file, found in self._saved.refused.items()
            for cause in causes(found)
        ]

    def _summary(self) -> dict[str, Any]:
        unused = {
            name: [f"{each.method} {each.target}" for each in entries]
            for name, entries in self.replay.unused().items()
        }
        redactor = self._archive.redactor(self._rules.redact)
        for each in self.recorder.noted():
            redactor.learn(each)
        return {
            "exchanges": len(self.recorder.noted()),
            "entries": dict(self._saved.entries),
            "refused": self._refused(),
            "failed": [redactor.text(each) for each in self.recorder.failed()],
            "unused": unused,
        }


def _line(file: str, cause: list[Finding], rules: Path) -> str:
    first, more = cause[0], len(cause) - 1
    line = f"{file} {first.where} {first.verb} {first.what}"
    if more:
        line += f", and {more} more time{'s' * (more > 1)}"
    if first.secret:
        line += f"\n    if it is a secret: [redact] {first.secret} in {rules}"
    if first.allow:
        line += f"\n    if it is not: [redact] {first.allow} in {rules}"
    return line
