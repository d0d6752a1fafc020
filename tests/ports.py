"""Ports for the servers that tests start in processes of their own, each given out once."""

import fcntl
import os
import socket
from pathlib import Path
from random import Random
from tempfile import gettempdir

# Below the ports that Linux gives to outgoing connections and to servers that bind port 0
# (32768 and up), so that none of those takes one between here and its server's start. With 10000
# added, as Redis Cluster does for its bus, they still are, and are none of these.
_FIRST, _LAST = 10_240, 19_999
_FOLDER = Path(gettempdir()) / f"bff-test-ports-{os.getuid()}"

_random = Random()
_held: dict[int, int] = {}  # port to the descriptor of its locked file


def free_port() -> int:
    """A loopback port that nothing listens on, and that no test process on this machine is given.

    It stays reserved until this process ends, by a lock on a file, so that a server can be
    stopped and started again on it.
    """
    _FOLDER.mkdir(exist_ok=True)
    for port in _random.sample(range(_FIRST, _LAST + 1), _LAST + 1 - _FIRST):
        if port not in _held and _reserve(port):
            return port
    raise AssertionError(f"no port is free from {_FIRST} to {_LAST}")


def _reserve(port: int) -> bool:
    descriptor = os.open(_FOLDER / str(port), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with socket.create_server(("127.0.0.1", port)):
            pass
    except OSError:
        os.close(descriptor)
        return False
    _held[port] = descriptor
    return True
