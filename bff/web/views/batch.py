"""`POST /{frontend}/_batch`: several views in one round trip, each with its own status.

Each part is a request of its own, with the caller's headers and everything that is checked of any
other. They begin at the same moment, so that the slowest view's deadline is that of all of them,
and what several of them ask of a service in the same words is asked once.
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
from bff.upstream.sharing import BEGUN, Sharing
from bff.upstream.workers import Workers
from bff.web.access_events import TRACE
from bff.web.errors import refused
from bff.web.json_body import BodyReader
from bff.web.problem import problem
from bff.web.request_checks import REQUEST_ID
from bff.web.text import path_info

EXCHANGE: Final = "bff.exchange"  # and what carries the requests of all of its parts
PATH: Final = "/_batch"
_MAX_BODY: Final = 64 * 1024
_SLACK: Final = 0.5  # seconds besides what the slowest view may take
# What belongs to the request that carries the batch, and to none of its parts.
_NOT_OF_A_PART: Final = frozenset(
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
_HEADERS: Final = (
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
    """A batch for each frontend that says so."""
    workers = Workers(threads, "bff-batch")
    moving = {name: each.deadline for name, each in runtime.services.items() if each.deadline}
    for name, frontend in frontends.items():
        own = {
            f"{name}.{view}": each[name].view.timeout
            for view, each in plans.items()
            if name in each and _may_be_a_part(each[name].view)
        }
        if frontend.batch:
            views = [each[name].view for each in plans.values() if name in each]
            computed = dict.fromkeys(header for view in views for header, _ in view.respond)
            headers = tuple(dict.fromkeys((*_HEADERS, *computed)))
            handler = BatchHandler(app, frontend, own, runtime, workers, moving, headers)
            app.add_url_rule(f"/{name}{PATH}", f"{name}._batch", handler, methods=["POST"])


class BatchHandler:
    """Answers the batches of one frontend.

    Args:
        views: the endpoints that may be parts of one, and the seconds that each may take.
        moving: by service, the header that says how long a request has.
        headers: names of the headers that are answered of each part.
    """

    def __init__(
        self,
        app: Flask,
        frontend: Frontend,
        views: Mapping[str, float],
        runtime: Runtime,
        workers: Workers,
        moving: Mapping[str, str],
        headers: tuple[str, ...],
    ) -> None:
        self._app, self._frontend, self._views = app, frontend.name, views
        self._runtime, self._clock = runtime, runtime.clock
        self._workers, self._moving, self._headers = workers, moving, headers
        self._body = BodyReader(_schema(frontend.batch), _MAX_BODY)

    def __call__(self) -> Response:
        """The answers of all parts, by their names."""
        begun = self._clock.now()
        try:
            wanted: Mapping[str, str] = self._body.read(request)["requests"]
        except RequestRefused as error:
            return refused(error)
        sharing = Sharing(self._runtime.exchange, self._moving, self._runtime.boundary)
        shared = {BEGUN: begun, TRACE: g.record.trace, EXCHANGE: sharing}
        environs = {name: self._environ(path) | shared for name, path in wanted.items()}
        times = {name: self._time(environ) for name, environ in environs.items()}
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
        late = {name: problem(504, "it did not come in time") for name in wanted.keys() - found}
        return _together(wanted, {**found, **late}, self._headers)

    def _environ(self, path: str) -> dict[str, Any]:
        """The environ of one part: the caller's, for another path."""
        place, _, query = path.partition("?")
        kept = {name: each for name, each in request.environ.items() if _is_kept(name)}
        return kept | {
            "REQUEST_METHOD": "GET",
            "PATH_INFO": path_info(f"/{self._frontend}{place}"),
            "QUERY_STRING": query,
            "RAW_URI": f"/{self._frontend}{path}",
            "REQUEST_URI": f"/{self._frontend}{path}",
            REQUEST_ID: g.request_id,
            "wsgi.input": BytesIO(),
        }

    def _time(self, environ: dict[str, Any]) -> float:
        """Seconds that a part may take; 0 where there is no such view."""
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
            except Exception as error:  # noqa: BLE001 - the other parts are answered all the same
                response = self._app.handle_exception(error)
            answers.put((name, response))


def _may_be_a_part(view: View) -> bool:
    return view.method == "GET" and not view.stream and view.answer_type in {JSON, ""}


def _is_kept(name: str) -> bool:
    return name not in _NOT_OF_A_PART and not name.startswith(("bff.", "flask.", "werkzeug."))


def _together(
    wanted: Iterable[str], found: Mapping[str, Response], headers: Iterable[str]
) -> Response:
    parts = {name: _part(found[name], headers) for name in wanted}
    response = Response(orjson.dumps({"responses": parts}), mimetype="application/json")
    response.headers["Cache-Control"] = "no-store"
    cookies = {
        cookie.partition("=")[0]: cookie
        for each in found.values()
        for cookie in each.headers.getlist("Set-Cookie")
    }
    for cookie in cookies.values():
        response.headers.add("Set-Cookie", cookie)
    return response


def _part(response: Response, names: Iterable[str]) -> dict[str, Any]:
    headers = {name: response.headers[name] for name in names if name in response.headers}
    body = response.get_data()
    content = {"body": orjson.Fragment(body)} if body else {}
    return {"status": response.status_code, "headers": headers, **content}


def _schema(most: int) -> Mapping[str, Any]:
    """What a batch is: paths below the frontend's prefix, by names of the caller's."""
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
