"""The client's IP address, from X-Forwarded-For if the proxy is trusted."""

import os
import re
from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Final

from flask import Request

_PORT: Final = re.compile(r"(:(\d{0,5}|_[\w.-]+))?")  # RFC 7239, section 6


def _entries(text: str) -> frozenset[str]:
    """Comma-separated addresses and networks, in gunicorn's format."""
    return frozenset(filter(None, (each.strip() for each in text.split(","))))


_TRUSTED: Final = _entries(os.environ.get("FORWARDED_ALLOW_IPS", "127.0.0.1,::1"))


def client_address(request: Request) -> str:
    """The client's IP address in canonical form, without a port.

    It is the last entry of X-Forwarded-For, which the nearest proxy appended, if that proxy is
    trusted. Otherwise, and if the entry is not an address (`unknown`, `_hidden`, empty; RFC 7239,
    section 6), it is the peer's address.
    """
    peer = str(request.environ.get("REMOTE_ADDR", ""))
    forwarded = request.environ.get("HTTP_X_FORWARDED_FOR")
    if forwarded is None or not _is_trusted(peer, _TRUSTED):
        return _canonical(peer) or peer
    return _canonical(forwarded.rpartition(",")[2].strip()) or _canonical(peer) or peer


@lru_cache(maxsize=1024)
def _is_trusted(peer: str, trusted: frozenset[str]) -> bool:
    """Whether a peer is a trusted proxy, by FORWARDED_ALLOW_IPS."""
    if not peer or "*" in trusted:
        return True  # a peer without an address is connected to a Unix socket
    try:
        address = ip_address(_canonical(peer))
        return any(address in ip_network(each, strict=False) for each in trusted)
    except ValueError:
        return False


@lru_cache(maxsize=1024)
def _canonical(node: str) -> str:
    """An address without port, brackets and zone; empty if it is not an address.

    An IPv4-mapped IPv6 address (RFC 4291, section 2.5.5.2) becomes the IPv4 address.
    """
    text, port = node.strip('"'), ""
    if text.startswith("["):
        text, bracket, port = text[1:].partition("]")
        text = text if bracket else ""
    elif text.count(":") == 1:
        text, colon, port = text.partition(":")
        port = colon + port
    if not _PORT.fullmatch(port):
        return ""
    try:
        address = ip_address(text)
    except ValueError:
        return ""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return str(mapped or address).partition("%")[0]
