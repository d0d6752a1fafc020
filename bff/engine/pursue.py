"""One request of a call, from its first attempt until there is a value or an error.

`conduct.Run` decides about calls, a `Pursuit` about the attempts of one request.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Final

from bff.engine.answer import Replied
from bff.engine.attempts import Attempts
from bff.engine.budget import Budget
from bff.engine.compile import CompiledCall
from bff.engine.fanout import by_key
from bff.engine.links import redirected
from bff.engine.reading import Stood, connection_names, read_reply
from bff.engine.settle import Running
from bff.errors import (
    AuthError,
    BffError,
    GrantEnded,
    NoCredentials,
    TimedOut,
    TooMany,
    UpstreamError,
)
from bff.model.exchange import Headers, Reply
from bff.model.principal import Principal
from bff.upstream.exchange import Clock, Credentials

_MAX_HOPS: Final = 3
_UNAUTHORIZED: Final = 401


@dataclass(frozen=True, slots=True)
class Means:
    """What the requests of one answer are pursued with.

    Args:
        budget: what all of them together may cost.
        credentials: by service, the headers that its requests carry, or why there are none.
        replies: what of the first reply of each call may go on.
        ended: told of each request's value or error.
        unauthorized: told when whoever asks has to sign in again: the view has failed.
    """

    attempts: Attempts
    clock: Clock
    principal: Principal
    budget: Budget
    ended: Callable[[Running, int, Any], None]
    unauthorized: Callable[[BffError], None]
    credentials: dict[str, Headers | BffError] = field(default_factory=dict)
    replies: dict[str, Replied] = field(default_factory=dict)


class Pursuit:
    """One request of a call, and what has been tried for it."""

    __slots__ = ("_call", "_hops", "_index", "_means", "_renewed", "_request", "_sent_with")

    def __init__(self, means: Means, call: Running, index: int) -> None:
        self._means, self._call, self._index = means, call, index
        self._request = call.fan.units[index].request
        known = means.credentials.get(call.node.compiled.service.name, ())
        self._sent_with: Headers = () if isinstance(known, BffError) else known
        self._renewed = False
        self._hops = 0

    def send(self) -> None:
        """Send the request."""
        self._means.attempts.send(self._request, self._call.ends, self._receive)

    def _receive(self, result: Any) -> None:
        if isinstance(result, Reply):
            try:
                self._means.budget.receive(len(result.body))
                if self._renews(result) or self._redirects(result):
                    return
                result = read(self._means.replies, self._call.node.compiled, result)
            except BffError as error:
                result = error
        self._means.ended(self._call, self._index, result)

    def _renews(self, reply: Reply) -> bool:
        """Whether the request waits for new credentials, which it does once.

        Its method does not matter: a 401 was not processed (RFC 9110, section 15.5.2).
        """
        service = self._call.node.compiled.service
        if reply.status != _UNAUTHORIZED or self._renewed or not self._sent_with:
            return False
        if self._means.clock.now() >= self._call.ends.at:
            return False
        self._renewed = True
        known = self._means.credentials.get(service.name, ())
        if known != self._sent_with:  # another request has had the same answer before
            self._renew(known)
            return True
        effect = Credentials(service.name, self._means.principal, self._sent_with)
        self._means.attempts.obtain(effect, self._call.ends, self._renew)
        return True

    def _renew(self, credentials: Headers | BffError) -> None:
        """Send the request once more with what it is to be sent with from now on."""
        service = self._call.node.compiled.service.name
        if keep_credentials(self._means, service, credentials):
            return
        known = self._means.credentials[service]
        try:
            if isinstance(known, BffError):
                raise known
            self._means.budget.send(1)
        except BffError as error:
            self._means.ended(self._call, self._index, error)
            return
        kept = [each for each in self._request.headers if each not in self._sent_with]
        self._request = replace(self._request, headers=(*kept, *known))
        self._sent_with = known
        self.send()

    def _redirects(self, reply: Reply) -> bool:
        """Whether a reply sends the request elsewhere, where that may be followed."""
        if self._means.clock.now() >= self._call.ends.at:
            raise TimedOut("redirected when its time was over")
        request = redirected(self._request, reply, self._call.node.compiled.service)
        if request is None:
            return False
        self._means.budget.send(1)
        self._hops += 1
        if self._hops > _MAX_HOPS:
            raise TooMany("redirected too often")
        self._request = request
        self.send()
        return True


def keep_credentials(means: Means, service: str, result: Headers | BffError) -> bool:
    """Keep what an effect brought for the requests to come.

    Returns:
        Whether the view is over, because whoever asks has to sign in again.
    """
    if isinstance(result, AuthError | GrantEnded):
        means.unauthorized(result)
        return True
    if isinstance(result, BffError) and not isinstance(result, UpstreamError):
        result = NoCredentials(str(result))
    means.credentials[service] = result
    return False


def read(replies: dict[str, Replied], call: CompiledCall, reply: Reply) -> Any:
    """The value of a reply; what of it may go on to the client is kept.

    Raises:
        UpstreamError: it has none.
    """
    replied = replies.setdefault(call.name, Replied(reply.status))
    replied.said.append(reply.headers)
    value = read_reply(call, reply)
    if call.fold and not isinstance(value, Stood):
        value = by_key(call.fold, value)
    for name in call.respond:
        header = reply.header(name)
        if header is not None and name not in connection_names(reply):
            replied.respond.setdefault(name, header)
    return value
