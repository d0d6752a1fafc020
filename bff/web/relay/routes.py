"""The routes of relays: requests below a path are passed to a service, and bodies streamed."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from functools import partial
from itertools import chain
from typing import Final

from flask import Flask, Response, g, request

from bff.errors import BffError, RequestRefused, UpstreamError
from bff.model.exchange import Headers, Origin, Reply, Request
from bff.model.frontend import Frontend
from bff.model.principal import NOBODY, Principal
from bff.model.relay import Relay, called_by
from bff.upstream.exchange import StreamedReply
from bff.upstream.permit import Permit
from bff.web.access.authenticate import AccessRule, vary_headers
from bff.web.errors import error_response
from bff.web.event_streams import AT_ONCE, is_coded, is_events
from bff.web.relay.headers import client_headers, upstream_headers
from bff.web.relay.upload import body_length, pieces
from bff.web.relay.upstream_call import OutgoingRequest, StreamingCall
from bff.web.runtime import WebRuntime
from bff.web.streaming_response import StreamingResponse
from bff.web.target import Route, raw_target, rewrite_target

_REST: Final = "...}"
_READS: Final = frozenset({"GET", "HEAD"})
_FIRST_SERVER_ERROR: Final = 500


def relay_routes(
    app: Flask,
    relays: Iterable[Relay],
    frontends: Mapping[str, Frontend],
    web: WebRuntime,
) -> None:
    """Add a route for each relay of each frontend, except WebSockets, which nginx relays."""
    for relay in relays:
        for name in relay.frontends:
            if relay.stream == "websocket":
                continue
            handler = RelayHandler(relay, frontends[name], web)
            rule = relay.path.replace("{", "<").replace("}", ">")
            tree = relay.path.endswith(_REST)
            if tree:
                start, _, variable = rule.rpartition("<")
                rule = f"{start}<path:{variable.removesuffix('...>')}>"
            app.add_url_rule(
                f"/{name}{rule}",
                endpoint=f"{name}.relay.{relay.name}",
                view_func=handler,
                methods=relay.methods,
            )


def route_of(relay: Relay, frontend: str) -> Route:
    """The paths of a relay, at a frontend and at its service."""
    pattern = (frontend, *relay.path[1:].split("/"))
    return Route(pattern, tuple(relay.target[1:].split("/")))


class RelayHandler:
    """Relays the requests of one relay of one frontend."""

    def __init__(
        self,
        relay: Relay,
        frontend: Frontend,
        web: WebRuntime,
    ) -> None:
        self._relay, self._frontend, self._web = relay, frontend, web
        self._streams = web.streams
        self._streaming_call = StreamingCall(
            relay.service, called_by(relay, web.runtime.services), web, relay.timeout
        )
        self._rule = AccessRule(frontend, relay.access_at(frontend), relay.csrf, relay.require)
        self._admission = web.admission(self._rule)
        self._route = route_of(relay, frontend.name)
        self._client_prefix = _literal_prefix(f"/{frontend.name}{relay.path}")
        self._service_prefix = _literal_prefix(relay.target)

    def __call__(self, **_variables: str) -> Response:
        """The answer to the request that is being handled."""
        principal = NOBODY
        g.record.at_the_end = True
        try:
            principal = self._admission.principal()
            self._admission.admit(principal)
            return self._relay_request(self._outgoing(principal))
        except BffError as error:
            return self._failed(error, principal)
        except Exception as error:  # noqa: BLE001 - reported, and answered as a failure
            found = self._web.runtime.boundary.caught(error, "relay", self._origin())
            return self._failed(found, principal)

    def _with_vary(self, response: Response) -> Response:
        response.vary.update(vary_headers(self._rule))
        return response

    def _outgoing(self, principal: Principal) -> OutgoingRequest:
        """The request to the service.

        Raises:
            RequestRefused: 400 or 413, as the target or the body is invalid.
        """
        raw = raw_target(request.environ)
        if raw is None:
            raise RequestRefused(
                400, "this server does not provide the raw target, which relays need"
            )
        relay, method, target = self._relay, request.method, rewrite_target(raw, self._route)
        length = body_length(request.environ)
        if length != 0 and method in _READS:
            raise RequestRefused(
                400, f"a {method} has no body here"
            )  # servers treat it differently
        if length is not None and length > relay.max_body:
            raise RequestRefused(413, f"the body has more than {relay.max_body} bytes")
        sent_length = length if length or method not in _READS else None

        origin = self._origin()

        def make(credentials: Headers) -> Request:
            headers = upstream_headers(request, relay, credentials, sent_length)
            return Request(relay.service, method, target, headers, origin=origin)

        body = None if length == 0 else partial(pieces, request, relay.max_body)
        return OutgoingRequest(principal, make, body)

    def _origin(self) -> Origin:
        names = (self._frontend.name, self._relay.name, self._relay.name)
        return Origin(g.request_id, "", *names, self._relay.place, g.record.trace)

    def _relay_request(self, outgoing: OutgoingRequest) -> Response:
        """The answer, as soon as the head of the reply has arrived; the body is streamed.

        Raises:
            BffError: there is no reply.
        """
        with ExitStack() as resources:
            if self._relay.stream == "events":
                resources.callback(self._streams.take())
            permit, incoming = self._streaming_call.fetch(outgoing, resources)
            head = Reply(incoming.status, incoming.headers, b"")
            resources.callback(permit.settle, head)
            fallback = self._relay.fallback
            if fallback and request.method in _READS and head.status >= _FIRST_SERVER_ERROR:
                return self._failed(UpstreamError(), outgoing.principal)
            response = self._start_response(outgoing.principal, permit, incoming, resources)
            self._with_vary(response)
            return response.release_on_close(resources)

    def _start_response(
        self, principal: Principal, permit: Permit, incoming: StreamedReply, resources: ExitStack
    ) -> StreamingResponse:
        """The response to a reply whose body has not been read."""
        relay, head = self._relay, Reply(incoming.status, incoming.headers, b"")
        is_stream = relay.stream == "events" and is_events(head) and not is_coded(head)
        if is_stream:
            permit.settle(head)  # a stream does not count against the concurrency limit
            times = (relay.keep_alive, relay.max_age)
            body = self._streams.body(incoming, *times, principal, request.environ, resources)
        else:
            body = _with_first_piece(_settle_at_end(incoming, permit, head))
        response = StreamingResponse(body, head.status)
        del response.headers["Content-Type"]
        shared = self._rule.access == "public"
        response.headers.extend(
            client_headers(head, relay, self._client_prefix, self._service_prefix, shared=shared)
        )
        if is_stream:
            response.headers.pop(
                "Content-Length", None
            )  # comments are inserted, a byte order mark is removed
            response.headers.update(AT_ONCE)
        return response

    def _failed(self, error: BffError, principal: Principal) -> Response:
        """The declared fallback, if the service failed a read and there is one; else a problem."""
        fallback = self._relay.fallback
        if fallback and request.method in _READS and isinstance(error, UpstreamError):
            response = Response(fallback.text, fallback.status, content_type=fallback.type)
            response.headers["Cache-Control"] = "no-store"
            return self._with_vary(response)
        return error_response(error, self._admission, principal, relay=self._relay.name)


def _settle_at_end(incoming: StreamedReply, permit: Permit, head: Reply) -> Iterator[bytes]:
    """The body of a reply, at whose end the permit is settled, with the error if it breaks off."""
    try:
        yield from incoming
    except BffError as error:
        permit.settle(error)
        raise
    permit.settle(head)


def _with_first_piece(body: Iterator[bytes]) -> Iterator[bytes]:
    """A body whose first piece has been read.

    As servers send the head of a response with its first piece (PEP 3333), this delays nothing; and
    if the body breaks off before, the response can still be an error.

    Raises:
        UpstreamError: the body broke off before its first piece.
    """
    first = next(body, b"")
    return chain((first,), body) if first else body


def _literal_prefix(path: str) -> str:
    """The part of a path before its first variable, with the slash."""
    return path.partition("{")[0] if "{" in path else path
