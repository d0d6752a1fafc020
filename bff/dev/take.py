"""One run of recording: what is exchanged is written while it goes on, and summed up at its end."""

import atexit
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Lock, Thread
from time import monotonic
from typing import Any, Final

import orjson

from bff.dev.archive import Archive, Mode, Saved
from bff.dev.record import Recorder, RecordingExchange
from bff.dev.replay import ReplayExchange
from bff.dev.rules import read_rules
from bff.dev.tape import tapes_of
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
        folder = Path(wanted.folder)
        rules = read_rules(folder)
        self.recorder = Recorder(config.services)
        self._archive = Archive(folder, rules, wanted.key.encode(), wanted.mode)
        self._report = Path(wanted.report)
        tapes = tapes_of(folder, rules) if any(folder.glob("*.har")) else {}
        self.replay = ReplayExchange(tapes, config.services)
        live = PoolExchange(config.services, pool, traced=True)
        self.exchange = RecordingExchange(live, self.replay, wanted.mode, self.recorder)
        self._saving, self._over, self._seen = Lock(), Event(), -1

    def begin(self) -> None:
        """Write from now on whatever is new, and the rest when the process ends."""
        atexit.register(self.save)
        Thread(target=self._save_often, name="bff-record", daemon=True).start()

    def save(self) -> None:
        """Write what is new."""
        with self._saving:
            noted = self.recorder.noted()
            if len(noted) == self._seen:
                return
            self._seen = len(noted)
            saved = self._archive.save(noted)
            self._report.write_bytes(orjson.dumps(self._told(saved, len(noted))))

    def _save_often(self) -> None:
        took = 0.0
        while not self._over.wait(max(_OFTEN, 10 * took)):
            begun = monotonic()
            self.save()
            took = monotonic() - begun

    def _told(self, saved: Saved, exchanges: int) -> dict[str, Any]:
        unused = {
            name: [f"{each.method} {each.target}" for each in entries]
            for name, entries in self.replay.unused().items()
        }
        return {
            "exchanges": exchanges,
            "entries": dict(saved.entries),
            "refused": [
                f"{file}: {each.where}: looks like {each.what}"
                for file, found in saved.refused.items()
                for each in found
            ],
            "failed": self.recorder.failed(),
            "unused": unused,
        }
