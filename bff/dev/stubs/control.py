"""The control API of the stubs, which makes a service slow, failing or down while it runs."""

from typing import Any, Literal, Protocol, get_args
from urllib.parse import unquote

import orjson

from bff.dev.recordings.message import Answerer, Fault, StubReply, StubRequest
from bff.dev.stubs.service import ServiceStatus, State

_MOST_LATENCY_MS = 600_000
_LOOPBACK = {"127.0.0.1", "localhost"}


class ServiceControl(Protocol):
    """Services that can be controlled, such as StubServices."""

    def set(
        self,
        service: str,
        *,
        latency: float | None = None,
        state: State | None = None,
        fault: Fault | Literal["none"] | None = None,
    ) -> ServiceStatus:
        """Change one service."""

    def state(self) -> dict[str, ServiceStatus]:
        """The status of each service."""


def control(services: ServiceControl) -> Answerer:
    """An answerer for the control API.

    `GET /services` lists them; `PUT /services/{name}` takes `latency_ms`, `state` and `fault`.
    """

    def answer(request: StubRequest) -> StubReply:
        host = (request.header("Host") or "").rpartition(":")[0] or request.header("Host")
        if host not in _LOOPBACK:  # DNS rebinding by a web page
            return StubReply.problem(403, "Only for this machine")
        match [unquote(segment) for segment in request.path.strip("/").split("/")]:
            case ["services"]:
                return _listed(services, request)
            case ["services", name] if name in services.state():
                return _one(services, name, request)
            case ["services", name]:
                known = ", ".join(services.state())
                return StubReply.problem(404, "No such service", detail=f"{name}: not of {known}")
        return StubReply.problem(404, "Not found", detail="There is /services and /services/{name}")

    return answer


def _listed(services: ServiceControl, request: StubRequest) -> StubReply:
    if request.method != "GET":
        return StubReply.problem(405, "Only GET here")
    return StubReply.json(services.state())


def _one(services: ServiceControl, name: str, request: StubRequest) -> StubReply:
    if request.method == "GET":
        return StubReply.json(services.state()[name])
    if request.method != "PUT":
        return StubReply.problem(405, "Only GET and PUT here")
    try:
        latency, state, fault = _change(orjson.loads(request.body))
    except ValueError as error:
        return StubReply.problem(400, "Not a change that can be made", detail=str(error))
    try:
        return StubReply.json(services.set(name, latency=latency, state=state, fault=fault))
    except OSError as error:
        return StubReply.problem(409, "Its port is taken by now", detail=str(error))


def _change(body: Any) -> tuple[float | None, State | None, Fault | Literal["none"] | None]:
    """The latency in seconds, the state and the fault of a request. Raises ValueError."""
    if not isinstance(body, dict) or not body or body.keys() - {"latency_ms", "state", "fault"}:
        raise ValueError('send an object such as {"latency_ms": 300, "state": "failing"}')
    latency, state, fault = body.get("latency_ms"), body.get("state"), body.get("fault")
    if latency is not None and not _is_latency(latency):
        raise ValueError(f"latency_ms: should be a number from 0 to {_MOST_LATENCY_MS}")
    if state is not None and state not in get_args(State):
        raise ValueError(f"state: should be one of {', '.join(get_args(State))}")
    if fault is not None and fault not in {*get_args(Fault), "none"}:
        raise ValueError(f"fault: should be one of {', '.join((*get_args(Fault), 'none'))}")
    return None if latency is None else latency / 1000, state, fault


def _is_latency(value: Any) -> bool:
    # JSON has no NaN and no infinity, so a check of the range is enough.
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and 0 <= value <= _MOST_LATENCY_MS
