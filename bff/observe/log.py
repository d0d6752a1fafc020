"""The log: one JSON object per line, with names, outcomes and times, without personal data."""

import json
import logging
import re
import sys
import time
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final

import orjson

from bff.model.exchange import Outcome
from bff.observe.events import AddressChanged, Answered, Audited, Event, Refreshed, WorkerEnded
from bff.observe.writer import Writer

logger: Final = logging.getLogger("bff")
_MAX_FRAMES: Final = 30
_QUOTED: Final = re.compile(r"""(b?['"]|\?).*""", re.DOTALL)  # from a quote or a query on
_OWN: Final = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime"}


class JsonFormatter(logging.Formatter):
    """A record and its extra fields as one JSON object."""

    def format(self, record: logging.LogRecord) -> str:
        """The line of a record."""
        content: dict[str, Any] = {
            "timestamp": _second(int(record.created)),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
        }
        content |= {name: each for name, each in record.__dict__.items() if name not in _OWN}
        if record.exc_info and record.exc_info[0]:
            # The location, not the message, which may contain personal data
            content["error"] = record.exc_info[0].__name__
            content["where"] = _frames(record.exc_info[2])
        try:
            return orjson.dumps(content, default=str).decode()
        except TypeError:  # integers above 64 bits, or lone surrogates: orjson refuses them
            return json.dumps(content, default=str)


def log_events(event: Event) -> None:
    """Observe: log the events that have a line."""
    write = _WRITERS.get(type(event))
    if write:
        write(event)


def _answered(answered: Answered) -> None:
    """The access log: one line per response, with the outcomes of its calls."""
    content: dict[str, Any] = {"id": answered.id}
    trace = answered.trace
    if trace:  # field names of OpenTelemetry's "Trace Context in non-OTLP Log Formats"
        content["trace_id"], content["span_id"] = trace.id, trace.span
        content["trace_flags"] = "01" if trace.sampled else "00"
    if answered.view:
        content["frontend"], content["view"] = answered.frontend, answered.view
    else:
        content["route"] = answered.route
    content["method"], content["status"] = answered.method, answered.status
    content["ms"] = round(answered.took * 1000, 1)
    if answered.outcomes:
        content["calls"] = {name: _outcome(each) for name, each in answered.outcomes.items()}
    if answered.cache:
        content["cache"] = answered.cache
    if answered.late:
        content["late"] = True
    if logger.isEnabledFor(logging.INFO):  # logger.info() would look up its caller: a third slower
        name = logger.name
        record = logger.makeRecord(name, logging.INFO, "", 0, "answered", (), None, extra=content)
        logger.handle(record)


def _audited(audited: Audited) -> None:
    """The audit log: sign-ins, sign-outs, refusals, with the session; never a token."""
    content = {name: getattr(audited, name) for name in Audited.__slots__}
    logger.info("audit", extra={name: value for name, value in content.items() if value})


def _changed(changed: AddressChanged) -> None:
    """State changes of the addresses of services."""
    level = logging.INFO if changed.state == "closed" else logging.WARNING
    logger.log(
        level,
        "address %s",
        changed.state,
        extra={"service": changed.service, "url": changed.url, "state": changed.state},
    )


def _refreshed(refreshed: Refreshed) -> None:
    """A refresh that failed since the provider is away; the others are in the audit log."""
    if refreshed.outcome == "away":
        about = {"provider": refreshed.provider}
        about |= {"detail": refreshed.detail} if refreshed.detail else {}
        logger.warning("provider away", extra=about)


def _ended(ended: WorkerEnded) -> None:
    """An unexpected exit of a worker."""
    content = {"worker": ended.process, "reason": ended.reason}
    logger.error("worker ended", extra=content)


_WRITERS: Final[Mapping[type, Callable[[Any], None]]] = {
    Answered: _answered,
    Audited: _audited,
    AddressChanged: _changed,
    Refreshed: _refreshed,
    WorkerEnded: _ended,
}


def log_to_stderr(level: int = logging.INFO) -> None:
    """Write the log, and warnings of libraries, to standard error.

    httpx's own log is silenced below warnings, since it has URLs and headers.
    """
    handler = Writer(sys.stderr)
    handler.setFormatter(JsonFormatter())
    logger.handlers[:] = [handler]
    logger.setLevel(level)
    logger.propagate = False
    root = logging.getLogger()
    if not root.handlers:  # logging.lastResort would write the messages of exceptions
        root.addHandler(handler)
    for noisy in ("httpx", "httpcore"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    logging.getLogger("gunicorn.error").addFilter(redact_requests)


def log_synchronously() -> None:
    """Write the log to standard error without a thread, for a process that forks."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    logger.handlers[:] = [handler]
    logger.setLevel(logging.INFO)
    logger.propagate = False


def redact_requests(record: logging.LogRecord) -> bool:
    """A logging filter for gunicorn: removes quoted parts of requests from its messages.

    gunicorn quotes request lines and headers that it refuses, with authorization codes and cookies.
    Messages of its main thread are unchanged: it handles no requests.
    """
    if record.threadName != "MainThread":
        record.msg, record.args = _QUOTED.sub("...", record.getMessage()), None
        if record.exc_info and record.exc_info[0]:
            names = [record.exc_info[0].__name__, *_frames(record.exc_info[2])]
            record.exc_info, record.exc_text = None, "\n    ".join(names)
    return True


@lru_cache(maxsize=4)
def _second(at: int) -> str:
    """A time in RFC 3339, cached for the lines of the same second."""
    return time.strftime("%Y-%m-%dT%H:%M:%S%z", time.localtime(at))


def _outcome(outcome: Outcome) -> Mapping[str, Any]:
    content: dict[str, Any] = {"outcome": outcome.kind, "ms": round(outcome.took * 1000, 1)}
    content |= {"reason": outcome.reason} if outcome.reason else {}
    return content | ({"detail": outcome.detail} if outcome.detail else {})


def _frames(trace: Any) -> list[str]:
    frames = []
    while trace is not None:
        code = trace.tb_frame.f_code
        frames.append(f"{code.co_filename}:{trace.tb_lineno} {code.co_name}")
        trace = trace.tb_next
    return frames[-_MAX_FRAMES:]
