"""Views as routes: a request becomes values for a plan, the conductor's answer a response."""

from collections.abc import Mapping
from dataclasses import replace
from time import time
from typing import Any, Final

from flask import Flask, Response, g, has_request_context, request
from flask.globals import app_ctx, request_ctx

from bff.engine.answer import Answer, Asked
from bff.engine.conductor import conduct
from bff.engine.python_view import converse
from bff.engine.runtime import Machinery
from bff.errors import BffError, Refused
from bff.model.exchange import Deadline
from bff.model.frontend import Frontend
from bff.model.principal import NOBODY
from bff.plan.plan import Plan
from bff.store.idempotency import StoredResponse
from bff.web.access.admission import Admission
from bff.web.access.authenticate import AccessRule, vary_headers
from bff.web.access.refusal import RETRY_AFTER
from bff.web.access_events import Told
from bff.web.client_gone import gone_of
from bff.web.headers import calls_header, lifecycle_headers, timing_header
from bff.web.json_body import BadBody
from bff.web.problem import problem
from bff.web.runtime import Engine
from bff.web.views.batch import EXCHANGE
from bff.web.views.cache_headers import cache_status, calls_status
from bff.web.views.cached_views import UNWRITABLE, KeptPages, Served, conducted
from bff.web.views.cursors import cursors_of
from bff.web.views.failed import failed
from bff.web.views.fingerprint import fingerprint
from bff.web.views.idempotency import Keys, replayed
from bff.web.views.parameters import BadRequest, bad_parameters
from bff.web.views.refresh import Fragments
from bff.web.views.response_body import Pages, Sent
from bff.web.views.scope import Scopes
from bff.web.views.sparse import Sparse

_CONFLICT: Final = 409


def view_routes(
    app: Flask,
    plans: Mapping[str, Mapping[str, Plan]],
    frontends: Mapping[str, Frontend],
    engine: Engine,
) -> None:
    """One route for each view of each frontend; streams have others."""
    for name, by_frontend in plans.items():
        for frontend, plan in by_frontend.items():
            fragments = {each: plans[each][frontend] for each in plan.view.refresh}

            def make(
                drawn: Plan,
                frontend: Frontend = frontends[frontend],
                fragments: Mapping[str, Plan] = fragments,
            ) -> _Handler:
                return _Handler(drawn, frontend, engine, fragments)

            if plan.view.stream:
                continue
            sparse = plan.view.sparse
            handler = Sparse(plan, engine.services, make) if sparse else make(plan)
            route = plan.view.route.replace("{", "<").replace("}", ">")
            app.add_url_rule(
                f"/{frontend}{route}",
                endpoint=f"{frontend}.{name}",
                view_func=handler,
                methods=[plan.view.method],  # HEAD comes with GET, OPTIONS by itself
            )


