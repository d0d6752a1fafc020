"""The input and output of the conductor: a client's request to a view, and the view's answer."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from bff.errors import (
    BadStatus,
    BffError,
    GrantEnded,
    TimedOut,
    Unfillable,
    UpstreamError,
)
from bff.model.exchange import Headers, Origin, Outcome
from bff.model.principal import Principal
from bff.model.service import OF_THE_CALLER
from bff.model.trace import Trace
from bff.plan.cache_rule import tag_keys
from bff.plan.compile import CompiledCall
from bff.plan.expression import Scope
from bff.plan.page_links import Position
from bff.plan.plan import Plan

CANNOT_BE_SENT: Final = "these values cannot be sent to a service"
_OK: Final = 200
_BAD_REQUEST: Final = 400
_UNAUTHORIZED: Final = 401
_NOT_MODIFIED: Final = 304  # of that call's reply; the view's answer is another


@dataclass(frozen=True, slots=True)
class Cursors:
    """The client's positions in paginated lists.

    Args:
        starts: by parameter, the position that its cursor encodes; no entry for the first page.
        seal: encrypts a position into the cursor that the client gets for a parameter.
    """

    starts: Mapping[str, Position]
    seal: Callable[[str, Position], str]


@dataclass(frozen=True, slots=True)
class ViewRequest:
    """A client's request to a view.

    Args:
        scope: the values of the reserved root names.
        headers: the client's headers that may be forwarded, by lower-case name.
        gone: whether the client has disconnected; None where the server cannot tell.
        key: the value from which the idempotency keys of its writes are derived; empty for none.
        id: the request id.
        target: path and query.
        trace: its trace context (W3C).
        cursors: the client's positions in lists; None where the view has no paginated list.
    """

    scope: Mapping[str, Any]
    headers: Mapping[str, str]
    principal: Principal
    gone: Callable[[], bool] | None = None
    key: str = ""
    id: str = ""
    target: str = ""
    trace: Trace | None = None
    cursors: Cursors | None = None

    def origin(self, plan: Plan, call: CompiledCall) -> Origin:
        """The origin of a call's requests, for logs and traces."""
        view, place = plan.view.name, call.call.place
        names = (plan.frontend, view, call.name)
        return Origin(self.id, self.target, *names, place, self.trace)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a view has no answer: a required call has failed, or a refusal of the view applies.

    Args:
        status: the HTTP status of the answer.
        title: of the refusal; empty for a call.
        call: the name of the call that failed; empty for a refusal.
        reason: of the call, as in its outcome.
        detail: a sentence for the developer of the frontend.
        retry_after: seconds after which a retry may succeed, or the Retry-After of a service whose
            status is passed on; None for no Retry-After.
        errors: an entry for each value of the client that cannot be sent to a service.
    """

    status: int
    title: str = ""
    call: str = ""
    reason: str = ""
    detail: str = ""
    retry_after: float | str | None = None
    errors: Sequence[Mapping[str, str]] = ()


@dataclass(frozen=True, slots=True)
class ReplyHead:
    """What an answer uses of a call's replies besides their values.

    Args:
        status: of the first reply.
        respond: headers of the first reply that has them, which go on to the client.
        headers: all headers of each reply, some of which limit caching.
    """

    status: int
    respond: dict[str, str] = field(default_factory=dict)
    headers: list[Headers] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a request: a value or a failure, and the outcome of each call.

    Args:
        respond: headers of replies that go on to the client.
        replies: by call, the status and headers of its replies.
        invalidates: keys of the cache tags to invalidate.
        lease: the memory that the value takes; it is released with the last reference to the
            answer.
    """

    value: Any
    outcomes: Mapping[str, Outcome]
    status: int = 200
    respond: Headers = ()
    failure: Failure | None = None
    replies: Mapping[str, ReplyHead] = field(default_factory=dict)
    invalidates: frozenset[str] = frozenset()
    lease: object = field(default=None, compare=False, repr=False)


