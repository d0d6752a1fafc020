"""What brings a request to its service on this thread: a place there, credentials, the sending."""

from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Final

from bff.engine.run_context import credentials_error, credentials_for
from bff.errors import BffError, LimitReached, TimedOut
from bff.model.exchange import Deadline, Headers, Request, Tried
from bff.model.principal import Principal
from bff.model.service import OF_THE_CALLER, Service
from bff.upstream.exchange import Streamed
from bff.upstream.permit import Permit
from bff.web.runtime import WebRuntime

_UNAUTHORIZED: Final = 401


@dataclass(frozen=True, slots=True)
class OutgoingRequest:
    """One request on its way to a service.

    Args:
        make: the request, given the headers of its credentials.
        body: makes its pieces, where it has a body; that can be sent only once.
    """

    principal: Principal
    make: Callable[[Headers], Request]
    body: Callable[[], Iterable[bytes]] | None = None


class StreamingCall:
    """Brings requests to one service.

    Args:
        place: the name of the service whose places are taken.
        service: the same, with the credentials that are to be brought.
        timeout: seconds for which nothing may move.
    """

    def __init__(self, place: str, service: Service, web: WebRuntime, timeout: float) -> None:
        self._runtime, self._exchange = web.runtime, web.streaming
        self._guard, self._service = web.runtime.guards[place], service
        self._timeout = timeout

    def fetch(self, errand: OutgoingRequest, held: ExitStack) -> tuple[Permit, Streamed]:
        """The reply, as soon as its head is there, and the place that it has.

        Args:
            held: gives both back.

        Raises:
            BffError: there is none.
        """
        permit = held.enter_context(self._permitted())
        incoming = self._opened(errand, permit)
        held.callback(incoming.close)
        return permit, incoming

    def _opened(self, errand: OutgoingRequest, permit: Permit) -> Streamed:
        """Send it; a read that is answered 401 once more, with fresh credentials."""
        credentials = self._credentials(errand.principal, ())
        incoming = self._sent(errand, permit, credentials)
        again = credentials and self._service.credentials in OF_THE_CALLER and errand.body is None
        if incoming.status != _UNAUTHORIZED or not again:
            return incoming
        incoming.close()
        fresh = self._credentials(errand.principal, credentials)
        return self._sent(errand, permit, fresh, ("renewal", 1))

    def _sent(
        self,
        errand: OutgoingRequest,
        permit: Permit,
        credentials: Headers,
        why: Tried = ("first", 0),
    ) -> Streamed:
        outgoing = replace(errand.make(self._service.secret + credentials), url=permit.url)
        body = errand.body() if errand.body else None
        return self._exchange.stream(permit.sends(outgoing, *why), body, self._timeout)

    def _credentials(self, principal: Principal, rejected: Headers) -> Headers:
        """The headers with which the service is called for who asks.

        Raises:
            BffError: there are none, or they do not come in time.
        """
        if not self._service.asks_for_tokens:
            return ()
        clock = self._runtime.clock
        mailbox = clock.mailbox()
        effect = credentials_for(self._service, principal, rejected)
        deadline = Deadline(clock.now() + self._timeout)
        self._runtime.effects.start(effect, deadline, 0, mailbox)
        completion = mailbox.get(self._timeout)
        found = completion.result if completion else TimedOut("the credentials did not come")
        if isinstance(found, BffError):
            raise credentials_error(found)
        headers: Headers = found
        return headers

    def _permitted(self) -> Permit:
        """A place of the service.

        Raises:
            UpstreamError: there is none, or it is not asked just now.
        """
        permit = self._guard.admit()
        if permit:
            return permit
        mailbox = self._runtime.clock.mailbox()
        waiting = self._guard.start((), 0, mailbox)
        wait = self._service.wait
        completion = None
        try:
            completion = mailbox.get(self._timeout if wait is None else wait)
        finally:
            if completion is None:
                self._guard.cancel(waiting)
        if completion is None:
            raise LimitReached("all places were taken for too long")
        if isinstance(completion.result, BffError):
            raise completion.result
        found: Permit = completion.result
        return found
