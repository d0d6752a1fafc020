"""`POST /{frontend}/_batch`: several views in one round trip, each with its own status.

Each part is dispatched as a request of its own, with the client's headers and with all checks. The
parts start at the same time, so that the batch takes as long as its slowest view; equal requests of
several parts to a service are sent once.
"""

from collections.abc import Iterable, Mapping
from functools import partial
from io import BytesIO
from queue import Empty, SimpleQueue
from typing import Any, Final

import orjson
from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException

from bff.engine.runtime import Runtime
from bff.errors import RequestRefused
from bff.model.frontend import Frontend
from bff.model.view import JSON, View
from bff.plan.plan import Plan
from bff.upstream.batch_exchange import BATCH_STARTED, BatchExchange
from bff.upstream.thread_pool import ThreadPool
from bff.web.access_events import TRACE
from bff.web.errors import refused
from bff.web.json_body import BodyReader
from bff.web.problem import problem
from bff.web.request_checks import REQUEST_ID
from bff.web.text import path_info

EXCHANGE: Final = "bff.exchange"  # in the environ of a part: the exchange that all parts share
PATH: Final = "/_batch"
_MAX_BODY: Final = 64 * 1024
_SLACK: Final = 0.5  # seconds by which a part may be later than its view's time-out
# Keys of the environ of the batch that its parts do not inherit.
_NOT_INHERITED: Final = frozenset(
    {
        "CONTENT_LENGTH",
        "CONTENT_TYPE",
        "HTTP_ACCEPT_ENCODING",
        "HTTP_EXPECT",
        "HTTP_IDEMPOTENCY_KEY",
        "HTTP_IF_MATCH",
        "HTTP_IF_MODIFIED_SINCE",
        "HTTP_IF_NONE_MATCH",
        "HTTP_TRANSFER_ENCODING",
        "gunicorn.socket",
        "werkzeug.request",
        "wsgi.input",
    }
)
# The headers of a part, besides those that its view computes.
_PART_HEADERS: Final = (
    "bff-calls",
    "cache-status",
    "content-language",
    "etag",
    "location",
    "retry-after",
)


def batch_routes(
    app: Flask,
    plans: Mapping[str, Mapping[str, Plan]],
    frontends: Mapping[str, Frontend],
    runtime: Runtime,
    threads: int,
) -> None:
    """Add the route of each frontend that declares `batch`."""
    workers = ThreadPool(threads, "bff-batch")
    deadline_headers = {
        name: service.deadline for name, service in runtime.services.items() if service.deadline
    }
    for name, frontend in frontends.items():
        own = {
            f"{name}.{view}": found[name].view.timeout
            for view, found in plans.items()
            if name in found and _may_be_a_part(found[name].view)
        }
        if frontend.batch:
            views = [found[name].view for found in plans.values() if name in found]
            computed = (header for view in views for header, _ in view.respond)
            headers = tuple(dict.fromkeys((*_PART_HEADERS, *computed)))
            handler = BatchHandler(app, frontend, own, runtime, workers, deadline_headers, headers)
            app.add_url_rule(f"/{name}{PATH}", f"{name}._batch", handler, methods=["POST"])


