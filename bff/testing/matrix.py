"""The failure matrix: the answer of a view to each frontend, with each of its services failing.

A view is replayed from recordings in virtual time, so that timeouts do not slow the test down.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final
from urllib.parse import quote, urlencode

import orjson

from bff.declare.check import CheckedConfig
from bff.dev.recordings.answerer import read_latency
from bff.dev.recordings.faulty import BROKEN, CELLS, Broken, FaultyExchange
from bff.dev.recordings.replay import ReplayExchange, UnmatchedRequest
from bff.dev.recordings.replay_cursor import ReplayCursor
from bff.dev.recordings.unmatched import unmatched_text
from bff.dev.recordings.virtual import VirtualClock
from bff.model.exchange import Request
from bff.model.principal import NOBODY, Principal
from bff.model.problem import did_you_mean
from bff.plan.plan import Plan
from bff.testing.client import Unmatched
from bff.testing.site import app_on, client_of

_SURE: Final = 400  # the first status of an error
_UNFORESEEN: Final = 500
_KEY: Final = {"Idempotency-Key": "matrix"}


@dataclass(frozen=True, slots=True)
class MatrixRequest:
    """The request of every cell.

    Args:
        params: path and query parameters.
        body: JSON, for a view with a body.
    """

    params: Mapping[str, Sequence[str]]
    principal: Principal = NOBODY
    body: Any = None


@dataclass(frozen=True, slots=True)
class Cell:
    """The answer to a frontend.

    Args:
        service: the failing service; empty where none fails.
        broken: the fault.
        took: seconds of virtual time.
        calls: the outcome of each call, as in BFF-Calls.
        differs: the paths at which the body differs from that without faults.
        left_out: what optional marks left out of the requests of a call: `orders: query status`.
    """

    frontend: str
    service: str
    broken: str
    status: int
    took: float
    calls: str
    differs: tuple[str, ...]
    body: Any
    left_out: tuple[str, ...] = ()


class Matrix:
    """Runs the cells of one view.

    Args:
        cursors: the recordings, by service.

    Raises:
        ValueError: there is no such view, or it is a stream, which has no answer to compare.
    """

    def __init__(
        self, checked: CheckedConfig, cursors: Mapping[str, ReplayCursor], view: str
    ) -> None:
        self._checked, self._cursors = checked, cursors
        if view not in checked.plans:
            hint = did_you_mean(view, checked.plans)
            raise ValueError(f"there is no view `{view}`; {hint}".rstrip("; "))
        self._plans = checked.plans[view]
        if any(plan.view.stream for plan in self._plans.values()):
            raise ValueError(f"`{view}` is a stream: it has no answer to compare")

    def cells(self, asked: MatrixRequest) -> Iterator[Cell]:
        """Every frontend without faults, then with each fault of each service.

        Raises:
            Unmatched: a request without faults is not recorded.
            ValueError: a parameter is missing or unknown.
        """
        for plan in self._plans.values():
            well, services = self._cell(plan, asked, "", "failing")
            yield well
            for service in services:
                for broken in BROKEN:
                    cell, _ = self._cell(plan, asked, service, broken, well.body)
                    yield cell

    def count(self) -> int:
        """The most cells there can be, for a progress bar."""
        return sum(
            1 + len(BROKEN) * len({node.compiled.service.name for node in plan.nodes.values()})
            for plan in self._plans.values()
        )

    def _cell(
        self, plan: Plan, asked: MatrixRequest, service: str, broken: Broken, well: Any = None
    ) -> tuple[Cell, list[str]]:
        clock = VirtualClock()
        for cursor in self._cursors.values():
            cursor.rewind()
        services = self._checked.config.services
        replay = ReplayExchange(self._cursors, services, read_latency("recorded"), clock.after)
        exchange = FaultyExchange(replay, {service: CELLS[broken]} if service else {})
        with TemporaryDirectory(prefix="bff-matrix-") as state:
            app = app_on(
                self._checked, exchange, replay, Path(state), clock=clock, dice=_fixed_jitter
            )
            app.testing = False  # an exception becomes the 500 of its cell
            client = client_of(app, self._checked.config, asked.principal)
            response = client.open(
                _target(plan, asked.params),
                method=plan.view.method,
                json=asked.body,
                headers=_KEY if plan.view.idempotency == "required" else {},
            )
        missed: list[UnmatchedRequest] = replay.missed()
        if missed:
            raise Unmatched("\n\n".join(dict.fromkeys(map(unmatched_text, missed))))
        body = orjson.loads(response.data) if response.data else None
        if isinstance(body, dict):
            body.pop("id", None)  # the id of a problem differs each time
            if response.status_code == _UNFORESEEN:
                body = {name: body[name] for name in body.keys() - {"error", "trace"}}
        return Cell(
            frontend=plan.frontend,
            service=service,
            broken=broken if service else "",
            status=response.status_code,
            took=round(clock.now(), 3),
            calls=response.headers.get("BFF-Calls", ""),
            differs=_lost(response.status_code, well, body) if service else (),
            body=body,
            left_out=_left_out(exchange.asked),
        ), list(dict.fromkeys(request.service for request in exchange.asked))


def _left_out(requests: Sequence[Request]) -> tuple[str, ...]:
    """What marks have left out, by the names of calls: the answer may cover more because of it."""
    found = [
        f"{request.origin.call}: {what}"
        for request in requests
        if request.origin
        for what in request.left_out
    ]
    return tuple(sorted(set(found)))


def _fixed_jitter() -> float:
    """Fixed jitter: two runs of a cell are equal."""
    return 0.5


def verdict(cell: Cell, checked: CheckedConfig, view: str) -> str:
    """The failure of a cell, independent of what the view declares; empty for none."""
    plan = checked.plans[view][cell.frontend]
    if not cell.service and cell.status >= _SURE:
        return f"answers {cell.status} without a fault"
    if cell.status == _UNFORESEEN:
        return "answers 500, which is never allowed"
    if cell.took > plan.view.timeout:
        return f"takes {cell.took} s; the timeout of the view is {plan.view.timeout} s"
    return ""


def snapshot(cells: Sequence[Cell]) -> str:
    """The cells as JSON with readable diffs."""
    by_cell = {
        " ".join(filter(None, (each.frontend, each.service, each.broken))): {
            name: value
            for name, value in asdict(each).items()
            if name not in {"frontend", "service", "broken", "took"}
            and not (name == "body" and each.service and each.status < _SURE)
            and not (name == "left_out" and not value)
        }
        for each in cells
    }
    return orjson.dumps(by_cell, option=orjson.OPT_INDENT_2).decode() + "\n"


def _target(plan: Plan, params: Mapping[str, Sequence[str]]) -> str:
    route, query = plan.view.route, []
    known = {each.name for each in plan.view.params}
    for name, values in params.items():
        if name not in known:
            hint = did_you_mean(name, known)
            text = f"the view `{plan.view.name}` has no parameter `{name}`; {hint}"
            raise ValueError(text.rstrip("; "))
        if f"{{{name}}}" in route:
            route = route.replace(f"{{{name}}}", quote(values[0], safe=""))
        else:
            query += [(name, value) for value in values]
    missing = [part.strip("{}") for part in route.split("/") if part.startswith("{")]
    if missing:
        raise ValueError(f"the route {plan.view.route} needs a value for `{missing[0]}`")
    return f"/{plan.frontend}{route}" + (f"?{urlencode(query)}" if query else "")


def _lost(status: int, well: Any, body: Any) -> tuple[str, ...]:
    return ("all of it",) if status >= _SURE else tuple(sorted(_differs(well, body)))


def _differs(well: Any, body: Any, path: str = "") -> Iterator[str]:
    """The paths at which two bodies differ; the elements of a list share one path."""
    if isinstance(well, dict) and isinstance(body, dict):
        for name in well.keys() | body.keys():
            inner = f"{path}.{name}" if path else name
            yield from _differs(well.get(name, ...), body.get(name, ...), inner)
    elif isinstance(well, list) and isinstance(body, list) and len(well) == len(body):
        inside = (_differs(one, other, f"{path}[]") for one, other in zip(well, body, strict=True))
        yield from dict.fromkeys(each for found in inside for each in found)
    elif well != body:
        yield path or "all of it"
