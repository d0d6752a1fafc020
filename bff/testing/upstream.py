"""The services of a test: a respx router for each, with recordings as a fallback."""

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

# Exceptions of transports, which a mock raises on purpose.
_FAULTS: Final = (httpx.HTTPError, httpx.StreamError, ConnectionError, TimeoutError, BffError)
_HINT: Final = "for a call that fails, raise an httpx error, such as httpx.ConnectError"


class _NotMocked(BffError):
    """No route of the test matches the request."""


class Upstream:
    """The services: `upstream.orders.get("/orders").respond(503)`.

    Each is a respx router with the service's address as its base URL. Nothing is patched, so that
    tests can run in parallel, in threads and in processes.
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
        """The transport of a service: its router."""
        name = service.name
        return _Transport(self._routers[name], name, self._asked[name], self._raised)

    def raise_mistakes(self) -> None:
        """Raise an unexpected exception of a mock, once.

        A view may have a fallback for a failed call, so that the test would pass without this.
        """
        if self._raised:
            error, self._raised[:] = self._raised[0], []
            raise error

    def unasked(self) -> list[str]:
        """Lines that list the routes never called, except those whose calls the test inspects."""
        return [
            line
            for name, router in self._routers.items()
            for route in router.routes
            if isinstance(route.calls, _Calls) and route.calls.unexpected
            for line in _unasked(name, route, self._asked[name])
        ]


def _unasked(service: str, route: respx.Route, asked: list[str]) -> list[str]:
    others = ", ".join(dict.fromkeys(asked)) or "nothing"
    return [f"{service}: no request for {route.pattern!r}", f"  requests: {others}"]


class _Calls(CallList):
    """The calls of a route, and whether the test has inspected them."""

    looked_at = False

    @property
    def unexpected(self) -> bool:
        """True if there is no call, and the test has not inspected that."""
        return not self.looked_at and not list.__len__(self)

    @property
    def called(self) -> bool:  # type: ignore[override]  # respx has a property, typed as a bool
        """True if there is a call."""
        self.looked_at = True
        return bool(list.__len__(self))

    @property
    def call_count(self) -> int:  # type: ignore[override]  # the same
        """The number of calls."""
        self.looked_at = True
        return list.__len__(self)

    def __len__(self) -> int:
        self.looked_at = True
        return list.__len__(self)


class _Router(respx.Router):
    def route(self, *patterns: Any, name: str | None = None, **lookups: Any) -> respx.Route:
        """A route that notes whether the test inspects its calls."""
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
            raise _NotMocked from None
        except _FAULTS:
            raise
        except BaseException as error:
            error.add_note(f"raised by the mock of {self._service}: {_HINT}")
            self._raised.append(error)
            raise httpx.ConnectError("the mock of the test raised") from error


@dataclass(slots=True)
class _Handle:
    by: Any
    handle: Any


class MockedExchange:
    """Uses the routes of the test first, and recordings for requests that no route matches."""

    def __init__(
        self, services: Mapping[str, Service], upstream: Upstream, replay: ReplayExchange
    ) -> None:
        self._mocked = PoolExchange(services, 16, upstream.transport)
        self._replay = replay

    def start(self, request: Request, deadline: Deadline, attempt: int, mailbox: Sink) -> _Handle:
        """Send a request."""
        handle = _Handle(self._mocked, None)
        ear = _CompletionTap(self._replay, request, deadline, mailbox, handle)
        handle.handle = self._mocked.start(request, deadline, attempt, ear)
        return handle

    def cancel(self, handle: _Handle) -> None:
        """Cancel an attempt."""
        if handle.by is self._mocked:
            self._mocked.cancel(handle.handle)

    def unready(self) -> str:
        """Always empty: it is always ready."""
        return ""

    def close(self) -> None:
        """End the threads."""
        self._mocked.close()


@dataclass(frozen=True, slots=True)
class _CompletionTap:
    replay: ReplayExchange
    request: Request
    deadline: Deadline
    mailbox: Sink
    handle: _Handle

    def put(self, completion: Completion) -> None:
        """Deliver the reply of a route, or replay a request that no route matches."""
        if isinstance(completion.result, _NotMocked):
            self.handle.by = self.replay
            self.replay.start(self.request, self.deadline, completion.attempt, self.mailbox)
        else:
            self.mailbox.put(completion)
