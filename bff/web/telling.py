"""Telling observers of every request once it is answered, and where each stands in a trace."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from threading import get_ident
from typing import Final

from flask import Flask, Response, g, request

from bff.model.exchange import Outcome
from bff.model.trace import Trace, begun, continued
from bff.model.view import Frontend
from bff.observe.events import Answered, Observer
from bff.upstream.exchange import Clock
from bff.web.batch import BEGUN, TRACE
from bff.web.gate import ANY_HOST

Sampler = Callable[[Trace], bool]
_RELAY: Final = "relay."


@dataclass(slots=True)
class Told:
    """What a view or a relay has to say of its answer.

    Args:
        late: whether the view's deadline had come before it was answered.
        at_the_end: whether all of it is known only when its body has ended.
    """

    outcomes: Mapping[str, Outcome] = field(default_factory=dict)
    kept: str = ""
    late: bool = False
    at_the_end: bool = False


def tell_answers(
    app: Flask,
    clock: Clock,
    observer: Observer,
    frontends: Mapping[str, Frontend],
    sampler: Sampler | None = None,
) -> Callable[[], int]:
    """Have `g.trace` and `g.told` for each request; it is told of when all else is done.

    Args:
        frontends: some say that the traces of their clients are continued.
        sampler: whether a trace is recorded; None where none is.

    Returns:
        What says how many requests are being answered.
    """
    trusted = {name for name, each in frontends.items() if each.trust_traceparent}
    busy: set[int] = set()  # threads; one that could not say that it has ended says it next time

    def begin() -> None:
        part_of = request.environ.get(BEGUN)
        if part_of is None:
            busy.add(get_ident())
        g.begun = part_of or clock.now()
        g.told = Told()
        g.trace = _trace(trusted, sampler)

    def end(response: Response) -> Response:
        if BEGUN not in request.environ:
            response.call_on_close(lambda: busy.discard(get_ident()))
        if request.path in ANY_HOST:  # whether it is alive is asked all the time
            return response
        told: Told = g.told
        frontend, _, view = _names(request.endpoint)
        rule = request.url_rule
        event = Answered(
            id=g.request_id,
            frontend=frontend,
            view=view.removeprefix(_RELAY),
            status=response.status_code,
            took=clock.now() - g.begun,
            outcomes=told.outcomes,
            kept=told.kept,
            method=request.method,
            route=rule.rule.replace("<", "{").replace(">", "}") if rule else "",
            late=told.late,
            trace=g.trace,
        )
        if told.at_the_end:
            start: float = g.begun
            response.call_on_close(lambda: observer(replace(event, took=clock.now() - start)))
        else:
            observer(event)
        return response

    app.before_request(begin)
    app.after_request(end)
    return lambda: len(busy)


def _names(endpoint: str | None) -> tuple[str, str, str]:
    """The frontend and the view of an endpoint; those of sign-in are of none."""
    return endpoint.partition(".") if endpoint and "." in endpoint else ("", "", "")


def _trace(trusted: Collection[str], sampler: Sampler | None) -> Trace:
    whole: Trace | None = request.environ.get(TRACE)
    if whole:
        return whole.below()
    trace = None
    if trusted and _names(request.endpoint)[0] in trusted:
        headers = request.headers
        trace = continued(headers.get("Traceparent", ""), headers.get("Tracestate", ""))
    trace = trace or begun()
    if sampler is None:
        return trace
    return replace(trace, sampled=sampler(trace))
