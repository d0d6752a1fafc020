"""The address of who asks, behind proxies of ours and behind nobody else's."""

import os
from typing import Final

from flask import Request

_TRUSTED: Final = frozenset(
    os.environ.get("FORWARDED_ALLOW_IPS", "127.0.0.1,::1").replace(" ", "").split(",")
)


def client_address(request: Request) -> str:
    """The client's address: what a trusted proxy says it is, or where the connection comes from.

    Only the last entry of X-Forwarded-For counts: that is the one our proxy has written.
    """
    peer = request.environ.get("REMOTE_ADDR", "")
    if peer and peer not in _TRUSTED and "*" not in _TRUSTED:
        return str(peer)
    forwarded = request.environ.get("HTTP_X_FORWARDED_FOR", "").rpartition(",")[2].strip()
    return forwarded or str(peer)
