"""The control API of the stubs: make a service slow, failing or down while it runs."""

from typing import Any, Literal, Protocol, get_args
from urllib.parse import unquote

import orjson

from bff.dev.recordings.message import Answerer, Fault, StubReply, StubRequest
from bff.dev.stubs.service import State, Status

_MOST_LATENCY_MS = 600_000
_LOOPBACK = {"127.0.0.1", "localhost"}


class Controlled(Protocol):
    """What can be controlled: StubServices, and whatever else has its two methods."""

    def set(
        self,
        service: str,
        *,
        latency: float | None = None,
        state: State | None = None,
        fault: Fault | Literal["none"] | None = None,
    ) -> Status:
        """Change one service."""

    def state(self) -> dict[str, Status]:
        """How each service is."""


def control(services: Controlled) -> Answerer:
    """Answer `GET /services`, and `PUT /services/{name}` with `latency_ms`, `state`, `fault`."""

    def answer(request: StubRequest) -> StubReply:
        host = (request.header("Host") or "").rpartition(":")[0] or request.header("Host")
        if host not in _LOOPBACK:  # a web page that had its own name resolve to loopback
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


def _listed(services: Controlled, request: StubRequest) -> StubReply:
    if request.method != "GET":
        return StubReply.problem(405, "Only GET here")
    return StubReply.json(services.state())


def _one(services: Controlled, name: str, request: StubRequest) -> StubReply:
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
    """The latency in seconds, the state and the fault that are asked for. Raises ValueError."""
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
    # JSON has no NaN and no infinity, so the range is all there is to check.
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and 0 <= value <= _MOST_LATENCY_MS
