"""A Redis of a test's own: started on a free port, stopped, frozen and started again."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from tests.ports import free_port

SERVER = shutil.which("redis-server") or "redis-server"


def until(condition: Callable[[], object], within: float = 10.0, every: float = 0.005) -> float:
    """Wait until something holds; how long it took."""
    begun = time.monotonic()
    while not condition():
        assert time.monotonic() - begun < within, "it did not come to hold"
        time.sleep(every)
    return time.monotonic() - begun


class RedisServer:
    """One server; `words` are further settings."""

    def __init__(self, folder: Path, *words: str, port: int | None = None) -> None:
        self.port = port or free_port()
        self.folder, self._words = folder, words
        folder.mkdir(parents=True, exist_ok=True)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> "RedisServer":
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own command
                [SERVER, *self.settings()], stdout=log, stderr=log
            )
        until(self._answers)
        return self

    def settings(self) -> list[str]:
        """What the program is told."""
        words = ["--port", str(self.port), "--dir", str(self.folder), "--bind", "127.0.0.1"]
        if "--save" not in self._words:
            words += ["--save", ""]
        return [*self._words, *words]

    def stop(self) -> None:
        """End it."""
        self.kill()

    def kill(self) -> None:
        """End it without a word to anybody."""
        if self._process is not None:
            if self._process.poll() is None:
                os.kill(self._process.pid, signal.SIGCONT)
                self._process.kill()
            self._process.wait(10)
            self._process = None

    def freeze(self) -> None:
        """As a partition looks: connections stay, and nobody answers."""
        assert self._process
        os.kill(self._process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process
        os.kill(self._process.pid, signal.SIGCONT)

    def _answers(self) -> bool:
        assert self._process
        assert self._process.poll() is None, (self.folder / "log").read_text()
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as asked:
                asked.sendall(b"PING\r\n")
                return asked.recv(5) in {b"+PONG", b"-NOAU", b"-LOAD"}
        except OSError:
            return False
