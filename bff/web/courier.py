"""What brings one relay's requests to its service: a place there, credentials, and the sending."""

from dataclasses import dataclass
from typing import Final

from flask import request

from bff.engine.means import credentials_for
from bff.errors import BffError, LimitReached, TimedOut
from bff.model.exchange import Deadline, Headers, Request
from bff.model.principal import Principal
from bff.model.relay import Relay
from bff.model.service import OF_THE_CALLER
from bff.upstream.exchange import Carrier, Streamed
from bff.upstream.guard import Permit
from bff.web.engine import Engine
from bff.web.relay_headers import sent_up
from bff.web.upload import pieces

_READS: Final = frozenset({"GET", "HEAD"})
_UNAUTHORIZED: Final = 401


@dataclass(frozen=True, slots=True)
class Asking:
    """One request on its way to the service.

    Args:
        length: bytes of its body; None where chunks tell.
    """

    method: str
    target: str
    length: int | None
    principal: Principal


class Courier:
    """Brings the requests of one relay to its service."""

    def __init__(self, relay: Relay, engine: Engine, carrier: Carrier) -> None:
        self._relay, self._engine, self._carrier = relay, engine, carrier
        self._service = engine.services[relay.service]

    def open(self, asking: Asking, permit: Permit) -> Streamed:
        """Send it; a read that is answered 401 once more, with fresh credentials."""
        credentials = self._credentials(asking.principal, ())
        incoming = self._sent(asking, permit, credentials)
        again = credentials and self._service.credentials in OF_THE_CALLER and asking.length == 0
        if incoming.status != _UNAUTHORIZED or not again:
            return incoming
        incoming.close()
        return self._sent(asking, permit, self._credentials(asking.principal, credentials))

    def _sent(self, asking: Asking, permit: Permit, credentials: Headers) -> Streamed:
        relay = self._relay
        length = asking.length
        told = length if length or asking.method not in _READS else None
        headers = sent_up(request, relay, self._service.secret + credentials, told)
        body = None if length == 0 else pieces(request, length, relay.max_body)
        outgoing = Request(relay.service, asking.method, asking.target, headers, url=permit.url)
        return self._carrier.stream(outgoing, body, relay.timeout)

    def _credentials(self, principal: Principal, rejected: Headers) -> Headers:
        """The headers with which the service is called for who asks.

        Raises:
            BffError: there are none, or they do not come in time.
        """
        if not self._service.asks_for_tokens:
            return ()
        clock = self._engine.clock
        mailbox, most = clock.mailbox(), self._relay.timeout
        effect = credentials_for(self._service, principal, rejected)
        self._engine.effects.start(effect, Deadline(clock.now() + most), 0, mailbox)
        completion = mailbox.get(most)
        found = completion.result if completion else TimedOut("the credentials did not come")
        if isinstance(found, BffError):
            raise found
        headers: Headers = found
        return headers

    def permitted(self) -> Permit:
        """A place of the service.

        Raises:
            UpstreamError: there is none, or it is not asked just now.
        """
        guard = self._engine.guards[self._relay.service]
        permit = guard.admit()
        if permit:
            return permit
        mailbox = self._engine.clock.mailbox()
        waiting = guard.start((), 0, mailbox)
        wait = self._service.wait
        completion = mailbox.get(self._relay.timeout if wait is None else wait)
        if completion is None:
            guard.cancel(waiting)
            raise LimitReached("all places were taken for too long")
        if isinstance(completion.result, BffError):
            raise completion.result
        found: Permit = completion.result
        return found
