"""Serves as `bff serve` does, and notes the timeouts with which each worker starts.

`python -m tests.faults.timeouts_noted`, with the file for the notes in NOTES.
"""

import os
from pathlib import Path

from bff.declare.settings import Settings
from bff.server.application import Server


def _note(server, worker):
    with Path(os.environ["NOTES"]).open("a") as file:
        file.write(f"{server.timeout} {worker.timeout} {server.cfg.graceful_timeout}\n")


if __name__ == "__main__":
    made = Server(Settings.from_env())
    made.cfg.set("pre_fork", _note)
    made.run()
