"""The renewal of the credentials of one request, once, after its service has answered 401.

The method does not matter: a request that was answered 401 was not processed (RFC 9110, section
15.5.2).
"""

from dataclasses import replace
from typing import Final

from bff.engine.attempts import OnResult, Owner
from bff.engine.run_context import CallListener, RunContext, credentials_for, store_credentials
from bff.errors import BffError
from bff.model.exchange import Deadline, Headers, Reply, Request
from bff.model.service import Service

_UNAUTHORIZED: Final = 401


class CredentialRenewal:
    """The credentials that a request was sent with, and their renewal."""

    __slots__ = ("_begun", "_context", "_sent_with", "_service")

    def __init__(self, context: RunContext, service: Service) -> None:
        self._context, self._service = context, service
        known = context.credentials.get(service.name, ())
        self._sent_with: Headers = () if isinstance(known, BffError) else known
        self._begun = False

    def is_due(self, reply: Reply) -> bool:
        """Whether a reply rejects the credentials for the first time."""
        return reply.status == _UNAUTHORIZED and bool(self._sent_with) and not self._begun

    def begin(self, deadline: Deadline, owner: Owner, on_result: OnResult) -> None:
        """Obtain new credentials, unless another request of the answer has done so."""
        self._begun = True
        known = self._context.credentials.get(self._service.name, ())
        if known != self._sent_with:
            on_result(known)
            return
        effect = credentials_for(self._service, self._context.principal, self._sent_with)
        self._context.attempts.obtain(effect, deadline, owner, on_result)

    def ends_answer(self, result: Headers | BffError, listener: CallListener) -> bool:
        """Store the result of a renewal; returns whether the client has to sign in again."""
        return store_credentials(self._context, listener, self._service.name, result)

    def apply(self, request: Request) -> Request | None:
        """The request with the new credentials; None if they equal the rejected ones.

        Raises:
            BffError: there are none.
        """
        known = self._context.credentials[self._service.name]
        if isinstance(known, BffError):
            raise known
        if known == self._sent_with:
            return None
        others = [header for header in request.headers if header not in self._sent_with]
        self._sent_with = known
        return replace(request, headers=(*others, *known))
