"""Serves as `bff serve` does, where some host names are looked up in a file instead.

`python -m tests.faults.names_from_file`, with the file in NAMES.
"""

import json
import os
import socket
from pathlib import Path

from bff.server.application import serve

_look_up = socket.getaddrinfo


def _from_file(host, port, *args, **options):
    known = json.loads(Path(os.environ["NAMES"]).read_text())
    return _look_up(*known.get(str(host), (host, port)), *args, **options)


if __name__ == "__main__":
    socket.getaddrinfo = _from_file
    serve()
