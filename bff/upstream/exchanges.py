"""Which exchange runs: over sockets where httptools is installed, or on the pool of threads."""

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
    """Whether what the exchange over sockets needs is installed (extra `fast`)."""
    try:
        import httptools  # noqa: F401
    except ImportError:
        return False
    return True


def chosen(declared: str) -> Kind:
    """The exchange that runs where `declared` stands in bff.yaml; empty where nothing does."""
    if declared == "pool" or not is_installed():
        return "pool"
    return "sockets"


def open_exchange(
    declared: str, services: Mapping[str, Service], size: int, memory: Memory, place: Place
) -> Exchange:
    """An exchange for these services.

    Args:
        size: requests in flight at once.
        memory: what replies may take of the process's memory.
        place: of what is declared.

    Raises:
        ConfigError: what is declared is not installed.
    """
    if declared == "sockets" and not is_installed():
        raise ConfigError([Problem("exchange", place, _NOT_INSTALLED, _HINT)])
    if chosen(declared) == "pool":
        return PoolExchange(services, size, memory=memory)
    from bff.upstream.sockets.exchange import SocketExchange

    return SocketExchange(services, size, memory=memory)
