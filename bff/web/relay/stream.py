"""The routes of views that are event streams: the events of one call are passed on."""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any, Final

from flask import Flask, Response, g, request

from bff.engine.answer import CANNOT_BE_SENT
from bff.engine.decode import bad_status, connection_names
from bff.engine.fanout import fan_out
from bff.engine.input_faults import InputFaults
from bff.engine.prefill import prepare
from bff.errors import BadReply, BffError, UpstreamError
from bff.model.exchange import Headers, Origin, Reply, Request
from bff.model.frontend import Frontend
from bff.model.principal import NOBODY, Principal
from bff.plan.plan import Plan
from bff.plan.template import header_value
from bff.web.access.authenticate import AccessRule, vary_headers
from bff.web.errors import error_response
from bff.web.event_streams import AT_ONCE, is_coded, is_events
from bff.web.headers import forwardable, is_sendable, lifecycle_headers
from bff.web.relay.headers import LAST_EVENT_ID
from bff.web.relay.upstream_call import OutgoingRequest, StreamingCall
from bff.web.runtime import WebRuntime
from bff.web.streaming_response import StreamingResponse
from bff.web.views.parameters import bad_parameters
from bff.web.views.scope import Scopes

_EVENTS: Final = "text/event-stream"
_ACCEPT: Final = (("accept", _EVENTS), ("accept-encoding", "identity"))
_NO_CONTENT: Final = 204
_SUCCESS: Final = range(200, 300)


def stream_routes(
    app: Flask,
    plans: Mapping[str, Mapping[str, Plan]],
    frontends: Mapping[str, Frontend],
    web: WebRuntime,
) -> None:
    """Add a route for each view of each frontend that is a stream."""
    for name, by_frontend in plans.items():
        for frontend, plan in by_frontend.items():
            if plan.view.stream:
                route = plan.view.route.replace("{", "<").replace("}", ">")
                handler = StreamHandler(plan, frontends[frontend], web)
                app.add_url_rule(
                    f"/{frontend}{route}", f"{frontend}.{name}", handler, methods=["GET"]
                )


class StreamHandler:
    """Opens the streams of one view of one frontend."""

    def __init__(
        self,
        plan: Plan,
        frontend: Frontend,
        web: WebRuntime,
    ) -> None:
        self._plan, self._frontend, self._web = plan, frontend, web
        view = plan.view
        (node,) = plan.nodes.values()
        self._call, service = node.compiled, node.compiled.service
        timeout = min(self._call.timeout, view.timeout)
        self._streaming_call = StreamingCall(service.name, service, web, timeout)
        self._streams = web.streams
        self._rule = AccessRule(
            frontend,
            view.access_at(frontend),
            view.csrf,
            view.require,
            visitor="session.visitor" in plan.caching.inputs,
        )
        self._admission = web.admission(self._rule)
        self._scopes = Scopes(plan, frontend, web.runtime.services)
        self._lifecycle = lifecycle_headers(view)

    def __call__(self, **variables: str) -> Response:
        """The answer to the request that is being handled."""
        principal = NOBODY
        g.record.at_the_end = True
        try:
            principal = self._admission.principal()
            self._admission.admit(principal)
            scope = self._scopes.of(variables, principal)
            outgoing = OutgoingRequest(principal, self._request_factory(scope))
            if request.method == "GET":
                return self._open(outgoing)
            response = self._head()
        except BffError as error:
            return self._failed(error, principal)
        except Exception as error:  # noqa: BLE001 - reported, and answered as a failure
            found = self._web.runtime.boundary.caught(error, "stream", self._origin())
            return self._failed(found, principal)
        return self._with_headers(response)

    def _failed(self, error: BffError, principal: Principal) -> Response:
        return error_response(
            error, self._admission, principal, self._added_headers(), call=self._call
        )

    def _with_headers(self, response: Response) -> Response:
        response.vary.update(vary_headers(self._rule))
        response.headers.extend(self._added_headers())
        return response

    def _added_headers(self) -> list[tuple[str, str]]:
        """The headers of each answer to an admitted client."""
        cookies = [("Set-Cookie", cookie) for cookie in g.get("cookies", ())]
        return [*self._lifecycle.items(), *cookies]

    def _request_factory(self, scope: Mapping[str, Any]) -> Callable[[Headers], Request]:
        """A function that makes the request to the service, given its credentials.

        Raises:
            RequestRefused: 400, as the request cannot be made with the client's values.
            Unfillable: it cannot be made for another reason.
        """
        faults = InputFaults(self._plan.view)
        prepared = prepare(self._plan.early, scope, scope["headers"], faults)
        if faults.errors:
            raise bad_parameters(faults.errors, CANNOT_BE_SENT)
        last = forwardable(request.headers, [LAST_EVENT_ID])
        passed = {**scope["headers"], **last}
        forwarded = tuple((name, header_value(value, name)) for name, value in passed.items())
        origin = self._origin()
        known = prepared.get(self._call.name)
        (unit,) = fan_out(self._call, scope, (*_ACCEPT, *forwarded), prepared=known).units

        def make(credentials: Headers) -> Request:
            filled = unit.request
            headers = (*filled.headers, *credentials)
            return Request(filled.service, "GET", filled.target, headers, origin=origin)

        return make

    def _origin(self) -> Origin:
        names = (self._frontend.name, self._plan.view.name, self._call.name)
        return Origin(g.request_id, "", *names, self._call.call.place, g.record.trace)

    def _open(self, outgoing: OutgoingRequest) -> Response:
        """The stream, as soon as the head of the reply has arrived.

        Raises:
            RequestRefused: 503, as the maximum of open streams is reached.
            BffError: there is no reply, or it is not a stream.
        """
        with ExitStack() as resources:
            resources.callback(self._streams.take())
            permit, incoming = self._streaming_call.fetch(outgoing, resources)
            head = Reply(incoming.status, incoming.headers, b"")
            permit.settle(head)  # a stream does not count against the concurrency limit
            error = _stream_error(head)
            if error:
                raise error
            if head.status == _NO_CONTENT:
                return self._with_headers(self._response(head, Response(status=_NO_CONTENT)))
            view, environ = self._plan.view, request.environ
            times = (view.keep_alive, view.max_age)
            body = self._streams.body(incoming, *times, outgoing.principal, environ, resources)
            response = StreamingResponse(body, content_type=_EVENTS)
            self._with_headers(self._response(head, response))
            return response.release_on_close(resources)

    def _response(self, head: Reply, response: Response) -> Response:
        """The response, with the reply headers that the call passes on (`respond`)."""
        allowed = self._call.respond - connection_names(head)
        for name, value in head.headers:
            if name in allowed and is_sendable(name, value):
                response.headers.add(name, value)
        response.headers.update(AT_ONCE)
        return response

    def _head(self) -> Response:
        """The answer to HEAD: the headers of a stream, without a request to its service."""
        response = Response(content_type=_EVENTS)
        response.headers.update(AT_ONCE)
        return response


def _stream_error(head: Reply) -> UpstreamError | None:
    """The error of a reply that is not a stream; None for a stream, or a 204.

    A 204 stops the client from reconnecting (HTML, section 9.2.3).
    """
    if head.status not in _SUCCESS:
        return bad_status(head)
    if head.status != _NO_CONTENT and (is_coded(head) or not is_events(head)):
        return BadReply("the reply is not an event stream")
    return None
