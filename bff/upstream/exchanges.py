"""Selects the exchange: the socket exchange if httptools is installed, else the pool exchange."""

from collections.abc import Mapping
from typing import Final, Literal

from bff.errors import ConfigError
from bff.model.problem import Problem
from bff.model.service import Service
from bff.model.source import Place
from bff.upstream.exchange import Exchange
from bff.upstream.memory import Memory
from bff.upstream.pool import PoolExchange

Kind = Literal["sockets", "pool"]

_NOT_INSTALLED: Final = "`exchange: sockets` needs httptools, which is not installed"
_HINT: Final = "install bff-proxy[fast], or leave it out"


def is_installed() -> bool:
    """Whether httptools is installed, which the socket exchange needs (extra `fast`)."""
    try:
        import httptools  # noqa: F401
    except ImportError:
        return False
    return True


def exchange_kind(declared: str) -> Kind:
    """The exchange that is used if bff.yaml declares `declared`; empty if it declares none."""
    if declared == "pool" or not is_installed():
        return "pool"
    return "sockets"


def open_exchange(
    declared: str, services: Mapping[str, Service], size: int, memory: Memory, place: Place
) -> Exchange:
    """Create the exchange for these services.

    Args:
        size: the maximum of requests in flight.
        memory: the memory budget for replies.
        place: of the declaration, for the error.

    Raises:
        ConfigError: the declared exchange is not installed.
    """
    if declared == "sockets" and not is_installed():
        raise ConfigError([Problem("exchange", place, _NOT_INSTALLED, _HINT)])
    if exchange_kind(declared) == "pool":
        return PoolExchange(services, size, memory=memory)
    from bff.upstream.sockets.exchange import SocketExchange

    return SocketExchange(services, size, memory=memory)
