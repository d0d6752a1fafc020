"""What the requests of one answer share: budget, credentials, memory, and what replies brought."""

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
    """What the requests of one answer share.

    Args:
        budget: the requests and bytes that the answer may cost.
        lease: the memory that the answer's values take.
        credentials: by service, the headers that its requests carry, or why there are none.
        replies: by call, what of its first reply may go on to the client.

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
        """Report an unexpected exception in one request of a call; what stands in its place.

        Raises:
            Exception: `error` itself, where the boundary raises.
        """
        return self.runtime.boundary.caught(error, "call", call.fan.units[0].request.origin)


def credentials_for(service: Service, asker: Principal, rejected: Headers = ()) -> Credentials:
    """The effect that obtains a service's credentials; the service's own are the same for all.

    Args:
        rejected: the credentials that the service answered with 401.
    """
    whose = asker if service.credentials in OF_THE_CALLER else NOBODY
    return Credentials(service.name, whose, rejected)


def credentials_error(error: BffError) -> BffError:
    """What the failure to obtain a service's credentials is for a call, a stream or a relay.

    1. The client has to sign in again: `GrantEnded`.
    2. The call's own time is over, or the provider has refused: as it is.
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


def keep_credentials(
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
    """The value of a reply; what of the reply may go on to the client is stored in the context.

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
