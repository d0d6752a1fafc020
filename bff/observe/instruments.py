"""The metrics, one by one: what each is called, what it says, and by which labels.

Names, units and buckets of requests are those of OpenTelemetry's semantic conventions for HTTP, as
Prometheus writes them. Every label's values are declared, or words of ours: nothing that a client
can invent is one.
"""

from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import urlsplit

BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)


@dataclass(frozen=True, slots=True, eq=False)
class Instrument:
    """One metric; there is one value of each, so that it is quickly found by.

    Args:
        kind: a gauge's values of all processes are added up; of one that is `most`, the largest.
    """

    name: str
    kind: Literal["counter", "histogram", "gauge", "most"]
    says: str
    labels: tuple[str, ...] = ()


# What is looked at: of gauges how it is, of counters how much it is by now.
Level = tuple[Instrument, tuple[str, ...], float]

SERVED: Final = Instrument(
    "http_server_request_duration_seconds",
    "histogram",
    "Seconds that answering a request took.",
    ("frontend", "view", "http_route", "http_request_method", "http_response_status_code"),
)
SENT: Final = Instrument(
    "http_client_request_duration_seconds",
    "histogram",
    "Seconds that a request to a service took; attempt says why it was sent.",
    (
        "service",
        "http_request_method",
        "http_response_status_code",
        "error_type",
        "attempt",
    ),
)
CALLS: Final = Instrument(
    "bff_calls_total",
    "counter",
    "Calls of answered views, by outcome.",
    ("frontend", "view", "call", "service", "outcome", "reason"),
)
LOOKED_UP: Final = Instrument(
    "bff_cache_requests_total",
    "counter",
    "Cache look-ups of views and of calls: hit, stale, error, miss, collapsed.",
    ("frontend", "view", "call", "result"),
)
LATE: Final = Instrument(
    "bff_deadlines_missed_total",
    "counter",
    "Views that were answered only when their deadline had come.",
    ("frontend", "view"),
)
CHANGES: Final = Instrument(
    "bff_address_changes_total",
    "counter",
    "State changes of a service address: circuit breaker and ejection.",
    ("service", "address", "state"),
)
SESSIONS: Final = Instrument(
    "bff_session_events_total",
    "counter",
    "Sign-ins, sign-outs and refusals.",
    ("event", "provider", "reason"),
)
REFRESHES: Final = Instrument(
    "bff_token_refreshes_total",
    "counter",
    "Refreshes of sessions' tokens at their provider.",
    ("provider", "outcome"),
)
ERRORS: Final = Instrument(
    "bff_internal_errors_total",
    "counter",
    "Exceptions that no code expects; part says what each of them ended.",
    ("part", "error"),
)
BUDGET: Final = Instrument(
    "bff_budget_refused_total",
    "counter",
    "Retries and hedges that the service's budget did not allow.",
    ("service",),
)
EVICTED: Final = Instrument(
    "bff_cache_evicted_total", "counter", "Entries that were evicted from memory."
)
INVALIDATED: Final = Instrument(
    "bff_cache_invalidated_total", "counter", "Tags that were invalidated."
)
ACTIVE: Final = Instrument(
    "http_server_active_requests", "gauge", "Requests that are being answered."
)
THREADS: Final = Instrument("bff_threads", "gauge", "Requests that can be answered at once.")
READING: Final = Instrument(
    "bff_threads_reading",
    "gauge",
    "Request threads that wait for bytes of a request: of its head, or of its body.",
    ("part",),
)
WORKERS_ENDED: Final = Instrument(
    "bff_workers_ended_total",
    "counter",
    "Workers that ended unexpectedly: killed by a signal, stopped as stuck, or with an error.",
    ("reason",),
)
PLACES: Final = Instrument(
    "bff_service_places", "gauge", "Concurrency limit of a service.", ("service",)
)
TAKEN: Final = Instrument(
    "bff_service_places_taken", "gauge", "Requests to a service that are in flight.", ("service",)
)
WAITING: Final = Instrument(
    "bff_service_waiting", "gauge", "Requests that wait for a slot of their service.", ("service",)
)
ADDRESS: Final = Instrument(
    "bff_address_state",
    "gauge",
    "Processes for which an address is in a state: open, half_open, ejected.",
    ("service", "address", "state"),
)
POOL: Final = Instrument(
    "bff_pool_threads", "gauge", "Threads of the pool that sends requests to services."
)
POOL_BUSY: Final = Instrument(
    "bff_pool_threads_busy", "gauge", "Threads of that pool that are busy."
)
POOL_WAITING: Final = Instrument(
    "bff_pool_waiting", "gauge", "Requests to services that wait for a thread."
)
CACHE_BYTES: Final = Instrument("bff_cache_bytes", "gauge", "Bytes of cached entries in memory.")
CACHE_BOUND: Final = Instrument(
    "bff_cache_bound_bytes", "gauge", "Bytes that cached entries may take in memory."
)
CACHE_AWAY: Final = Instrument(
    "bff_cache_store_away", "gauge", "Processes that cannot use the cache's shared store."
)
SESSIONS_AWAY: Final = Instrument(
    "bff_session_store_away",
    "gauge",
    "Processes that cannot read and write sessions.",
)
MEMORY: Final = Instrument(
    "bff_memory_bytes", "gauge", "Bytes that replies and their values may take."
)
MEMORY_TAKEN: Final = Instrument(
    "bff_memory_taken_bytes", "gauge", "Bytes that replies and their values take."
)
MEMORY_REFUSED: Final = Instrument(
    "bff_memory_refused_total", "counter", "Replies that exceeded a process's memory budget."
)
REFUSED: Final = Instrument(
    "bff_configuration_refused", "most", "1 if the last reload was refused."
)

INSTRUMENTS: Final = (
    *(SERVED, SENT, CALLS, LOOKED_UP, LATE, CHANGES, SESSIONS, REFRESHES, ERRORS, BUDGET, EVICTED),
    *(INVALIDATED, ACTIVE, THREADS, PLACES, TAKEN, WAITING, ADDRESS, POOL, POOL_BUSY),
    *(POOL_WAITING, CACHE_BYTES, CACHE_BOUND, CACHE_AWAY, REFUSED, READING, WORKERS_ENDED),
    *(MEMORY, MEMORY_TAKEN, MEMORY_REFUSED, SESSIONS_AWAY),
)


def address_of(url: str) -> str:
    """Host and port of a service's address, without what may be secret in it."""
    return urlsplit(url).netloc.rpartition("@")[2]
