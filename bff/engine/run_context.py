"""The context of one run: the budget, credentials, memory and reply headers of its requests."""

from dataclasses import dataclass, field
from typing import Any, Protocol

from bff.engine.answer import ReplyHead
from bff.engine.attempts import Attempts
from bff.engine.budget import Budget
from bff.engine.decode import StatusValue, connection_names, read_reply
from bff.engine.fanout import by_key
from bff.engine.outcomes import RunningCall
from bff.engine.runtime import Runtime
from bff.errors import (
    AuthError,
    BffError,
    GrantEnded,
    InternalError,
    NoCredentials,
    UpstreamError,
)
from bff.model.exchange import Headers, Reply
from bff.model.principal import NOBODY, Principal
from bff.model.service import OF_THE_CALLER, Service
from bff.plan.compile import CompiledCall
from bff.upstream.exchange import Credentials
from bff.upstream.memory import Lease


@dataclass(frozen=True, slots=True)
class RunContext:
    """What all requests of one run share.

    Args:
        budget: the maximum of requests and reply bytes.
        lease: the memory that the answer's values take.
        credentials: by service, the headers with its credentials, or the error in their place.
        replies: by call, the status and headers of its replies.

    It has no reference to the run: a reference cycle would hold each request's values in memory
    until the garbage collector runs.
    """

    runtime: Runtime
    attempts: Attempts
    principal: Principal
    budget: Budget
    lease: Lease
    credentials: dict[str, Headers | BffError] = field(default_factory=dict)
    replies: dict[str, ReplyHead] = field(default_factory=dict)

    def caught(self, error: Exception, call: RunningCall) -> InternalError:
        """Report an unexpected exception in one request of a call; returns the error in its place.

        Raises:
            Exception: `error` itself, where the boundary raises.
        """
        return self.runtime.boundary.caught(error, "call", call.fan.units[0].request.origin)


def credentials_for(service: Service, client: Principal, rejected: Headers = ()) -> Credentials:
    """The effect that obtains the credentials of a service, for the client or for the service.

    Args:
        rejected: the credentials that the service answered with 401.
    """
    principal = client if service.credentials in OF_THE_CALLER else NOBODY
    return Credentials(service.name, principal, rejected)


def credentials_error(error: BffError) -> BffError:
    """The error of a call, stream or relay for which no credentials were obtained.

    1. The client has to sign in again: `GrantEnded`.
    2. The call has timed out, or the provider has refused: the error itself.
    3. The session store or the provider is away: `NoCredentials`, with its status.
    """
    if isinstance(error, AuthError):
        return GrantEnded(str(error))
    if isinstance(error, GrantEnded | UpstreamError):
        return error
    return NoCredentials(str(error), error.status)


class CallListener(Protocol):
    """What is notified when the requests of a call end."""

    def ended(self, call: RunningCall, index: int, result: Any) -> None:
        """A request has ended with a value or an error."""

    def unauthorized(self, error: BffError) -> None:
        """The client has to sign in again."""


def store_credentials(
    context: RunContext, listener: CallListener, service: str, result: Headers | BffError
) -> bool:
    """Store what an effect obtained for the requests that follow.

    Returns:
        True if the answer is over, because the client has to sign in again.
    """
    if isinstance(result, BffError):
        result = credentials_error(result)
        if isinstance(result, GrantEnded):
            listener.unauthorized(result)
            return True
    context.credentials[service] = result
    return False


def value_or_error(context: RunContext, call: CompiledCall, result: Reply | BffError) -> Any:
    """The value of a reply, or the error in its place; see `read`."""
    try:
        if isinstance(result, Reply):
            return read(context, call, result)
    except BffError as error:
        return error
    return result


def read(context: RunContext, call: CompiledCall, reply: Reply) -> Any:
    """The value of a reply; its status and headers are added to `replies` of the context.

    Raises:
        UpstreamError: it has no value, or the process has no memory for it.
    """
    head = context.replies.setdefault(call.name, ReplyHead(reply.status))
    head.headers.append(reply.headers)
    value = read_reply(call, reply, context.lease)
    if call.fold and not isinstance(value, StatusValue):
        value = by_key(call.fold, value)
    for name in call.respond:
        header = reply.header(name)
        if header is not None and name not in connection_names(reply):
            head.respond.setdefault(name, header)
    return value