def failure_of(error: BffError, reason: str, call: CompiledCall | None = None) -> Failure:
    """The failure that an error of a call, or of a relay (`call` is None), is for the client.

    1. The client's grant has ended: 401, without the name of a call, as the client has to sign in.
    2. The call passes on the status of the reply (`pass`), or the service has answered 401 to the
       client's own credentials: that status, with the Retry-After of the reply.
    3. Otherwise: the status of the error.
    """
    if isinstance(error, GrantEnded):
        return Failure(error.status, reason=reason, detail="sign in first")
    status = error.status
    after: float | str | None = error.retry_after
    if call and isinstance(error, BadStatus):
        passed = error.upstream_status in call.call.passes
        personal = call.service.credentials in OF_THE_CALLER
        if passed or (error.upstream_status == _UNAUTHORIZED and personal):
            status, after = error.upstream_status, error.upstream_retry_after or None
    return Failure(status, call=call.name if call else "", reason=reason, retry_after=after)


def bad_request(errors: Sequence[Mapping[str, str]]) -> Failure:
    """The failure of a view whose requests cannot be made with the client's values."""
    names = ", ".join(error.get("parameter") or error.get("pointer", "") for error in errors)
    detail = f"{CANNOT_BE_SENT}: {names}"
    return Failure(_BAD_REQUEST, reason=Unfillable.reason, detail=detail, errors=tuple(errors))


def answer_of(
    plan: Plan, scope: Scope, outcomes: Mapping[str, Outcome], replies: Mapping[str, ReplyHead]
) -> Answer:
    """The shaped answer of a view that has not failed; a shape that cannot be filled is a fault.

    Reply headers go on to the client in the order in which the calls are declared.
    """
    shown = dict(outcomes)
    value, faults = plan.shape.fill(scope)
    if faults:
        of, detail = len(plan.shape.leaves), "; ".join(faults)
        shown["shape"] = Outcome("failed", "shape", failed=len(faults), of=of, detail=detail)
    declared = plan.view.answer
    if isinstance(declared, str):
        declared = replies[declared].status if declared in replies else _OK
        declared = _OK if declared == _NOT_MODIFIED else declared
    return Answer(value, shown, declared, headers_of(plan.nodes, replies), replies=replies)


def invalidated(plan: Plan, scope: Scope, outcomes: Mapping[str, Outcome]) -> frozenset[str]:
    """The keys of the cache tags to invalidate, once any request was sent, even if it failed.

    A failed write may still have had an effect. A tag without a value matches no entry.
    """
    if not plan.invalidates or all(outcome.started is None for outcome in outcomes.values()):
        return frozenset()
    found: set[str] = set()
    for template in plan.invalidates:
        with suppress(Unfillable):
            found |= tag_keys((template,), scope)
    return frozenset(found)


def headers_of(names: Iterable[str], replies: Mapping[str, ReplyHead]) -> Headers:
    """The reply headers that go on to the client; of the same header of two calls, the first."""
    respond: dict[str, str] = {}
    for name in names:
        if name in replies:
            respond = {**replies[name].respond, **respond}
    return tuple(respond.items())


def _has_value(outcome: Outcome) -> bool:
    """True if a call has a value; a call with `each`, for at least one of its items."""
    return outcome.kind in {"ok", "stale"} or outcome.failed < outcome.of


def require_any_failure(plan: Plan, outcomes: Mapping[str, Outcome]) -> Failure | None:
    """The failure of a view all of whose `require_any` calls have failed; None otherwise."""
    wanted = plan.require_any
    if any(name not in outcomes or _has_value(outcomes[name]) for name in wanted):
        return None
    reason = outcomes[wanted[0]].reason
    error = TimedOut if reason == TimedOut.reason else UpstreamError
    return Failure(error.status, call=wanted[0], reason=reason)
