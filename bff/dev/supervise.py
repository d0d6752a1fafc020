"""Child processes that always end with this process."""

import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from http.client import HTTPConnection, HTTPException
from typing import Final, Self

_PR_SET_PDEATHSIG: Final = 1
_PATIENCE: Final = 8.0  # seconds after SIGTERM until a child is killed
_LIBC: Final = ctypes.CDLL(None, use_errno=True)
_OK: Final = 200


class Supervisor:
    """Starts child processes and stops them in reverse order.

    SIGINT, SIGTERM and SIGHUP make `wait` return; they are handled from its creation, so that none
    is lost between two starts.
    """

    def __init__(self) -> None:
        self._children: list[subprocess.Popen[bytes]] = []
        self._stop_requested = False

    def __enter__(self) -> Self:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._stop)
        return self

    def __exit__(self, *_: object) -> None:
        for child in reversed(self._children):
            if child.poll() is None:
                child.terminate()
            try:
                child.wait(_PATIENCE)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
            if child.stdout:
                child.stdout.close()

    @property
    def stop_requested(self) -> bool:
        """True if a signal has arrived."""
        return self._stop_requested

    def start(
        self, arguments: Sequence[str], environ: Mapping[str, str]
    ) -> subprocess.Popen[bytes]:
        """Start `python ARGUMENTS...` in its own process group, which Ctrl-C does not reach."""
        child = subprocess.Popen(  # noqa: S603 - arguments of this package
            [sys.executable, *arguments],
            env=dict(environ),
            stdout=subprocess.PIPE,
            process_group=0,
            preexec_fn=_die_with_parent,  # noqa: PLW1509 - no threads run yet
        )
        self._children.append(child)
        return child

    def wait(self) -> int:
        """Wait for a signal (returns 0) or for a child to exit (returns its status, never 0)."""
        while not self._stop_requested:
            for child in self._children:
                if child.poll() is not None:
                    return child.returncode or 1
            time.sleep(0.05)
        return 0

    def status(self) -> int:
        """The exit status of a child that ended by itself, never 0."""
        return max((child.wait() for child in self._children), default=0) or 1

    def wait_until_ready(self, port: int, path: str, seconds: float) -> bool:
        """True if a server on a loopback port answers 200 within `seconds`."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and not self._stop_requested:
            if any(child.poll() is not None for child in self._children):
                return False
            if _answers(port, path):
                return True
            time.sleep(0.02)
        return False

    def _stop(self, _number: int, _frame: object) -> None:
        self._stop_requested = True


def free_port() -> int:
    """A loopback port that is free at the moment."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def is_free(port: int) -> bool:
    """True if a loopback port is free."""
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _answers(port: int, path: str) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=1)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == _OK
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def _die_with_parent() -> None:
    """In the child: have the kernel send a signal when the parent dies, even by SIGKILL."""
    parent = os.getppid()
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        os._exit(1)
