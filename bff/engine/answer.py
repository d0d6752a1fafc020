"""The request of a view and its answer: what goes into the conductor, and what comes out."""

import base64
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
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
from bff.model.view import Call
from bff.plan.cache_rule import tag_keys
from bff.plan.compile import CompiledCall
from bff.plan.expression import Scope
from bff.plan.page_links import Position
from bff.plan.plan import Plan
from bff.plan.response_head import LocationTemplate

CANNOT_BE_SENT: Final = "no service can be asked with"
SHAPE: Final = "shape"  # what the shape is called where calls are named, and its reason
_OK: Final = 200
_BAD_REQUEST: Final = 400
_UNAUTHORIZED: Final = 401
_NOT_MODIFIED: Final = 304  # of that call's reply; the view's answer is another


@dataclass(frozen=True, slots=True)
class Cursors:
    """Where the client is in lists that it turns the pages of.

    Args:
        starts: by parameter, what its cursor leads to; nothing for a list from its beginning.
        seal: makes the cursor that goes to the client, for a parameter, of where it leads.
    """

    starts: Mapping[str, Position]
    seal: Callable[[str, Position], str]


@dataclass(frozen=True, slots=True)
class ViewRequest:
    """A client's request to a view.

    Args:
        scope: the values of the reserved root names.
        headers: the client's headers by lower-case name, those that may be forwarded.
        gone: whether the client has gone away; None where that cannot be known.
        key: what the keys of its writes are derived from; empty for no such keys.
        id: of the client's request.
        target: what it asked for: path and query.
        trace: its place in a trace.
        cursors: where the client is in lists; None where the view has none to turn.
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
        """What the requests of a call are made for."""
        view, place = plan.view.name, call.call.place
        names = (plan.frontend, view, call.name)
        return Origin(self.id, self.target, *names, place, self.trace)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a view has no answer: a required call that failed, or a refusal of the view's own.

    Args:
        status: what the client is answered.
        title: the refusal's words; empty for a call.
        reason: the call's, as in its outcome.
        detail: a sentence for the developer of the frontend.
        retry_after: seconds after which asking again may be of use, or what a service said of it
            whose status is passed on; None where it may be at once.
        errors: what of the client's cannot be sent on, as for parameters not as declared.
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
    """What of a call's first reply may go on: its status, and the headers it lets through.

    Args:
        said: the headers of each of its replies, some of which limit caching.
    """

    status: int
    respond: dict[str, str] = field(default_factory=dict)
    said: list[Headers] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a request: a value or a failure, and every call's outcome.

    Args:
        respond: headers of replies that go on to the client, and those that the view computes.
        location: the address that it leads to, not yet checked; empty for none.
        replies: what of each call's replies may go on.
        invalidates: keys of the tags of what is no longer true.
        lease: what the value takes of the process's memory, while anything has the answer.
    """

    value: Any
    outcomes: Mapping[str, Outcome]
    status: int = 200
    respond: Headers = ()
    failure: Failure | None = None
    replies: Mapping[str, ReplyHead] = field(default_factory=dict)
    invalidates: frozenset[str] = frozenset()
    lease: object = field(default=None, compare=False, repr=False)
    location: str = ""


def failure_of(error: BffError, reason: str, call: CompiledCall | None = None) -> Failure:
    """What the error of a call, or of a relay without one, means for the client.

    A status that the call passes on is the client's status, and so is the 401 to the client's own
    credentials. A grant that has ended is no failure of the call: the client signs in again.
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
    """The failure of a view of which the client's values allow no request."""
    names = ", ".join(each.get("parameter") or each.get("pointer", "") for each in errors)
    detail = f"{CANNOT_BE_SENT}: {names}"
    return Failure(_BAD_REQUEST, reason=Unfillable.reason, detail=detail, errors=tuple(errors))


