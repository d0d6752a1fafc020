"""Metrics for Prometheus: counters from events, gauges sampled by a background thread.

With several processes each writes files of its own (prometheus_client's multiprocess mode), and any
of them serves the sum. Gauges are sampled every five seconds, so that requests do not pay for them.
"""

import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path
from threading import Lock, Thread
from time import sleep
from typing import Any, Final
from weakref import ref

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector

from bff.observe.events import (
    AddressChanged,
    Answered,
    Attempted,
    Audited,
    Event,
    Refreshed,
    UnexpectedError,
)
from bff.observe.instruments import (
    BUCKETS,
    CALLS,
    CHANGES,
    ERRORS,
    LATE,
    LOOKED_UP,
    REFRESHES,
    SENT,
    SERVED,
    SESSIONS,
    Instrument,
    Measurement,
    address_of,
)
from bff.observe.multiprocess import VARIABLE, reading
from bff.observe.reserved_mmap import reserve_room, without_disk_space

_SAMPLE_EVERY: Final = 5.0  # seconds
_METHODS: Final = frozenset(
    {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE", "QUERY"}
)
_STATUSES: Final = {status.value: str(status.value) for status in HTTPStatus} | {499: "499"}
_FIRST_ERROR: Final = 400

reserve_room()


class Metrics:
    """The metrics of this process, and the exposition text of all processes.

    Files and a thread are opened by the first event, so an instance may be made before a fork.

    Args:
        services: of each call, by frontend, view and name.
    """

    def __init__(self, services: Mapping[tuple[str, str, str], str]) -> None:
        self._services = services
        self._folder = os.environ.get(VARIABLE, "")
        self._registry = CollectorRegistry()
        self._lock = Lock()
        self._families: dict[Instrument, Any] = {}
        self._children: dict[tuple[Instrument, tuple[str, ...]], Any] = {}
        self._counted: dict[tuple[Instrument, tuple[str, ...]], float] = {}
        self._measure: Callable[[], Iterable[Measurement]] = tuple
        self._sampling = 0  # the process whose thread samples; after a fork there is none
        self._handlers: Mapping[type, Callable[[Any], None]] = {
            Answered: self._answered,
            Attempted: self._attempted,
            AddressChanged: self._changed,
            Audited: self._audited,
            Refreshed: self._refreshed,
            UnexpectedError: self._unforeseen,
        }
        disable_created_metrics()

    def observe(self, event: Event) -> None:
        """Count an event."""
        if self._folder and self._sampling != os.getpid():
            self._start()
        self._handlers[type(event)](event)

    def watch(self, measure: Callable[[], Iterable[Measurement]]) -> None:
        """Set the function that measures the gauges, called every five seconds."""
        self._measure = measure

    def without_disk_space(self) -> str:
        """A note if some metrics are of this process only; else empty."""
        return without_disk_space()

    def text(self) -> bytes:
        """The metrics of all processes, in Prometheus' text format."""
        self.sample()
        if not self._folder:
            return generate_latest(self._registry)
        registry = CollectorRegistry()
        MultiProcessCollector(registry, self._folder)
        with reading(Path(self._folder)):
            return generate_latest(registry)

    def _answered(self, event: Answered) -> None:
        frontend, view = event.frontend, event.view
        method = event.method if event.method in _METHODS else "_OTHER"
        labels = (frontend, view, event.route, method, _status(event.status))
        self._child(SERVED, labels).observe(event.took)
        if event.late:
            self._child(LATE, (frontend, view)).inc()
        if event.cache:
            self._child(LOOKED_UP, (frontend, view, "", event.cache)).inc()
        if event.cache == "collapsed":
            return  # its calls are counted by the request that it was collapsed with
        for call, outcome in event.outcomes.items():
            service = self._services.get((frontend, view, call), "")
            names = (frontend, view, call, service, outcome.kind, outcome.reason)
            self._child(CALLS, names).inc()
            if outcome.freshness:
                self._child(LOOKED_UP, (frontend, view, call, outcome.freshness.word)).inc()

    def _attempted(self, event: Attempted) -> None:
        status = "" if event.status is None else _status(event.status)
        failed = event.status is not None and event.status >= _FIRST_ERROR
        error = status if failed else event.reason
        self._child(SENT, (event.service, event.method, status, error, event.why)).observe(
            event.took
        )

    def _changed(self, event: AddressChanged) -> None:
        self._child(CHANGES, (event.service, address_of(event.url), event.state)).inc()

    def _audited(self, event: Audited) -> None:
        self._child(SESSIONS, (event.what, event.provider, event.reason)).inc()

    def _refreshed(self, event: Refreshed) -> None:
        self._child(REFRESHES, (event.provider, event.outcome)).inc()

    def _unforeseen(self, event: UnexpectedError) -> None:
        self._child(ERRORS, (event.part, type(event.error).__name__)).inc()

    def _child(self, instrument: Instrument, labels: tuple[str, ...]) -> Any:
        child = self._children.get((instrument, labels))
        return child if child is not None else self._opened(instrument, labels)

    def _opened(self, instrument: Instrument, labels: tuple[str, ...]) -> Any:
        with self._lock:
            family = self._families.get(instrument)
            if family is None:
                family = self._families[instrument] = _made(instrument, self._registry)
            child = family.labels(*labels) if labels else family
            self._children[instrument, labels] = child
            return child

    def _start(self) -> None:
        with self._lock:
            if self._sampling == os.getpid():
                return
            with suppress(RuntimeError):  # no thread can be started: the next event tries again
                name = "bff-metrics"
                Thread(target=_sample_forever, args=(ref(self),), name=name, daemon=True).start()
                self._sampling = os.getpid()

    def sample(self) -> None:
        """Measure the gauges, and the counters that others count."""
        for instrument, labels, level in self._measure():
            child = self._child(instrument, labels)
            if instrument.kind == "counter":
                with self._lock:
                    more = level - self._counted.get((instrument, labels), 0.0)
                    self._counted[instrument, labels] = level
                child.inc(max(0.0, more))
            else:
                child.set(level)


def _sample_forever(metrics: "ref[Metrics]") -> None:
    """Sample every five seconds, as long as the metrics are referenced."""
    while (found := metrics()) is not None:
        found.sample()
        del found
        sleep(_SAMPLE_EVERY)


def _made(instrument: Instrument, registry: CollectorRegistry) -> Any:
    name, says, labels = instrument.name, instrument.says, instrument.labels
    if instrument.kind == "histogram":
        return Histogram(name, says, labels, buckets=BUCKETS, registry=registry)
    if instrument.kind == "counter":
        return Counter(name, says, labels, registry=registry)
    mode = "livemax" if instrument.kind == "most" else "livesum"
    return Gauge(name, says, labels, multiprocess_mode=mode, registry=registry)  # type: ignore[arg-type] # one of the two


def _status(status: int) -> str:
    """A status as a label: an unknown one of a relayed service becomes `5xx`."""
    return _STATUSES.get(status) or f"{status // 100}xx"
