"""Views that are streams of events: one call, whose events are passed on as they come."""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any, Final

from flask import Flask, Response, g, request

from bff.engine.answer import CANNOT_BE_SENT, failure_of
from bff.engine.blame import Blame
from bff.engine.decode import bad_status, connection_names
from bff.engine.fanout import fan_out
from bff.engine.prefill import prepare
from bff.errors import BadReply, BffError, Unfillable, UpstreamError
from bff.model.exchange import Headers, Origin, Reply, Request
from bff.model.frontend import Frontend
from bff.model.principal import NOBODY
from bff.plan.plan import Plan
from bff.plan.template import header_value
from bff.upstream.exchange import Carrier
from bff.web.access.admission import Admission
from bff.web.access.authenticate import AccessRule, vary_headers
from bff.web.access.refusal import RETRY_AFTER
from bff.web.headers import forwardable, is_sendable, lifecycle_headers
from bff.web.held import HeldResponse
from bff.web.problem import problem
from bff.web.relay.event_streams import AT_ONCE, EventStreams, TooManyStreams, is_coded, is_events
from bff.web.relay.headers import LAST_EVENT_ID
from bff.web.relay.upstream_call import Courier, Errand
from bff.web.runtime import Engine
from bff.web.views.failed import failed
from bff.web.views.parameters import BadRequest, bad_parameters
from bff.web.views.scope import Scopes

_EVENTS: Final = "text/event-stream"
_ASKED: Final = (("accept", _EVENTS), ("accept-encoding", "identity"))
_NO_CONTENT: Final = 204
_SUCCESS: Final = range(200, 300)


def stream_routes(
    app: Flask,
    plans: Mapping[str, Mapping[str, Plan]],
    frontends: Mapping[str, Frontend],
    engine: Engine,
    carrier: Carrier,
    streams: EventStreams,
) -> None:
    """One route for each view of each frontend that is a stream."""
    for name, by_frontend in plans.items():
        for frontend, plan in by_frontend.items():
            if plan.view.stream:
                route = plan.view.route.replace("{", "<").replace("}", ">")
                handler = _Handler(plan, frontends[frontend], engine, carrier, streams)
                app.add_url_rule(
                    f"/{frontend}{route}", f"{frontend}.{name}", handler, methods=["GET"]
                )


class _Handler:
    """Opens the streams of one view of one frontend."""

    def __init__(
        self,
        plan: Plan,
        frontend: Frontend,
        engine: Engine,
        carrier: Carrier,
        streams: EventStreams,
    ) -> None:
        self._plan, self._frontend, self._engine = plan, frontend, engine
        view = plan.view
        (node,) = plan.nodes.values()
        self._call, service = node.compiled, node.compiled.service
        timeout = min(self._call.timeout, view.timeout)
        self._courier = Courier(service.name, service, engine, carrier, timeout)
        self._streams = streams
        self._rule = AccessRule(
            frontend,
            view.access_at(frontend),
            view.csrf,
            view.require,
            visitor="session.visitor" in plan.keeping.inputs,
        )
        self._door = Admission(self._rule, engine.authenticate, engine.limits, engine.observer)
        self._scopes = Scopes(plan, frontend, engine.services)
        self._lifecycle = lifecycle_headers(view)

    def __call__(self, **variables: str) -> Response:
        principal = NOBODY
        g.told.at_the_end = True
        try:
            principal = self._door.principal()
            self._door.admit(principal)
            scope = self._scopes.of(variables, principal)
            errand = Errand(principal, self._maker(scope))
            if request.method == "GET":
                return self._opened(errand)
            response = self._head()
        except BadRequest as bad:
            response = bad_parameters(bad)
        except TooManyStreams:
            response = problem(503, "too many streams are open")
            response.headers["Retry-After"] = RETRY_AFTER
        except (UpstreamError, Unfillable) as error:
            response = failed(failure_of(self._call, error, error.reason), self._rule)
        except BffError as error:
            return self._door.refused(error, principal)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is reported
            found = self._engine.boundary.caught(error, "stream", self._origin())
            response = failed(failure_of(self._call, found, found.reason), self._rule)
        return self._finished(response)

    def _finished(self, response: Response) -> Response:
        response.vary.update(vary_headers(self._rule))
        response.headers.extend(self._lifecycle)
        for cookie in g.get("cookies", ()):
            response.headers.add("Set-Cookie", cookie)
        return response

    def _maker(self, scope: Mapping[str, Any]) -> Callable[[Headers], Request]:
        """What makes the request.

        Raises:
            BadRequest: the client's values allow none.
            Unfillable: it cannot be made.
        """
        blame = Blame(self._plan.view)
        prepared = prepare(self._plan.early, scope, scope["headers"], blame)
        if blame.errors:
            raise BadRequest(blame.errors, CANNOT_BE_SENT)
        last = forwardable(request.headers, [LAST_EVENT_ID])
        passed = {**scope["headers"], **last}
        forwarded = tuple((name, header_value(value, name)) for name, value in passed.items())
        origin = self._origin()
        known = prepared.get(self._call.name)
        (unit,) = fan_out(self._call, scope, (*_ASKED, *forwarded), prepared=known).units

        def make(credentials: Headers) -> Request:
            asked = unit.request
            headers = (*asked.headers, *credentials)
            return Request(asked.service, "GET", asked.target, headers, origin=origin)

        return make

    def _origin(self) -> Origin:
        names = (self._frontend.name, self._plan.view.name, self._call.name)
        return Origin(g.request_id, "", *names, self._call.call.place, g.told.trace)

    def _opened(self, errand: Errand) -> Response:
        """The stream, once its head is there.

        Raises:
            TooManyStreams: no more may be open.
            BffError: there is none.
        """
        with ExitStack() as held:
            held.callback(self._streams.take())
            permit, incoming = self._courier.fetch(errand, held)
            head = Reply(incoming.status, incoming.headers, b"")
            permit.settle(head)  # it holds a thread for long, and no place of the service
            wrong = _wrong(head)
            if wrong:
                raise wrong
            if head.status == _NO_CONTENT:
                return self._finished(self._response(head, Response(status=_NO_CONTENT)))
            view, environ = self._plan.view, request.environ
            times = (view.keep_alive, view.max_age)
            body = self._streams.body(incoming, *times, errand.principal, environ, held)
            response = HeldResponse(body, content_type=_EVENTS)
            self._finished(self._response(head, response))
            return response.owns(held)

    def _response(self, head: Reply, response: Response) -> Response:
        allowed = self._call.respond - connection_names(head)
        for name, value in head.headers:
            if name in allowed and is_sendable(name, value):
                response.headers.add(name, value)
        response.headers.update(AT_ONCE)
        return response

    def _head(self) -> Response:
        """What a stream would begin with; nobody is asked for one."""
        response = Response(content_type=_EVENTS)
        response.headers.update(AT_ONCE)
        return response


def _wrong(head: Reply) -> UpstreamError | None:
    """Why a reply is no stream; a 204 is a good one: the client is to come no more."""
    if head.status not in _SUCCESS:
        return bad_status(head)
    if head.status != _NO_CONTENT and (is_coded(head) or not is_events(head)):
        return BadReply("the reply is no stream of events")
    return None
