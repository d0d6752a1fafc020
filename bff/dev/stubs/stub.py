"""Stands in for the internal services: real HTTP on ports of their own, recorded or scripted.

with StubServices({"users": lambda request: StubReply.json({"id": 7})}) as services:
    httpx.get(services.urls["users"] + "/users/7")
"""

from collections.abc import Mapping
from typing import Literal, Self

from bff.dev.recordings.message import Answerer, Fault, StubReply, StubRequest
from bff.dev.stubs.control import control
from bff.dev.stubs.service import State, Status, StubService

__all__ = ["Answerer", "Fault", "State", "Status", "StubReply", "StubRequest", "StubServices"]


class StubServices:
    """Several stub services, each on a port of its own; at rest until `start()`.

    Args:
        answerers: what answers for each service; called from many threads at once.
        ports: by service; 0, or not named, takes a free one.
        keep: remember every request, for `requests()`.
        control_port: where to serve the control API; 0 takes a free port, None serves none.
        host: the address that services listen on; the control API is on loopback always.
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
            raise ValueError(f"ports for services that are not there: {', '.join(unknown)}")
        self._services = {
            name: StubService(name, answer, wanted.get(name, 0), keep=keep, host=host)
            for name, answer in answerers.items()
        }
        self._control = (
            None if control_port is None else StubService("control", control(self), control_port)
        )

    def start(self) -> None:
        """Listen on every port. Raises OSError, with nothing left open, where one is taken."""
        try:
            for service in self._all():
                service.start()
        except OSError:
            self.stop()
            raise

    def stop(self) -> None:
        """Close every socket, cut every connection, join every thread; at once, and for good."""
        for service in reversed(self._all()):
            service.stop()

    @property
    def ports(self) -> dict[str, int]:
        """The port of each service, once started."""
        return {name: service.port for name, service in self._services.items()}

    @property
    def urls(self) -> dict[str, str]:
        """The address of each service, once started."""
        return {name: f"http://127.0.0.1:{port}" for name, port in self.ports.items()}

    @property
    def control_url(self) -> str | None:
        """The address of the control API, if there is one."""
        return None if self._control is None else f"http://127.0.0.1:{self._control.port}"

    def set(
        self,
        service: str,
        *,
        latency: float | None = None,
        state: State | None = None,
        fault: Fault | Literal["none"] | None = None,
    ) -> Status:
        """Change how a service behaves from now on, and return how it is then.

        Args:
            service: its name; KeyError where there is none.
            latency: seconds, added to whatever delay its replies have.
            state: `failing` answers 503 to everything; `down` closes the port and all connections,
                so that connects are refused; `up` opens the same port again.
            fault: what it does instead of replying, see `StubReply`; `none` ends that.
        """
        self._services[service].set(latency=latency, state=state, fault=fault)
        return self._services[service].status()

    def state(self) -> dict[str, Status]:
        """How each service is."""
        return {name: service.status() for name, service in self._services.items()}

    def requests(self, service: str | None = None) -> list[StubRequest]:
        """What a service was asked, in order; or all of them, service by service."""
        chosen = self._services.values() if service is None else [self._services[service]]
        return [request for one in chosen for request in one.requests()]

    def forget(self) -> None:
        """Begin `requests()` anew."""
        for service in self._services.values():
            service.forget()

    def _all(self) -> list[StubService]:
        return [*self._services.values(), *([self._control] if self._control else [])]

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
