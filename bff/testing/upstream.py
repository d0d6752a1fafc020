"""A respx router for each service, and recordings behind them: what a test's services answer."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import httpx
import respx
from respx.models import AllMockedAssertionError, CallList

from bff.dev.recordings.replay import ReplayExchange
from bff.errors import BffError
from bff.model.exchange import Deadline, Request
from bff.model.problem import did_you_mean
from bff.model.service import Service
from bff.upstream.exchange import Completion, Sink
from bff.upstream.pool import PoolExchange

# What a transport raises: a mock that raises one of these means to.
_FAULTS: Final = (httpx.HTTPError, httpx.StreamError, ConnectionError, TimeoutError, BffError)
_HINT: Final = "for a call that fails, have it raise an error of httpx's: httpx.ConnectError"


class _NotScripted(BffError):
    """No route of the test's takes the request."""


class Upstream:
    """The services: `upstream.orders.get("/orders").respond(503)`.

    Each is a router of respx's, with the service's address as its base; nothing is patched, so
    tests may run side by side, in threads and in processes.
    """

    def __init__(self, services: Mapping[str, Service]) -> None:
        self._raised: list[BaseException] = []
        self._asked: dict[str, list[str]] = {name: [] for name in services}
        self._routers = {
            name: _Router(assert_all_called=False, base_url=each.url)
            for name, each in services.items()
        }

    def __getattr__(self, name: str) -> respx.Router:
        return self[name]

    def __getitem__(self, name: str) -> respx.Router:
        """The router of a service. Raises AttributeError where there is no such service."""
        if name not in self._routers:
            hint = did_you_mean(name, self._routers)
            raise AttributeError(f"no service `{name}`; {hint}".rstrip("; "))
        return self._routers[name]

    def transport(self, service: Service) -> httpx.BaseTransport:
        """What carries requests to a service: its router."""
        name = service.name
        return _Transport(self._routers[name], name, self._asked[name], self._raised)

    def raise_mistakes(self) -> None:
        """Raise what a mock of the test's own has raised, if one has; once.

        A view may have a fallback for a call that fails, and the test would pass.
        """
        if self._raised:
            error, self._raised[:] = self._raised[0], []
            raise error

    def unasked(self) -> list[str]:
        """The routes that nothing has asked, for people; none whose calls the test looks at."""
        return [
            line
            for name, router in self._routers.items()
            for route in router.routes
            if isinstance(route.calls, _Calls) and route.calls.unexpected
            for line in _unasked(name, route, self._asked[name])
        ]


def _unasked(service: str, route: respx.Route, asked: list[str]) -> list[str]:
    others = ", ".join(dict.fromkeys(asked)) or "nothing"
    return [f"{service}: nothing asks {route.pattern!r}", f"  it was asked for: {others}"]


class _Calls(CallList):
    """The calls of a route, and whether the test has looked at them: then it knows of none, too."""

    looked_at = False

    @property
    def unexpected(self) -> bool:
        """Whether there is none, and the test does not know."""
        return not self.looked_at and not list.__len__(self)

    @property
    def called(self) -> bool:  # type: ignore[override]  # respx has a property, typed as a bool
        """Whether there is one."""
        self.looked_at = True
        return bool(list.__len__(self))

    @property
    def call_count(self) -> int:  # type: ignore[override]  # the same
        """How many there are."""
        self.looked_at = True
        return list.__len__(self)

    def __len__(self) -> int:
        self.looked_at = True
        return list.__len__(self)


class _Router(respx.Router):
    def route(self, *patterns: Any, name: str | None = None, **lookups: Any) -> respx.Route:
        """A route that knows whether the test has looked at its calls."""
        made = super().route(*patterns, name=name, **lookups)
        if not isinstance(made.calls, _Calls):
            made.calls = _Calls(name=made)
        return made


class _Transport(httpx.BaseTransport):
    def __init__(
        self, router: respx.Router, service: str, asked: list[str], raised: list[BaseException]
    ) -> None:
        self._router, self._service = router, service
        self._asked, self._raised = asked, raised

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.read()
        target = request.url.raw_path.decode("latin-1")
        self._asked.append(f"{request.method} {target}")
        try:
            return self._router.handler(request)
        except AllMockedAssertionError:
            raise _NotScripted from None
        except _FAULTS:
            raise
        except BaseException as error:
            error.add_note(f"raised by the test's own mock of {self._service}: {_HINT}")
            self._raised.append(error)
            raise httpx.ConnectError("the test's own mock raised") from error


@dataclass(slots=True)
class _Ticket:
    by: Any
    ticket: Any


class ScriptedExchange:
    """Asks the test's routes first, and the recordings for what these do not take."""

    def __init__(
        self, services: Mapping[str, Service], upstream: Upstream, replay: ReplayExchange
    ) -> None:
        self._scripted = PoolExchange(services, 16, upstream.transport)
        self._replay = replay

    def start(self, request: Request, deadline: Deadline, attempt: int, mailbox: Sink) -> _Ticket:
        """Ask."""
        ticket = _Ticket(self._scripted, None)
        ear = _Ear(self._replay, request, deadline, mailbox, ticket)
        ticket.ticket = self._scripted.start(request, deadline, attempt, ear)
        return ticket

    def cancel(self, ticket: _Ticket) -> None:
        """Give up an attempt."""
        if ticket.by is self._scripted:
            self._scripted.cancel(ticket.ticket)

    def unready(self) -> str:
        """It is always ready."""
        return ""

    def close(self) -> None:
        """End the threads."""
        self._scripted.close()


@dataclass(frozen=True, slots=True)
class _Ear:
    replay: ReplayExchange
    request: Request
    deadline: Deadline
    mailbox: Sink
    ticket: _Ticket

    def put(self, completion: Completion) -> None:
        """Pass on what a route answered; have anything else replayed."""
        if isinstance(completion.result, _NotScripted):
            self.ticket.by = self.replay
            self.replay.start(self.request, self.deadline, completion.attempt, self.mailbox)
        else:
            self.mailbox.put(completion)
