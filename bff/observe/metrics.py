"""Metrics for Prometheus: what is heard is counted, what changes all the time is looked at.

Under several processes each writes to files of its own, and any of them tells of all. What the app
does is heard event by event; how full it is, a thread looks up every few seconds, so that no
request pays for it.
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
    Unforeseen,
)
from bff.observe.figures import reserve_room, without_room
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
    Level,
    address_of,
)
from bff.observe.shares import VARIABLE, reading

_EVERY: Final = 5.0  # seconds between two looks
_METHODS: Final = frozenset(
    {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE", "QUERY"}
)
_STATUSES: Final = {status.value: str(status.value) for status in HTTPStatus} | {499: "499"}
_FIRST_ERROR: Final = 400

reserve_room()


class Metrics:
    """The figures of this process, and the text of those of all.

    Files and a thread are opened by the first event, so one may be made before a fork.

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
        self._look: Callable[[], Iterable[Level]] = tuple
        self._looking = 0  # the process whose thread looks; after a fork there is none
        self._hears: Mapping[type, Callable[[Any], None]] = {
            Answered: self._answered,
            Attempted: self._attempted,
            AddressChanged: self._changed,
            Audited: self._audited,
            Refreshed: self._refreshed,
            Unforeseen: self._unforeseen,
        }
        disable_created_metrics()

    def hear(self, event: Event) -> None:
        """Observe."""
        if self._folder and self._looking != os.getpid():
            self._start()
        self._hears[type(event)](event)

    def watch(self, look: Callable[[], Iterable[Level]]) -> None:
        """Have `look` say every few seconds how full everything is."""
        self._look = look

    def without_room(self) -> str:
        """A note where figures are in the memory of this process only; empty where none is."""
        return without_room()

    def text(self) -> bytes:
        """All figures of all processes, in Prometheus' text format."""
        self.note()
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
        if event.kept:
            self._child(LOOKED_UP, (frontend, view, "", event.kept)).inc()
        if event.kept == "collapsed":
            return  # its calls are those of the request that it joined
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

    def _unforeseen(self, event: Unforeseen) -> None:
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
            if self._looking == os.getpid():
                return
            with suppress(RuntimeError):  # no thread: the next event tries again
                name = "bff-metrics"
                Thread(target=_keep_looking, args=(ref(self),), name=name, daemon=True).start()
                self._looking = os.getpid()

    def note(self) -> None:
        """Look up how full everything is."""
        for instrument, labels, level in self._look():
            child = self._child(instrument, labels)
            if instrument.kind == "counter":
                with self._lock:
                    more = level - self._counted.get((instrument, labels), 0.0)
                    self._counted[instrument, labels] = level
                child.inc(max(0.0, more))
            else:
                child.set(level)


def _keep_looking(metrics: "ref[Metrics]") -> None:
    """Look every few seconds, for as long as anything refers to the metrics."""
    while (found := metrics()) is not None:
        found.note()
        del found
        sleep(_EVERY)


def _made(instrument: Instrument, registry: CollectorRegistry) -> Any:
    name, says, labels = instrument.name, instrument.says, instrument.labels
    if instrument.kind == "histogram":
        return Histogram(name, says, labels, buckets=BUCKETS, registry=registry)
    if instrument.kind == "counter":
        return Counter(name, says, labels, registry=registry)
    mode = "livemax" if instrument.kind == "most" else "livesum"
    return Gauge(name, says, labels, multiprocess_mode=mode, registry=registry)  # type: ignore[arg-type] # one of the two


def _status(status: int) -> str:
    """A status as a label: a service may answer a relay whatever it likes."""
    return _STATUSES.get(status) or f"{status // 100}xx"
