"""One run of recording: what is exchanged is written while it goes on, and summed up at its end."""

import atexit
import sys
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Lock, Thread
from time import monotonic
from typing import Any, Final

import orjson

from bff.dev.archive import Archive, Mode, Saved
from bff.dev.record import Recorder, RecordingExchange
from bff.dev.recording import RecordingError
from bff.dev.replay import ReplayExchange
from bff.dev.rules import read_rules
from bff.dev.tape import tapes_of
from bff.dev.watch import Watch, unwatched
from bff.model.view import Config
from bff.upstream.pool import PoolExchange

_OFTEN: Final = 0.5  # seconds between two looks for what is new


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be recorded, and where to.

    Args:
        key: of the pseudonyms.
        report: the file that says how it went.
    """

    folder: str
    mode: Mode
    key: str
    report: str


class Take:
    """Records what an app exchanges with its services.

    Raises:
        RecordingError: what was recorded before cannot be read.
    """

    def __init__(self, wanted: Wanted, config: Config, pool: int) -> None:
        self._folder = folder = Path(wanted.folder)
        self._rules = read_rules(folder)
        self.recorder = Recorder(config.services)
        self._archive = Archive(folder, wanted.key.encode(), wanted.mode)
        self._report = Path(wanted.report)
        tapes = tapes_of(folder, self._rules) if any(folder.glob("*.har")) else {}
        self.replay = ReplayExchange(tapes, config.services)
        live = PoolExchange(config.services, pool, traced=True)
        self.exchange = RecordingExchange(live, self.replay, wanted.mode, self.recorder)
        self._saving, self._over = Lock(), Event()
        self._seen: Any = (0, self._rules)
        self._saved = Saved({}, (), {})
        self._said: list[str] = []

    def begin(self, watch: Watch = unwatched) -> None:
        """Write from now on whatever is new, and the rest when the process ends, for `watch`."""
        atexit.register(self.finish, watch)
        Thread(target=self._save_often, name="bff-record", daemon=True).start()

    def save(self, watch: Watch = unwatched) -> None:
        """Write what is new; what was refused, as soon as rules.toml lets it pass."""
        with self._saving:
            self._read_rules()
            noted = self.recorder.noted()
            if self._seen == (len(noted), self._rules):
                return
            self._seen = len(noted), self._rules
            self._saved = self._archive.save(noted, self._rules.redact, watch)
            self._say(self._refused())

    def finish(self, watch: Watch = unwatched) -> None:
        """Write the rest, and how it went."""
        self.save(watch)
        self._report.write_bytes(orjson.dumps(self._told()))

    def _read_rules(self) -> None:
        try:
            self._rules = read_rules(self._folder)
        except RecordingError as error:  # somebody is just writing it
            self._say([str(error)])

    def _say(self, lines: list[str]) -> None:
        """Tell at once what is not saved: it can still be mended."""
        new = [each for each in lines if each not in self._said]
        self._said += new
        sys.stderr.write("".join(f"not saved: {each}\n" for each in new))
        sys.stderr.flush()

    def _save_often(self) -> None:
        took = 0.0
        while not self._over.wait(max(_OFTEN, 10 * took)):
            begun = monotonic()
            self.save()
            took = monotonic() - begun

    def _refused(self) -> list[str]:
        return [
            f"{file} {each.where} looks like {each.what}"
            for file, found in self._saved.refused.items()
            for each in found
        ]

    def _told(self) -> dict[str, Any]:
        unused = {
            name: [f"{each.method} {each.target}" for each in entries]
            for name, entries in self.replay.unused().items()
        }
        return {
            "exchanges": len(self.recorder.noted()),
            "entries": dict(self._saved.entries),
            "refused": self._refused(),
            "failed": self.recorder.failed(),
            "unused": unused,
        }
