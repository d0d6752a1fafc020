"""An event for each request that was answered, and the place of the request in a trace."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from threading import get_ident
from typing import Final

from flask import Flask, Request, Response, g
from flask.globals import app_ctx, request_ctx

from bff.model.exchange import Outcome
from bff.model.frontend import Frontend
from bff.model.trace import Trace, begun, continued
from bff.observe.events import Answered, Observer
from bff.upstream.exchange import Clock
from bff.upstream.sharing import BEGUN
from bff.web.request_checks import ANY_HOST

TRACE: Final = "bff.trace"  # in the environ of a request of a batch: the trace of the batch
Sampler = Callable[[Trace], bool]
_RELAY: Final = "relay."
_Names = tuple[str, str, str]


@dataclass(slots=True)
class RequestRecord:
    """The record of a request while it is handled; views and relays add to it.

    Args:
        begun: when it began, on the conductor's clock.
        kept: what the cache did, as in the access log.
        late: whether it was answered after the view's deadline.
        at_the_end: whether the event is emitted when the response body has ended.
    """

    begun: float
    trace: Trace
    outcomes: Mapping[str, Outcome] = field(default_factory=dict)
    kept: str = ""
    late: bool = False
    at_the_end: bool = False


def emit_access_events(
    app: Flask,
    clock: Clock,
    observer: Observer,
    frontends: Mapping[str, Frontend],
    sampler: Sampler | None = None,
) -> Callable[[], int]:
    """Set `g.record` for each request, and emit an event once it is answered.

    Args:
        frontends: those with `trust_traceparent` continue the traces of their clients.
        sampler: whether a trace is recorded; None to record none.

    Returns:
        A function that counts the requests that are being answered.
    """
    trusted = {name for name, each in frontends.items() if each.trust_traceparent}
    busy: set[int] = set()  # threads; one that could not say that it has ended says it next time
    names: dict[str | None, _Names] = {}

    def begin() -> None:
        asked = request_ctx.request  # once: going through the proxy each time is not for nothing
        part_of = asked.environ.get(BEGUN)
        if part_of is None:
            busy.add(get_ident())
        g.record = RequestRecord(part_of or clock.now(), _trace(asked, trusted, sampler))

    def end(response: Response) -> Response:
        asked, kept = request_ctx.request, app_ctx.g
        if BEGUN not in asked.environ:
            response.call_on_close(lambda: busy.discard(get_ident()))
        if asked.path in ANY_HOST:  # whether it is alive is asked all the time
            return response
        known = names.get(asked.endpoint)
        if known is None:
            known = names[asked.endpoint] = _names(asked)
        record: RequestRecord = kept.record
        event = Answered(
            kept.request_id,
            known[0],
            known[1],
            response.status_code,
            clock.now() - record.begun,
            record.outcomes,
            record.kept,
            asked.method,
            known[2],
            record.late,
            record.trace,
        )
        if record.at_the_end:
            response.call_on_close(
                lambda: observer(replace(event, took=clock.now() - record.begun))
            )
        else:
            observer(event)
        return response

    app.before_request(begin)
    app.after_request(end)
    return lambda: len(busy)


def _names(asked: Request) -> _Names:
    """The frontend, the view or relay, and the route; what is of sign-in is of no frontend."""
    rule = asked.url_rule
    route = rule.rule.replace("<", "{").replace(">", "}") if rule else ""
    frontend, dot, view = (asked.endpoint or "").partition(".")
    return (frontend, view.removeprefix(_RELAY), route) if dot else ("", "", route)


def _trace(asked: Request, trusted: Collection[str], sampler: Sampler | None) -> Trace:
    whole: Trace | None = asked.environ.get(TRACE)
    if whole:
        return whole.below()
    if trusted and (asked.endpoint or "").partition(".")[0] in trusted:
        headers = asked.headers
        trace = continued(headers.get("Traceparent", ""), headers.get("Tracestate", ""))
    else:
        trace = begun()
    return replace(trace, sampled=sampler(trace)) if sampler else trace
