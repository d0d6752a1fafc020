"""Runs the parts of compose.yaml as processes, each when those that it waits for are well."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

from stack.compose import Part, read
from stack.here import Here, place

_INHERITED: Final = ("HOME", "LANG", "TMPDIR")
_WELL_WITHIN: Final = 60.0  # seconds, on a machine that does much else
_ENDS_WITHIN: Final = 40.0
_BEAT: Final = 0.1


class Failed(Exception):
    """A part did not start, or has ended: the message says which, and shows the end of its log."""


class Running:
    """One part, which can be stopped and started again on the same ports."""

    def __init__(self, part: Part, here: Here, state: Path, root: Path) -> None:
        self.part, self._root = part, root
        self.ports: Mapping[int, int] = here.ports[part.name]
        self.log = state / f"{part.name}.log"
        self.process: subprocess.Popen[bytes] | None = None
        self._command = [here.text(part.name, word) for word in part.command]
        self._health = [here.text(part.name, word) for word in part.health]
        own = {name: here.text(part.name, text) for name, text in part.environment.items()}
        inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        self._environ = {"PATH": _path(state), **inherited, **own}

    def start(self) -> None:
        """Have it run, and wait until it is well, or done if it is a step.

        Raises:
            Failed: it ended, or does not get well.
        """
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603 - what compose.yaml says
                self._command,
                cwd=self._root,
                env=self._environ,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for whoever started them: they end in order
            )
        deadline = time.monotonic() + _WELL_WITHIN
        while not (self.ended if self.part.once else self._is_well()):
            if self.ended and not self.part.once:
                raise Failed(self._told("has ended"))
            if time.monotonic() > deadline:
                raise Failed(self._told("does not get well"))
            time.sleep(_BEAT)
        if self.part.once and self.process.returncode:
            raise Failed(self._told("failed"))

    @property
    def ended(self) -> bool:
        """Whether it is over."""
        return self.process is None or self.process.poll() is not None

    def tell(self, sign: signal.Signals) -> None:
        """Send it a signal, if it is still there."""
        if self.process is not None and not self.ended:
            self.process.send_signal(sign)

    def stop(self, sign: signal.Signals = signal.SIGINT) -> None:
        """End it, at once unless told to end well, and wait until it has; kill it at last."""
        if self.process is None:
            return
        self.tell(sign)
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(_ENDS_WITHIN)
        self.kill()

    def kill(self) -> None:
        """End it, and whatever it has started, without a word: as when a machine is lost."""
        if self.process is not None:
            with suppress(ProcessLookupError):  # it was alone, and is over
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(_ENDS_WITHIN)

    def _is_well(self) -> bool:
        if not self._health:
            return all(map(_listens, self.ports.values()))
        asked = subprocess.run(  # noqa: S603 - what compose.yaml says
            self._health,
            env=self._environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
        return asked.returncode == 0

    def _told(self, what: str) -> str:
        end = self.log.read_text(errors="replace")[-2000:]
        return f"{self.part.name} {what}; the end of {self.log}:\n{end}"


class Stack:
    """Everything that compose.yaml declares; a context, at whose end nothing of it is left running.

    Args:
        state: a folder for logs, volumes and what parts keep of their own.
        published: whether published ports are those; free ones otherwise.
        environ: what compose.yaml refers to.
        told: hears what is being started.
    """

    def __init__(
        self,
        root: Path,
        state: Path,
        *,
        published: bool = True,
        environ: Mapping[str, str] = os.environ,
        told: Callable[[str], None] = lambda _: None,
    ) -> None:
        parts = read(root / "compose.yaml", environ)
        shutil.rmtree(state / "own", ignore_errors=True)
        state.mkdir(parents=True, exist_ok=True)
        _programs(state)
        self.here = place(parts.values(), state, published=published)
        self.parts = {each.name: Running(each, self.here, state, root) for each in parts.values()}
        self._told = told

    def port(self, part: str, inside: int) -> int:
        """The port of this machine where a part listens."""
        return self.here.ports[part][inside]

    def watch(self, stopped: Callable[[], bool]) -> None:
        """Wait until told to stop.

        Raises:
            Failed: a part has ended by itself.
        """
        while not stopped():
            for each in self.parts.values():
                if each.ended and not each.part.once:
                    raise Failed(f"{each.part.name} has ended; see {each.log}")
            time.sleep(_BEAT)

    def __enter__(self) -> Self:
        try:
            for name, each in self.parts.items():
                self._told(name)
                each.start()
        except BaseException:
            self._end()
            raise
        return self

    def _end(self) -> None:
        for each in reversed(self.parts.values()):
            each.tell(signal.SIGINT)  # all of them before the first is waited for
        for each in self.parts.values():
            each.stop()

    def __exit__(self, *_: object) -> None:
        self._end()


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def _path(state: Path) -> str:
    """Ours, this interpreter's, the user's, and where Debian puts servers."""
    folders = [state / "bin", Path(sys.executable).parent, os.environ.get("PATH", "")]
    return ":".join(map(str, [*folders, "/usr/local/sbin", "/usr/sbin", "/sbin"]))


def _programs(state: Path) -> None:
    """What has to be called differently here than in a container, where nobody is root.

    Started by root, nginx gives its processes to somebody who may not read the user's folders.
    """
    program = state / "bin/nginx"
    program.parent.mkdir(exist_ok=True)
    program.unlink(missing_ok=True)
    nginx = shutil.which("nginx", path=_path(state))
    if nginx and os.geteuid() == 0:
        program.write_text(f"#!/bin/sh\nexec {nginx} -g 'user root;' \"$@\"\n")
        program.chmod(0o755)
