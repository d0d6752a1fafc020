"""Requests to services with a streamed reply, sent on the thread of the client's request."""

from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Final

from bff.engine.run_context import credentials_error, credentials_for
from bff.errors import BffError, LimitReached, TimedOut
from bff.model.exchange import Deadline, Headers, Request, Tried
from bff.model.principal import Principal
from bff.model.service import OF_THE_CALLER, Service
from bff.upstream.exchange import StreamedReply
from bff.upstream.permit import Permit
from bff.web.runtime import WebRuntime

_UNAUTHORIZED: Final = 401


@dataclass(frozen=True, slots=True)
class OutgoingRequest:
    """A request to a service that is still to be made.

    Args:
        make: makes the request, given the headers with its credentials.
        body: returns the pieces of its body; None without one. A request with a body is never
            sent again.
    """

    principal: Principal
    make: Callable[[Headers], Request]
    body: Callable[[], Iterable[bytes]] | None = None


class StreamingCall:
    """Sends requests to one service: waits for a slot, obtains credentials, renews them once.

    Args:
        guard: the name of the service whose policies apply, such as its concurrency limit.
        service: the same service, which may have other credentials for a relay.
        timeout: seconds without progress after which it fails.
    """

    def __init__(self, guard: str, service: Service, web: WebRuntime, timeout: float) -> None:
        self._runtime, self._exchange = web.runtime, web.streaming
        self._guard, self._service = web.runtime.guards[guard], service
        self._timeout = timeout

    def fetch(
        self, outgoing: OutgoingRequest, resources: ExitStack
    ) -> tuple[Permit, StreamedReply]:
        """The reply, as soon as its head has arrived, and the permit of its slot.

        Args:
            resources: gets both, and releases them.

        Raises:
            BffError: there is no reply.
        """
        permit = resources.enter_context(self._permit())
        incoming = self._open(outgoing, permit)
        resources.callback(incoming.close)
        return permit, incoming

    def _open(self, outgoing: OutgoingRequest, permit: Permit) -> StreamedReply:
        """Send a request; after a 401, one without a body is sent again with new credentials."""
        credentials = self._credentials(outgoing.principal, ())
        incoming = self._send(outgoing, permit, credentials)
        again = credentials and self._service.credentials in OF_THE_CALLER and outgoing.body is None
        if incoming.status != _UNAUTHORIZED or not again:
            return incoming
        incoming.close()
        fresh = self._credentials(outgoing.principal, credentials)
        return self._send(outgoing, permit, fresh, ("renewal", 1))

    def _send(
        self,
        outgoing: OutgoingRequest,
        permit: Permit,
        credentials: Headers,
        why: Tried = ("first", 0),
    ) -> StreamedReply:
        request = replace(outgoing.make(self._service.secret + credentials), url=permit.url)
        body = outgoing.body() if outgoing.body else None
        return self._exchange.stream(permit.record_request(request, *why), body, self._timeout)

    def _credentials(self, principal: Principal, rejected: Headers) -> Headers:
        """The headers with the credentials for the service.

        Raises:
            BffError: they could not be obtained, or not in time.
        """
        if not self._service.asks_for_tokens:
            return ()
        clock = self._runtime.clock
        mailbox = clock.mailbox()
        effect = credentials_for(self._service, principal, rejected)
        deadline = Deadline(clock.now() + self._timeout)
        self._runtime.effects.start(effect, deadline, 0, mailbox)
        completion = mailbox.get(self._timeout)
        found = (
            completion.result
            if completion
            else TimedOut("the credentials were not obtained in time")
        )
        if isinstance(found, BffError):
            raise credentials_error(found)
        headers: Headers = found
        return headers

    def _permit(self) -> Permit:
        """The permit for one request.

        Raises:
            UpstreamError: a policy of the service rejects it, or no slot becomes free in time.
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
            raise LimitReached("concurrency limit reached: timed out waiting for a slot")
        if isinstance(completion.result, BffError):
            raise completion.result
        found: Permit = completion.result
        return found