class BatchHandler:
    """Answers the batches of one frontend.

    Args:
        views: the endpoints that may be parts of a batch, with their time-outs in seconds.
        deadline_headers: by service, the name of the header with the time left for a request. Its
            value differs between otherwise equal requests.
        headers: names of the headers that each part has.
    """

    def __init__(
        self,
        app: Flask,
        frontend: Frontend,
        views: Mapping[str, float],
        runtime: Runtime,
        workers: ThreadPool,
        deadline_headers: Mapping[str, str],
        headers: tuple[str, ...],
    ) -> None:
        self._app, self._frontend, self._views = app, frontend.name, views
        self._runtime, self._clock = runtime, runtime.clock
        self._workers, self._deadline_headers = workers, deadline_headers
        self._headers = headers
        self._body = BodyReader(_schema(frontend.batch), _MAX_BODY)

    def __call__(self) -> Response:
        """The answers of all parts, by name; 404 for an unknown view, 504 for one that is late."""
        begun = self._clock.now()
        try:
            wanted: Mapping[str, str] = self._body.read(request)["requests"]
        except RequestRefused as error:
            return refused(error)
        coalescing = BatchExchange(
            self._runtime.exchange, self._deadline_headers, self._runtime.boundary
        )
        shared = {BATCH_STARTED: begun, TRACE: g.record.trace, EXCHANGE: coalescing}
        environs = {name: self._environ(path) | shared for name, path in wanted.items()}
        times = {name: self._timeout(environ) for name, environ in environs.items()}
        answers: SimpleQueue[tuple[str, Response]] = SimpleQueue()
        known = [name for name, seconds in times.items() if seconds]
        for name in known:
            self._workers.submit(partial(self._answer, name, environs[name], answers))
        found = {name: problem(404) for name in wanted if name not in known}
        until = begun + max(times.values()) + _SLACK
        while len(found) < len(wanted):
            try:
                name, response = answers.get(timeout=max(0.0, until - self._clock.now()))
            except Empty:
                break
            found[name] = response
        late = {
            name: problem(504, "the view did not answer in time") for name in wanted.keys() - found
        }
        return _combined(wanted, {**found, **late}, self._headers)

    def _environ(self, path: str) -> dict[str, Any]:
        """The environ of one part: that of the batch, for another path."""
        place, _, query = path.partition("?")
        inherited = {name: value for name, value in request.environ.items() if _is_inherited(name)}
        return inherited | {
            "REQUEST_METHOD": "GET",
            "PATH_INFO": path_info(f"/{self._frontend}{place}"),
            "QUERY_STRING": query,
            "RAW_URI": f"/{self._frontend}{path}",
            "REQUEST_URI": f"/{self._frontend}{path}",
            REQUEST_ID: g.request_id,
            "wsgi.input": BytesIO(),
        }

    def _timeout(self, environ: dict[str, Any]) -> float:
        """The time-out of a part in seconds; 0 for an unknown view."""
        try:
            endpoint, _ = self._app.url_map.bind_to_environ(environ).match()
        except HTTPException:
            return 0.0
        return self._views.get(str(endpoint), 0.0)

    def _answer(
        self, name: str, environ: dict[str, Any], answers: "SimpleQueue[tuple[str, Response]]"
    ) -> None:
        with self._app.request_context(environ):
            try:
                response = self._app.full_dispatch_request()
            except Exception as error:  # noqa: BLE001 - reported; the other parts are answered
                response = self._app.handle_exception(error)
            answers.put((name, response))


def _may_be_a_part(view: View) -> bool:
    return view.method == "GET" and not view.stream and view.answer_type in {JSON, ""}


def _is_inherited(name: str) -> bool:
    return name not in _NOT_INHERITED and not name.startswith(("bff.", "flask.", "werkzeug."))


def _combined(
    wanted: Iterable[str], found: Mapping[str, Response], headers: Iterable[str]
) -> Response:
    """The answer of a batch; of the same cookie of several parts, one is set."""
    parts = {name: _part(found[name], headers) for name in wanted}
    response = Response(orjson.dumps({"responses": parts}), mimetype="application/json")
    response.headers["Cache-Control"] = "no-store"
    cookies = {
        cookie.partition("=")[0]: cookie
        for part in found.values()
        for cookie in part.headers.getlist("Set-Cookie")
    }
    for cookie in cookies.values():
        response.headers.add("Set-Cookie", cookie)
    return response


def _part(response: Response, names: Iterable[str]) -> dict[str, Any]:
    """The status, some headers, and the JSON body of a part."""
    headers = {name: response.headers[name] for name in names if name in response.headers}
    body = response.get_data()
    content = {"body": orjson.Fragment(body)} if body else {}
    return {"status": response.status_code, "headers": headers, **content}


def _schema(most: int) -> Mapping[str, Any]:
    """The schema of a batch: paths below the frontend's prefix, by names that the client gives."""
    path = {"type": "string", "pattern": r"^/[!-~]*$", "maxLength": 4096}
    requests = {
        "type": "object",
        "minProperties": 1,
        "maxProperties": most,
        "propertyNames": {"pattern": r"^[A-Za-z0-9_.-]{1,64}$"},
        "additionalProperties": path,
    }
    return {
        "type": "object",
        "required": ["requests"],
        "properties": {"requests": requests},
        "additionalProperties": False,
    }
