"""A respx router for each service, and recordings behind them: what a test's services answer."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx
import respx
from respx.models import AllMockedAssertionError

from bff.dev.replay import ReplayExchange
from bff.errors import BffError
from bff.model.exchange import Deadline, Request
from bff.model.problem import did_you_mean
from bff.model.service import Service
from bff.upstream.exchange import Completion, Sink
from bff.upstream.pool import PoolExchange


class _NotScripted(BffError):
    """No route of the test's takes the request."""


class Upstream:
    """The services: `upstream.orders.get("/orders").respond(503)`.

    Each is a router of respx's, with the service's address as its base; nothing is patched, so
    tests may run side by side, in threads and in processes.
    """

    def __init__(self, services: Mapping[str, Service]) -> None:
        self._routers = {
            name: respx.Router(assert_all_called=False, base_url=each.url)
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
        return _Transport(self._routers[service.name])


class _Transport(httpx.BaseTransport):
    def __init__(self, router: respx.Router) -> None:
        self._router = router

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.read()
        try:
            return self._router.handler(request)
        except AllMockedAssertionError:
            raise _NotScripted from None


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
