"""Whether a client is still there, where the server lets one know: gunicorn hands its socket on."""

import socket
import ssl
from collections.abc import Callable, Mapping
from typing import Any


def gone_of(environ: Mapping[str, Any]) -> Callable[[], bool] | None:
    """A look at the connection of a request; None where there is nothing to look at."""
    sock = environ.get("gunicorn.socket")
    if not isinstance(sock, socket.socket) or isinstance(sock, ssl.SSLSocket):
        return None

    def gone() -> bool:
        try:
            return not sock.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False  # nothing to read: it waits
        except OSError:
            return True

    return gone
