"""OpenTelemetry spans: one for each view, with a child for each request to a service.

They are made from events when these have ended, and exported by OpenTelemetry's batch processor
(OTLP over HTTP, on a background thread). The standard variables (OTEL_...) configure endpoint and
sampling. Requires the extra `otel`.
"""

import atexit
import os
import time
from collections.abc import Mapping
from threading import Lock
from typing import Any, Final
from urllib.parse import urlsplit

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    TraceState,
    set_span_in_context,
)

from bff.model.exchange import Outcome
from bff.model.trace import Trace, new_span
from bff.observe.events import Answered, Attempted, Event

_SCOPE: Final = InstrumentationScope("bff")
_FIRST_ERROR, _FIRST_SERVER_ERROR = 400, 500
# Reasons of calls that failed before a request was sent
_NEVER_SENT: Final = frozenset({"circuit_open", "limit", "unfillable", "credentials"})
_PORTS: Final = {"http": 80, "https": 443}
_UNSET, _ERROR = Status(StatusCode.UNSET), Status(StatusCode.ERROR)


class Spans:
    """Exports the spans of sampled traces.

    The thread starts with the first span, so an instance may be made before a fork. Remaining spans
    are sent at the end of the process.
    """

    def __init__(self) -> None:
        provider = TracerProvider(shutdown_on_exit=False)  # reads the variables OTEL_...
        self._sampler, self._resource = provider.sampler, provider.resource
        self._lock = Lock()
        self._owner = 0
        self._processor: BatchSpanProcessor | None = None

    def samples(self, trace: Trace) -> bool:
        """Whether a trace is sampled."""
        parent = None
        if trace.parent:
            parent = set_span_in_context(
                NonRecordingSpan(_context(trace, trace.parent, remote=True))
            )
        number = int(trace.id, 16)
        found = self._sampler.should_sample(parent, number, "request", SpanKind.SERVER)
        return bool(found.decision.is_sampled())

    def observe(self, event: Event) -> None:
        """Export the span of an event."""
        if isinstance(event, Answered) and event.trace and event.trace.sampled:
            self._answered(event, event.trace)
        elif isinstance(event, Attempted) and event.origin and event.span:
            trace = event.origin.trace
            if trace and trace.sampled:
                self._attempted(event, trace)

    def close(self) -> None:
        """Send remaining spans, within OTEL_EXPORTER_OTLP_TIMEOUT."""
        processor, self._processor = self._processor, None
        if processor and self._owner == os.getpid():
            processor.shutdown()

    def _answered(self, event: Answered, trace: Trace) -> None:
        end = time.time_ns()
        began = end - int(event.took * 1e9)
        about = {
            "http.request.method": event.method,
            "http.route": event.route,
            "http.response.status_code": event.status,
            "bff.frontend": event.frontend,
            "bff.view": event.view,
            "bff.request_id": event.id,
            "bff.cache": event.cache,
            "bff.late": event.late,
        }
        failed = event.status >= _FIRST_SERVER_ERROR
        about |= {"error.type": str(event.status)} if failed else {}
        name = f"{event.method} {event.route}".strip()
        parent = _context(trace, trace.parent, remote=True) if trace.parent else None
        span = (trace, trace.span, parent, SpanKind.SERVER)
        self._end(name, span, about, (began, end), failed=failed)
        if event.cache == "collapsed":
            return  # its calls are spans of the request that it was collapsed with
        for call, outcome in event.outcomes.items():
            if _was_not_sent(outcome):
                self._unsent(event, trace, call, outcome, began)

    def _unsent(
        self, event: Answered, trace: Trace, call: str, outcome: Outcome, began: int
    ) -> None:
        """The span of a call for which no request was sent."""
        about = {
            "bff.frontend": event.frontend,
            "bff.view": event.view,
            "bff.call": call,
            "bff.outcome": outcome.kind,
            "bff.cache": outcome.freshness.word if outcome.freshness else "",
            "error.type": outcome.reason if outcome.kind != "ok" else "",
        }
        start = began + int((outcome.started or 0.0) * 1e9)
        span = (trace, new_span(), _context(trace, trace.span), SpanKind.INTERNAL)
        failed = outcome.kind in {"failed", "fallback"}
        self._end(call, span, about, (start, start + int(outcome.took * 1e9)), failed=failed)

    def _attempted(self, event: Attempted, trace: Trace) -> None:
        end, address = time.time_ns(), urlsplit(event.url)
        bad = event.status is not None and event.status >= _FIRST_ERROR
        error = str(event.status) if bad else event.reason
        about = {
            "http.request.method": event.method,
            "http.response.status_code": event.status or "",
            "server.address": address.hostname or "",
            "server.port": address.port or _PORTS.get(address.scheme, 0),
            "error.type": error,
            "http.request.resend_count": event.resends or "",
            "bff.service": event.service,
            "bff.attempt": event.why,
        }
        if event.origin:
            about["bff.frontend"] = event.origin.frontend
            about["bff.view"], about["bff.call"] = event.origin.view, event.origin.call
        span = (trace, event.span, _context(trace, trace.span), SpanKind.CLIENT)
        times = (end - int(event.took * 1e9), end)
        name = f"{event.method} {event.service}"
        self._end(name, span, about, times, failed=bool(error))

    def _end(
        self,
        name: str,
        span: tuple[Trace, str, SpanContext | None, SpanKind],
        about: Mapping[str, Any],
        times: tuple[int, int],
        *,
        failed: bool,
    ) -> None:
        trace, own, parent, kind = span
        self._opened().on_end(
            ReadableSpan(
                name,
                context=_context(trace, own),
                parent=parent,
                resource=self._resource,
                attributes={key: each for key, each in about.items() if each != ""},
                kind=kind,
                status=_ERROR if failed else _UNSET,
                start_time=times[0],
                end_time=times[1],
                instrumentation_scope=_SCOPE,
            )
        )

    def _opened(self) -> BatchSpanProcessor:
        if self._processor and self._owner == os.getpid():
            return self._processor
        with self._lock:
            if self._processor is None or self._owner != os.getpid():
                one = {"service.instance.id": f"{os.uname().nodename}:{os.getpid()}"}
                self._resource = self._resource.merge(Resource(one))
                self._processor, self._owner = BatchSpanProcessor(OTLPSpanExporter()), os.getpid()
                atexit.register(self.close)
            return self._processor


def _was_not_sent(outcome: Outcome) -> bool:
    kept = outcome.freshness
    if kept and (kept.hit or kept.collapsed):
        return True
    return outcome.kind != "skipped" and outcome.reason in _NEVER_SENT


def _context(trace: Trace, span: str, *, remote: bool = False) -> SpanContext:
    flags = TraceFlags(trace.sampled)
    state = TraceState.from_header([trace.state]) if trace.state else None
    return SpanContext(int(trace.id, 16), int(span, 16), remote, flags, state)
