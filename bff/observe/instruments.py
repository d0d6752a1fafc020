"""The definitions of all metrics: name, kind, help text and labels.

Names, units and buckets of request durations follow OpenTelemetry's semantic conventions for HTTP,
as Prometheus writes them. The values of labels are declared or fixed, never taken from a request:
their number is bounded.
"""

from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import urlsplit

BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)


@dataclass(frozen=True, slots=True, eq=False)
class Instrument:
    """One metric; compared by identity, so that it is a fast key.

    Args:
        kind: of a `gauge`, the values of all processes are summed; of `most`, the largest is used.
        says: the help text.
    """

    name: str
    kind: Literal["counter", "histogram", "gauge", "most"]
    says: str
    labels: tuple[str, ...] = ()


# A metric, its labels, and a value: of gauges the current one, of counters the total so far.
Measurement = tuple[Instrument, tuple[str, ...], float]

SERVED: Final = Instrument(
    "http_server_request_duration_seconds",
    "histogram",
    "Duration of requests of clients, in seconds.",
    ("frontend", "view", "http_route", "http_request_method", "http_response_status_code"),
)
SENT: Final = Instrument(
    "http_client_request_duration_seconds",
    "histogram",
    "Duration of requests to services, in seconds; attempt is why it was sent.",
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
    "Cache look-ups of views and calls, by result: hit, stale, error, miss, collapsed.",
    ("frontend", "view", "call", "result"),
)
LATE: Final = Instrument(
    "bff_deadlines_missed_total",
    "counter",
    "Responses of views whose deadline was exceeded.",
    ("frontend", "view"),
)
CHANGES: Final = Instrument(
    "bff_address_changes_total",
    "counter",
    "State changes of the circuit breaker of a service's address, and outlier ejections.",
    ("service", "address", "state"),
)
SESSIONS: Final = Instrument(
    "bff_session_events_total",
    "counter",
    "Sign-ins, sign-outs, and refused requests.",
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
    "Unexpected exceptions; part is what failed.",
    ("part", "error"),
)
BUDGET: Final = Instrument(
    "bff_budget_refused_total",
    "counter",
    "Retries and hedges refused by the retry budget of the service.",
    ("service",),
)
EVICTED: Final = Instrument(
    "bff_cache_evicted_total", "counter", "Cache entries evicted from memory."
)
INVALIDATED: Final = Instrument("bff_cache_invalidated_total", "counter", "Invalidated cache tags.")
ACTIVE: Final = Instrument(
    "http_server_active_requests", "gauge", "Requests of clients in progress."
)
THREADS: Final = Instrument("bff_threads", "gauge", "Request threads, of all processes.")
READING: Final = Instrument(
    "bff_threads_reading",
    "gauge",
    "Request threads that wait for bytes of a request: of its head or body.",
    ("part",),
)
WORKERS_ENDED: Final = Instrument(
    "bff_workers_ended_total",
    "counter",
    "Unexpected exits of workers: by a signal, gunicorn's time-out, or an exit code.",
    ("reason",),
)
PLACES: Final = Instrument(
    "bff_service_places", "gauge", "Concurrency limit of a service.", ("service",)
)
TAKEN: Final = Instrument(
    "bff_service_places_taken", "gauge", "Requests to a service in progress.", ("service",)
)
WAITING: Final = Instrument(
    "bff_service_waiting",
    "gauge",
    "Requests queued by the concurrency limit of their service.",
    ("service",),
)
ADDRESS: Final = Instrument(
    "bff_address_state",
    "gauge",
    "Processes for which an address is in a state: open, half_open, ejected.",
    ("service", "address", "state"),
)
POOL: Final = Instrument(
    "bff_pool_threads", "gauge", "Threads of the pool for requests to services."
)
POOL_BUSY: Final = Instrument(
    "bff_pool_threads_busy", "gauge", "Threads of the pool that carry a request."
)
POOL_WAITING: Final = Instrument(
    "bff_pool_waiting", "gauge", "Requests to services queued for a thread of the pool."
)
CACHE_BYTES: Final = Instrument(
    "bff_cache_bytes", "gauge", "Size of the cache in memory, in bytes."
)
CACHE_BOUND: Final = Instrument(
    "bff_cache_bound_bytes", "gauge", "Limit of the cache in memory, in bytes."
)
CACHE_AWAY: Final = Instrument(
    "bff_cache_store_away", "gauge", "Processes that cannot reach the shared cache store."
)
SESSIONS_AWAY: Final = Instrument(
    "bff_session_store_away",
    "gauge",
    "Processes that cannot reach the session store.",
)
MEMORY: Final = Instrument(
    "bff_memory_bytes", "gauge", "Memory limit for replies and values made of them, in bytes."
)
MEMORY_TAKEN: Final = Instrument(
    "bff_memory_taken_bytes", "gauge", "Memory used by replies and values made of them, in bytes."
)
MEMORY_REFUSED: Final = Instrument(
    "bff_memory_refused_total", "counter", "Replies refused by the memory limit."
)
REFUSED: Final = Instrument(
    "bff_configuration_refused", "most", "1 if the last reload of the configuration was refused."
)

INSTRUMENTS: Final = (
    *(SERVED, SENT, CALLS, LOOKED_UP, LATE, CHANGES, SESSIONS, REFRESHES, ERRORS, BUDGET, EVICTED),
    *(INVALIDATED, ACTIVE, THREADS, PLACES, TAKEN, WAITING, ADDRESS, POOL, POOL_BUSY),
    *(POOL_WAITING, CACHE_BYTES, CACHE_BOUND, CACHE_AWAY, REFUSED, READING, WORKERS_ENDED),
    *(MEMORY, MEMORY_TAKEN, MEMORY_REFUSED, SESSIONS_AWAY),
)


def address_of(url: str) -> str:
    """Host and port of a service's address, without credentials."""
    return urlsplit(url).netloc.rpartition("@")[2]
