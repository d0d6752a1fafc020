"""The routes of views: admits a request, conducts its plan, and makes the response."""

from collections.abc import Mapping
from time import time

from flask import Flask, Response, g, has_request_context, request
from flask.globals import app_ctx, request_ctx

from bff.engine.answer import Answer, ViewRequest
from bff.engine.conductor import conduct
from bff.engine.python_view import run_python_view
from bff.errors import BffError
from bff.model.exchange import Deadline
from bff.model.frontend import Frontend
from bff.model.principal import NOBODY
from bff.plan.plan import Plan
from bff.store.idempotency import StoredResponse
from bff.web.access.authenticate import AccessRule, vary_headers
from bff.web.access_events import RequestRecord
from bff.web.client_gone import gone_of
from bff.web.errors import error_response, failed
from bff.web.headers import calls_header, lifecycle_headers, timing_header
from bff.web.runtime import WebRuntime
from bff.web.views.batch import EXCHANGE
from bff.web.views.cache_headers import cache_status, calls_status
from bff.web.views.cached_views import UNWRITABLE, CachedView, Served, conducted
from bff.web.views.cursors import cursors_of
from bff.web.views.fingerprint import fingerprint
from bff.web.views.idempotency import ViewIdempotency, replayed
from bff.web.views.refresh import Fragments
from bff.web.views.response_body import ViewResponses
from bff.web.views.scope import Scopes
from bff.web.views.sparse import Sparse


def view_routes(
    app: Flask,
    plans: Mapping[str, Mapping[str, Plan]],
    frontends: Mapping[str, Frontend],
    web: WebRuntime,
) -> None:
    """Add a route for each view of each frontend; for streams see `relay.stream`."""
    for name, by_frontend in plans.items():
        for frontend, plan in by_frontend.items():
            fragments = {other: plans[other][frontend] for other in plan.view.refresh}

            def make(
                selected: Plan,
                frontend: Frontend = frontends[frontend],
                fragments: Mapping[str, Plan] = fragments,
            ) -> ViewHandler:
                return ViewHandler(selected, frontend, web, fragments)

            if plan.view.stream:
                continue
            sparse = plan.view.sparse
            handler = Sparse(plan, web.runtime.services, make) if sparse else make(plan)
            route = plan.view.route.replace("{", "<").replace("}", ">")
            app.add_url_rule(
                f"/{frontend}{route}",
                endpoint=f"{frontend}.{name}",
                view_func=handler,
                methods=[plan.view.method],  # Flask adds HEAD and OPTIONS
            )