class _Handler:
    """Answers one view of one frontend."""

    def __init__(
        self,
        plan: Plan,
        frontend: Frontend,
        engine: Engine,
        fragments: Mapping[str, Plan],
    ) -> None:
        self._plan, self._frontend, self._engine = plan, frontend, engine
        self._machinery = Machinery(
            *(engine.exchange, engine.effects, engine.clock, engine.guards, engine.keeper),
            *(engine.boundary, engine.memory),
        )
        view, together = plan.view, (plan, *fragments.values())
        self._rule = AccessRule(
            frontend=frontend,
            access=view.access_at(frontend),
            csrf=view.csrf,
            require=view.require,
            visitor=any("session.visitor" in each.keeping.inputs for each in together),
        )
        self._door = Admission(self._rule, engine.authenticate, engine.limits, engine.observer)
        self._vary = vary_headers(self._rule)
        self._time = view.timeout - view.reserve  # seconds until its deadline
        self._scopes = Scopes(plan, frontend, engine.services, fragments.values())
        self._cursors = cursors_of(plan, frontend, engine.seal)
        self._fragments = Fragments(fragments, frontend, self._run, engine.clock.now)
        keys = engine.once if view.method != "GET" else None
        self._keys = Keys(view, frontend.name, keys) if keys else None
        self._lifecycle = lifecycle_headers(view)
        keeper, kept = engine.keeper, plan.keeping.view
        self._now = keeper.cache.now if keeper else time
        self._pages = Pages(plan, frontend, self._rule.access, self._vary, keeper)
        self._kept = (
            KeptPages(
                *(plan, kept, keeper, self._pages, self._conduct, fingerprint(plan)),
                engine.boundary,
            )
            if keeper and kept
            else None
        )

    def __call__(self, **variables: str) -> Response:
        request, known = request_ctx.request, app_ctx.g  # once: a proxy is not for nothing
        told: Told = known.told
        begun = told.begun
        principal = NOBODY
        try:
            principal = self._door.principal()
            self._door.admit(principal)
            scope = self._scopes.of(variables, principal)
            cursors = self._cursors.given(request, scope["params"], principal)
            turn = self._keys.begin(request, principal, scope) if self._keys else None
        except Refused as error:
            return self._bad(error.status, str(error))
        except BffError as error:
            return self._door.refused(error, principal)
        except BadRequest as bad:
            return self._varied(bad_parameters(bad))
        except BadBody as bad_body:
            response = self._bad(bad_body.status, bad_body.detail, errors=bad_body.errors)
            response.headers.update(bad_body.headers)
            return response
        if isinstance(turn, StoredResponse):
            return replayed(turn)
        answered = None
        try:
            gone = None if self._kept else gone_of(request.environ)
            key = turn.name if turn else ""
            id_, target = known.request_id, request.full_path.rstrip("?")
            about = (scope["headers"], principal, gone, key, id_, target, told.trace)
            asked = Asked(scope, *about, cursors)
            served = self._served(asked, begun)
            response = self._answered(served, asked, begun)
            # a request that was refused as it is may be corrected under the same key
            answered = None if served.failure and served.failure.errors else response
        finally:
            if self._keys and turn:
                self._keys.end(turn, answered)
        return response

    def _served(self, asked: Asked, begun: float) -> Served:
        """What there is for whoever may ask, for what is as declared."""
        if self._kept:
            return self._kept.serve(asked, begun)
        now, boundary = self._now(), self._engine.boundary
        return conducted(self._pages, self._conduct, asked, begun, now, boundary)

    def _answered(self, served: Served, asked: Asked, begun: float) -> Response:
        """The response, and what the log has of it."""
        clock, scope = self._engine.clock, asked.scope
        response = self._response(served, scope["locale"])
        took = clock.now() - begun
        told: Told = app_ctx.g.told
        told.kept = served.told.word if served.told else ""
        if served.answer:
            told.outcomes, told.late = served.answer.outcomes, took >= self._time
        if self._engine.timing:
            response.headers["Server-Timing"] = timing_header(told.outcomes, took)
        return response

    def _conduct(self, asked: Asked, begun: float) -> Answer:
        """Conduct the view; what it makes untrue is invalidated before anybody hears of it."""
        keeper, deadline = self._engine.keeper, Deadline(begun + self._time)
        answer = self._run(self._plan, asked, deadline)
        if answer.invalidates and keeper:
            keeper.cache.invalidate(answer.invalidates)
        return self._fragments.added(answer, asked, begun, deadline)

    def _run(self, plan: Plan, asked: Asked, deadline: Deadline) -> Answer:
        # what is refreshed behind an answer belongs to no request, and so to no batch
        batch = request.environ.get(EXCHANGE) if has_request_context() else None
        machinery = replace(self._machinery, exchange=batch) if batch else self._machinery
        run = converse if plan.view.function else conduct
        return run(plan, asked, deadline, machinery)

    def _response(self, served: Served, locale: str | None) -> Response:
        if served.page is not None:
            response = self._pages.response(
                served.page, request_ctx.request, Sent(served.address, self._now())
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
        if self._kept:
            status.append(cache_status(served.told, stored=served.address is not None))
        if self._engine.timing and served.answer:
            status += calls_status(self._plan, served.answer.outcomes)
        if status:
            response.headers["Cache-Status"] = ", ".join(status)
        for cookie in g.get("cookies", ()):
            response.headers.add("Set-Cookie", cookie)
            response.headers["Cache-Control"] = "no-store"
        return response

    def _bad(self, status: int, detail: str, **members: Any) -> Response:
        response = problem(status, detail, **members)
        if status == _CONFLICT:
            response.headers["Retry-After"] = RETRY_AFTER
        return self._varied(response)

    def _varied(self, response: Response) -> Response:
        response.vary.update(self._vary)
        return response
