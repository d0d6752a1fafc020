"""What the requests of one answer are pursued with, and what they learn from each other."""

from dataclasses import dataclass, field
from typing import Any, Protocol

from bff.engine.answer import Replied
from bff.engine.attempts import Attempts
from bff.engine.budget import Budget
from bff.engine.decode import Stood, connection_names, read_reply
from bff.engine.fanout import by_key
from bff.engine.outcomes import Running
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
from bff.observe.boundary import ErrorBoundary
from bff.plan.compile import CompiledCall
from bff.upstream.exchange import Clock, Credentials
from bff.upstream.guard import Guards
from bff.upstream.memory import Lease


@dataclass(frozen=True, slots=True)
class Means:
    """What the requests of one answer are pursued with.

    Args:
        guards: what is known of the services.
        budget: what all of them together may cost.
        lease: what the answer's values take of the process's memory.
        credentials: by service, the headers that its requests carry, or why there are none.
        replies: what of the first reply of each call may go on.
        boundary: hears of what is raised unforeseen.

    It knows nothing of the run that it is for: a circle of references would keep each request's
    values until the garbage collector comes by.
    """

    attempts: Attempts
    clock: Clock
    guards: Guards
    principal: Principal
    budget: Budget
    lease: Lease
    credentials: dict[str, Headers | BffError] = field(default_factory=dict)
    replies: dict[str, Replied] = field(default_factory=dict)
    boundary: ErrorBoundary = field(default_factory=ErrorBoundary)

    def caught(self, error: Exception, call: Running) -> InternalError:
        """What stands for an exception that no code expects, in one request of a call.

        Raises:
            Exception: `error` itself, where it is to end the client's request.
        """
        return self.boundary.caught(error, "call", call.fan.units[0].request.origin)


def credentials_for(service: Service, asker: Principal, rejected: Headers = ()) -> Credentials:
    """The effect of having a service's credentials; our own are the same whoever asks."""
    whose = asker if service.credentials in OF_THE_CALLER else NOBODY
    return Credentials(service.name, whose, rejected)


class Whole(Protocol):
    """What hears of its requests."""

    def ended(self, call: Running, index: int, result: Any) -> None:
        """One of them has come to a value or an error."""

    def unauthorized(self, error: BffError) -> None:
        """Whoever asks has to sign in again."""


def keep_credentials(means: Means, whole: Whole, service: str, result: Headers | BffError) -> bool:
    """Keep what an effect brought for the requests to come.

    Returns:
        Whether all is over, because whoever asks has to sign in again.
    """
    if isinstance(result, AuthError | GrantEnded):
        whole.unauthorized(result)
        return True
    if isinstance(result, BffError) and not isinstance(result, UpstreamError):
        result = NoCredentials(str(result), result.status)
    means.credentials[service] = result
    return False


def come_to(means: Means, call: CompiledCall, result: Reply | BffError) -> Any:
    """The value of a reply, or the error that stands in its place; see `read`."""
    try:
        if isinstance(result, Reply):
            return read(means, call, result)
    except BffError as error:
        return error
    return result


def read(means: Means, call: CompiledCall, reply: Reply) -> Any:
    """The value of a reply; what of it may go on to the client is kept.

    Raises:
        UpstreamError: it has none, or the process has no memory for it.
    """
    replied = means.replies.setdefault(call.name, Replied(reply.status))
    replied.said.append(reply.headers)
    value = read_reply(call, reply, means.lease)
    if call.fold and not isinstance(value, Stood):
        value = by_key(call.fold, value)
    for name in call.respond:
        header = reply.header(name)
        if header is not None and name not in connection_names(reply):
            replied.respond.setdefault(name, header)
    return value
