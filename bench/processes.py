"""Servers that are started, asked what they cost, and always ended: what /proc(5) knows of them."""

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

_TICK: Final = os.sysconf("SC_CLK_TCK")
_STOP: Final = 10.0
_UP: Final = 30.0
_PPID, _UTIME, _STIME = 1, 11, 12  # fields of stat after the name, which is in parentheses


class Failed(Exception):
    """The benchmark cannot go on, and why."""


class Server:
    """One server: the process that was started, and all that it has started since.

    Args:
        log: the file that its output goes to.
    """

    def __init__(
        self, name: str, command: Sequence[str], env: Mapping[str, str], port: int, log: Path
    ) -> None:
        self.name, self.port, self._log = name, port, log
        with log.open("wb") as output:
            self._process = subprocess.Popen(  # noqa: S603 - our own commands
                command,
                env={**os.environ, **env},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # a terminal's ^C is for the harness, which ends them all
            )

    def wait_until_up(self) -> None:
        """Wait until it accepts connections.

        Raises:
            Failed: it ended, or 30 seconds were not enough.
        """
        end = time.monotonic() + _UP
        while self._process.poll() is None and time.monotonic() < end:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
                return
            time.sleep(0.05)
        last = self._log.read_text(errors="replace")[-2000:]
        raise Failed(f"{self.name} does not answer on port {self.port}:\n{last}")

    def cpu(self) -> float:
        """Seconds of CPU that its processes have had so far."""
        spent = 0
        for pid in self._pids():
            fields = _stat(pid)
            spent += int(fields[_UTIME]) + int(fields[_STIME])
        return spent / _TICK

    def memory(self) -> float:
        """MB of memory that its largest process has resident: the worker, where there is one."""
        return max(_resident(pid) for pid in self._pids())

    def stop(self) -> None:
        """End it: kindly, then not; nothing of its session is left."""
        if self._process.poll() is None:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_STOP)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def _pids(self) -> list[int]:
        parents: dict[int, int] = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                with contextlib.suppress(OSError):  # it has just ended
                    parents[int(entry.name)] = int(_stat(int(entry.name))[_PPID])
        found = [self._process.pid]
        for pid in found:
            found += [child for child, parent in parents.items() if parent == pid]
        return found


def free_ports(count: int) -> list[int]:
    """Ports of the loopback interface that nobody listens on, all different."""
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


@contextlib.contextmanager
def ended_by_signals() -> Iterator[None]:
    """Within this block SIGTERM and SIGHUP unwind as ^C does, so that servers are stopped."""

    def end(number: int, _frame: object) -> None:
        raise SystemExit(128 + number)

    before = {each: signal.signal(each, end) for each in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def _stat(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def _resident(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS:"))
