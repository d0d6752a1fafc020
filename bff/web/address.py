"""The address of who asks, behind proxies of ours and behind nobody else's."""

import os
from functools import lru_cache
from ipaddress import ip_address, ip_network
from typing import Final

from flask import Request

_TRUSTED: Final = frozenset(
    os.environ.get("FORWARDED_ALLOW_IPS", "127.0.0.1,::1").replace(" ", "").split(",")
)


@lru_cache(maxsize=1024)
def _is_trusted(peer: str, trusted: frozenset[str]) -> bool:
    """Whether an address is that of a proxy of ours; addresses and networks, as gunicorn reads."""
    if not peer or "*" in trusted:
        return True  # without an address it is a socket of this machine
    try:
        address = ip_address(peer)
        return any(address in ip_network(each, strict=False) for each in trusted)
    except ValueError:
        return False


def client_address(request: Request) -> str:
    """The client's address: what a trusted proxy says it is, or where the connection comes from.

    Only the last entry of X-Forwarded-For counts: that is the one our proxy has written.
    """
    peer = request.environ.get("REMOTE_ADDR", "")
    if not _is_trusted(peer, _TRUSTED):
        return str(peer)
    forwarded = request.environ.get("HTTP_X_FORWARDED_FOR", "").rpartition(",")[2].strip()
    return forwarded or str(peer)
