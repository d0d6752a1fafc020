"""Access events: one for each answered request, with its trace context (W3C)."""

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
from bff.upstream.batch_exchange import BATCH_STARTED
from bff.upstream.exchange import Clock
from bff.web.request_checks import ANY_HOST

TRACE: Final = "bff.trace"  # in the environ of a request of a batch: the trace of the batch
Sampler = Callable[[Trace], bool]
_RELAY: Final = "relay."
_Names = tuple[str, str, str]


@dataclass(slots=True)
class RequestRecord:
    """The record of a request while it is handled; views and relays add to it.

    Args:
        begun: its start, on the conductor's clock.
        outcomes: of its calls, by name.
        cache: the result of the cache; see `Answered.cache`.
        late: whether the view's deadline was exceeded.
        at_the_end: whether the event is emitted when the response body has ended.
    """

    begun: float
    trace: Trace
    outcomes: Mapping[str, Outcome] = field(default_factory=dict)
    cache: str = ""
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
        A function that returns the number of requests in progress.
    """
    trusted = {name for name, frontend in frontends.items() if frontend.trust_traceparent}
    # Threads with a request in progress. A set, and not a counter: a thread whose response was
    # never closed is counted right again with its next request.
    busy: set[int] = set()
    names: dict[str | None, _Names] = {}

    def begin() -> None:
        http_request = request_ctx.request  # once, as each access through the proxy costs time
        batch_begun = http_request.environ.get(BATCH_STARTED)
        if batch_begun is None:
            busy.add(get_ident())
        trace = _trace(http_request, trusted, sampler)
        g.record = RequestRecord(batch_begun or clock.now(), trace)

    def end(response: Response) -> Response:
        http_request, context = request_ctx.request, app_ctx.g
        if BATCH_STARTED not in http_request.environ:
            response.call_on_close(lambda: busy.discard(get_ident()))
        if http_request.path in ANY_HOST:  # no events for the frequent health checks
            return response
        known = names.get(http_request.endpoint)
        if known is None:
            known = names[http_request.endpoint] = _names(http_request)
        record: RequestRecord = context.record
        event = Answered(
            context.request_id,
            known[0],
            known[1],
            response.status_code,
            clock.now() - record.begun,
            record.outcomes,
            record.cache,
            http_request.method,
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


def _names(http_request: Request) -> _Names:
    """The frontend, the view or relay, and the route; the first two are empty for sign-in."""
    rule = http_request.url_rule
    route = rule.rule.replace("<", "{").replace(">", "}") if rule else ""
    frontend, dot, view = (http_request.endpoint or "").partition(".")
    return (frontend, view.removeprefix(_RELAY), route) if dot else ("", "", route)


def _trace(http_request: Request, trusted: Collection[str], sampler: Sampler | None) -> Trace:
    """The trace of a request: below that of its batch, continued from a trusted client, or new."""
    batch: Trace | None = http_request.environ.get(TRACE)
    if batch:
        return batch.below()
    if trusted and (http_request.endpoint or "").partition(".")[0] in trusted:
        headers = http_request.headers
        trace = continued(headers.get("Traceparent", ""), headers.get("Tracestate", ""))
    else:
        trace = begun()
    return replace(trace, sampled=sampler(trace)) if sampler else trace