def answer_of(
    plan: Plan, scope: Scope, outcomes: Mapping[str, Outcome], replies: Mapping[str, ReplyHead]
) -> Answer:
    """Shape what came; headers of replies go on in the order declared."""
    told, head = dict(outcomes), plan.shape.head
    value, faults = plan.shape.fill(scope)
    respond = headers_of(plan.nodes, replies)
    if head:
        own, more = head.headers_in(scope)
        respond = tuple({**dict(respond), **own}.items())
        faults += more
    if faults:
        of, detail = len(plan.shape.leaves), "; ".join(faults)
        told[SHAPE] = Outcome("failed", SHAPE, failed=len(faults), of=of, detail=detail)
    declared = plan.view.answer
    if isinstance(declared, str):
        declared = replies[declared].status if declared in replies else _OK
        declared = _OK if declared == _NOT_MODIFIED else declared
    answer = Answer(value, told, declared, respond, replies=replies)
    if plan.verbatim:
        answer = _verbatim(answer, plan.verbatim)
    return _leading(answer, head.location, scope) if head and head.location else answer


def _verbatim(answer: Answer, call: Call) -> Answer:
    """The answer with the text or bytes of a call as its value, or the failure without them.

    A null of a call that succeeded is an empty body.
    """
    value = answer.value
    if value is None and answer.outcomes[call.name].kind in {"ok", "stale"}:
        value = ""
    body = _bytes_of(value, call)
    if body is not None:
        return replace(answer, value=body)
    why = f"the value of `{call.name}` is no {call.decode}"
    return _without_shape(answer, why, "there is no text and no bytes to answer with")


def _bytes_of(value: Any, call: Call) -> bytes | None:
    if not isinstance(value, str):
        return None
    try:
        return base64.b64decode(value, validate=True) if call.decode == "bytes" else value.encode()
    except ValueError:  # a fallback may be any text
        return None


def _leading(answer: Answer, location: LocationTemplate, scope: Scope) -> Answer:
    if answer.failure:
        return answer
    try:
        return replace(answer, location=location.fill(scope))
    except Unfillable as fault:
        return without_location(answer, str(fault))


def without_location(answer: Answer, why: str) -> Answer:
    """The failure in place of an answer whose location is none.

    Args:
        why: for the log.
    """
    return _without_shape(answer, why, "the location of the answer is no address of this site")


def _without_shape(answer: Answer, why: str, detail: str) -> Answer:
    told = {**answer.outcomes, SHAPE: Outcome("failed", SHAPE, failed=1, of=1, detail=why)}
    failure = Failure(UpstreamError.status, call=SHAPE, reason=SHAPE, detail=detail)
    return replace(answer, value=None, outcomes=told, respond=(), failure=failure, location="")


def invalidated(plan: Plan, scope: Scope, outcomes: Mapping[str, Outcome]) -> frozenset[str]:
    """The tags of what may be no longer true, now that something was sent: whatever came of it.

    A tag without a value is of nothing.
    """
    if not plan.invalidates or all(each.started is None for each in outcomes.values()):
        return frozenset()
    found: set[str] = set()
    for template in plan.invalidates:
        with suppress(Unfillable):
            found |= tag_keys((template,), scope)
    return frozenset(found)


def headers_of(names: Iterable[str], replies: Mapping[str, ReplyHead]) -> Headers:
    """The headers that go on to the client; of two calls that have one, the first's."""
    respond: dict[str, str] = {}
    for name in names:
        if name in replies:
            respond = {**replies[name].respond, **respond}
    return tuple(respond.items())


def _came(outcome: Outcome) -> bool:
    """Whether a call brought something; a repeated one, for some of its items."""
    return outcome.kind in {"ok", "stale"} or outcome.failed < outcome.of


def none_came(plan: Plan, outcomes: Mapping[str, Outcome]) -> Failure | None:
    """The failure of a view none of whose `require_any` came; None while one may, or has."""
    wanted = plan.require_any
    if any(name not in outcomes or _came(outcomes[name]) for name in wanted):
        return None
    reason = outcomes[wanted[0]].reason
    error = TimedOut if reason == TimedOut.reason else UpstreamError
    return Failure(error.status, call=wanted[0], reason=reason)