class ViewHandler:
    """Answers one view of one frontend."""

    def __init__(
        self,
        plan: Plan,
        frontend: Frontend,
        web: WebRuntime,
        fragments: Mapping[str, Plan],
    ) -> None:
        self._plan, self._frontend = plan, frontend
        self._web, self._runtime = web, web.runtime
        view, together = plan.view, (plan, *fragments.values())
        self._rule = AccessRule(
            frontend=frontend,
            access=view.access_at(frontend),
            csrf=view.csrf,
            require=view.require,
            visitor=any("session.visitor" in used.caching.inputs for used in together),
        )
        self._admission = web.admission(self._rule)
        self._vary = vary_headers(self._rule)
        self._time = view.timeout - view.reserve  # seconds until its deadline
        self._scopes = Scopes(plan, frontend, self._runtime.services, fragments.values())
        self._cursors = cursors_of(plan, frontend, web.seal)
        self._fragments = Fragments(fragments, frontend, self._run, self._runtime.clock.now)
        keys = web.once if view.method != "GET" else None
        self._keys = ViewIdempotency(view, frontend.name, keys) if keys else None
        self._lifecycle = lifecycle_headers(view)
        caching, policy = self._runtime.caching, plan.caching.view
        self._now = caching.cache.now if caching else time
        self._responses = ViewResponses(plan, frontend, self._rule.access, self._vary, caching)
        self._cached = (
            CachedView(
                *(plan, policy, self._runtime, caching, self._responses, self._conduct),
                fingerprint(plan),
            )
            if caching and policy
            else None
        )

    def __call__(self, **variables: str) -> Response:
        """The answer to the request that is being handled."""
        request, known = (
            request_ctx.request,
            app_ctx.g,
        )  # once, as each access through the proxy costs time
        record: RequestRecord = known.record
        begun = record.begun
        principal = NOBODY
        try:
            principal = self._admission.principal()
            self._admission.admit(principal)
            scope = self._scopes.of(variables, principal)
            cursors = self._cursors.given(request, scope["params"], principal)
            lease = self._keys.begin(request, principal, scope) if self._keys else None
        except BffError as error:
            return error_response(error, self._admission, principal, self._lifecycle.items())
        if isinstance(lease, StoredResponse):
            return replayed(lease)
        answered = None
        try:
            gone = None if self._cached else gone_of(request.environ)
            key = lease.name if lease else ""
            id_, target = known.request_id, request.full_path.rstrip("?")
            about = (scope["headers"], principal, gone, key, id_, target, record.trace)
            view_request = ViewRequest(scope, *about, cursors)
            served = self._served(view_request, begun)
            response = self._answered(served, view_request, begun)
            # the client may correct an invalid request, and send it with the same key
            answered = None if served.failure and served.failure.errors else response
        finally:
            if self._keys and lease:
                self._keys.end(lease, answered)
        return response

    def _served(self, view_request: ViewRequest, begun: float) -> Served:
        """The result of an admitted request, cached or conducted."""
        if self._cached:
            return self._cached.serve(view_request, begun)
        now, boundary = self._now(), self._runtime.boundary
        return conducted(self._responses, self._conduct, view_request, begun, now, boundary)

    def _answered(self, served: Served, view_request: ViewRequest, begun: float) -> Response:
        """The response; its outcomes and cache result are added to the record of the request."""
        clock, scope = self._runtime.clock, view_request.scope
        response = self._response(served, scope["locale"])
        took = clock.now() - begun
        record: RequestRecord = app_ctx.g.record
        record.cache = served.freshness.word if served.freshness else ""
        if served.answer:
            record.outcomes, record.late = served.answer.outcomes, took >= self._time
        if self._web.timing:
            response.headers["Server-Timing"] = timing_header(record.outcomes, took)
        return response

    def _conduct(self, view_request: ViewRequest, begun: float) -> Answer:
        """Conduct the view; its tags are invalidated before the answer is sent or cached."""
        caching, deadline = self._runtime.caching, Deadline(begun + self._time)
        answer = self._run(self._plan, view_request, deadline)
        if answer.invalidates and caching:
            caching.cache.invalidate(answer.invalidates)
        return self._fragments.add_to(answer, view_request, begun, deadline)

    def _run(self, plan: Plan, view_request: ViewRequest, deadline: Deadline) -> Answer:
        # a background refresh has no client request, and so no batch
        batch = request.environ.get(EXCHANGE) if has_request_context() else None
        run = run_python_view if plan.view.function else conduct
        return run(plan, view_request, deadline, self._runtime, batch)

    def _response(self, served: Served, locale: str | None) -> Response:
        """The response of a representation or a failure, with Cache-Status and new cookies."""
        if served.representation is not None:
            request, slot = request_ctx.request, served.slot
            response = self._responses.respond(
                served.representation, request, locale, slot, self._now()
            )
        else:
            failure = served.failure or UNWRITABLE
            response = failed(failure, self._rule)
            response.vary.update(self._vary)
            if served.answer:
                response.headers["BFF-Calls"] = calls_header(served.answer.outcomes)
            response.headers.extend(self._lifecycle)
            if locale:
                response.headers["Content-Language"] = locale
                response.vary.add("Accept-Language")
        status = []
        if self._cached:
            status.append(cache_status(served.freshness, stored=served.slot is not None))
        if self._web.timing and served.answer:
            status += calls_status(self._plan, served.answer.outcomes)
        if status:
            response.headers["Cache-Status"] = ", ".join(status)
        for cookie in g.get("cookies", ()):
            response.headers.add("Set-Cookie", cookie)
            response.headers["Cache-Control"] = "no-store"
        return response
