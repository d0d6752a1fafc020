"""Stub services in place of the internal ones: HTTP servers, recorded or scripted.

with StubServices({"users": lambda request: StubReply.json({"id": 7})}) as services:
    httpx.get(services.urls["users"] + "/users/7")
"""

from collections.abc import Mapping
from typing import Literal, Self

from bff.dev.recordings.message import Answerer, Fault, StubReply, StubRequest
from bff.dev.stubs.control import control
from bff.dev.stubs.service import ServiceStatus, State, StubService

__all__ = [
    "Answerer",
    "Fault",
    "ServiceStatus",
    "State",
    "StubReply",
    "StubRequest",
    "StubServices",
]


class StubServices:
    """Stub services, each on a port of its own; they listen after `start()`.

    Args:
        answerers: the answerer of each service; called from several threads at once.
        ports: by service; 0, or no entry, takes a free one.
        keep: store every request, for `requests()`.
        control_port: the port of the control API; 0 takes a free port, None serves none.
        host: the address that services listen on; the control API is always on loopback.
    """

    def __init__(
        self,
        answerers: Mapping[str, Answerer],
        ports: Mapping[str, int] | None = None,
        *,
        keep: bool = False,
        control_port: int | None = None,
        host: str = "127.0.0.1",
    ) -> None:
        wanted = ports or {}
        if unknown := sorted(set(wanted) - set(answerers)):
            raise ValueError(f"ports for unknown services: {', '.join(unknown)}")
        self._services = {
            name: StubService(name, answer, wanted.get(name, 0), keep=keep, host=host)
            for name, answer in answerers.items()
        }
        self._control = (
            None if control_port is None else StubService("control", control(self), control_port)
        )

    def start(self) -> None:
        """Listen on every port. Raises OSError where one is taken; all others are then closed."""
        try:
            for service in self._all():
                service.start()
        except OSError:
            self.stop()
            raise

    def stop(self) -> None:
        """Close every socket and connection, and join every thread; they cannot be restarted."""
        for service in reversed(self._all()):
            service.stop()

    @property
    def ports(self) -> dict[str, int]:
        """The port of each service, once started."""
        return {name: service.port for name, service in self._services.items()}

    @property
    def urls(self) -> dict[str, str]:
        """The URL of each service, once started."""
        return {name: f"http://127.0.0.1:{port}" for name, port in self.ports.items()}

    @property
    def control_url(self) -> str | None:
        """The URL of the control API; None where there is none."""
        return None if self._control is None else f"http://127.0.0.1:{self._control.port}"

    def set(
        self,
        service: str,
        *,
        latency: float | None = None,
        state: State | None = None,
        fault: Fault | Literal["none"] | None = None,
    ) -> ServiceStatus:
        """Change the behaviour of a service; returns its new status.

        Args:
            service: its name; KeyError where there is none.
            latency: seconds, added to the delay of each reply.
            state: `failing` answers 503 to everything; `down` closes the port and all connections,
                so that connects are refused; `up` opens the same port again.
            fault: the fault in place of replies, see `StubReply`; `none` ends it.
        """
        self._services[service].set(latency=latency, state=state, fault=fault)
        return self._services[service].status()

    def state(self) -> dict[str, ServiceStatus]:
        """The status of each service."""
        return {name: service.status() for name, service in self._services.items()}

    def requests(self, service: str | None = None) -> list[StubRequest]:
        """The requests that a service received, in order; or those of all, service by service."""
        chosen = self._services.values() if service is None else [self._services[service]]
        return [request for one in chosen for request in one.requests()]

    def forget(self) -> None:
        """Clear `requests()`."""
        for service in self._services.values():
            service.forget()

    def _all(self) -> list[StubService]:
        return [*self._services.values(), *([self._control] if self._control else [])]

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
