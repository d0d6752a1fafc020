"""Child processes that end with us, however we end."""

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
_PATIENCE: Final = 8.0  # seconds that a child gets to end by itself
_LIBC: Final = ctypes.CDLL(None, use_errno=True)
_OK: Final = 200


class Supervisor:
    """Starts children and stops all of them, the last one first.

    SIGINT, SIGTERM and SIGHUP make `wait` return; they are caught from the beginning, so that none
    can slip in between two starts.
    """

    def __init__(self) -> None:
        self._children: list[subprocess.Popen[bytes]] = []
        self._told_to_stop = False

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
    def told_to_stop(self) -> bool:
        """Whether a signal has come."""
        return self._told_to_stop

    def start(
        self, arguments: Sequence[str], environ: Mapping[str, str]
    ) -> subprocess.Popen[bytes]:
        """Start `python ARGUMENTS...`, in a process group of its own: Ctrl-C reaches only us."""
        child = subprocess.Popen(  # noqa: S603 - our own arguments
            [sys.executable, *arguments],
            env=dict(environ),
            stdout=subprocess.PIPE,
            process_group=0,
            preexec_fn=_die_with_parent,  # noqa: PLW1509 - no threads run yet
        )
        self._children.append(child)
        return child

    def wait(self) -> int:
        """Wait for a signal (0) or for a child that ends by itself (its status, never 0)."""
        while not self._told_to_stop:
            for child in self._children:
                if child.poll() is not None:
                    return child.returncode or 1
            time.sleep(0.05)
        return 0

    def status(self) -> int:
        """The status of a child that ended by itself, never 0."""
        return max((child.wait() for child in self._children), default=0) or 1

    def wait_until_ready(self, port: int, path: str, seconds: float) -> bool:
        """Whether a server on a loopback port answers 200 within `seconds`."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and not self._told_to_stop:
            if any(child.poll() is not None for child in self._children):
                return False
            if _answers(port, path):
                return True
            time.sleep(0.02)
        return False

    def _stop(self, _number: int, _frame: object) -> None:
        self._told_to_stop = True


def free_port() -> int:
    """A loopback port that nobody listens on just now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def is_free(port: int) -> bool:
    """Whether a loopback port can be listened on."""
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
    """In the child: have the kernel end it when the parent dies, even by SIGKILL."""
    parent = os.getppid()
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        os._exit(1)
