"""Detects a disconnected client, under servers that pass the socket on, such as gunicorn."""

import socket
import ssl
from collections.abc import Callable, Mapping
from typing import Any


def gone_of(environ: Mapping[str, Any]) -> Callable[[], bool] | None:
    """A check whether the client has disconnected; None without a socket, or with TLS on it."""
    sock = environ.get("gunicorn.socket")
    if not isinstance(sock, socket.socket) or isinstance(sock, ssl.SSLSocket):
        return None

    def gone() -> bool:
        try:
            return not sock.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False  # connected, without data to read
        except OSError:
            return True

    return gone
