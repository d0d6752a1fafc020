"""Relays as routes: one path tree passed through to one service, bodies and all."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from functools import partial
from itertools import chain
from typing import Final

from flask import Flask, Response, g, request

from bff.errors import (
    BffError,
    LoginRequired,
    Refused,
    StoreAway,
    UpstreamError,
)
from bff.model.exchange import Headers, Origin, Reply, Request
from bff.model.frontend import Frontend
from bff.model.principal import NOBODY, Principal
from bff.model.relay import Relay, called_by
from bff.upstream.exchange import Carrier, Streamed
from bff.upstream.permit import Permit
from bff.web.access.admission import Admission
from bff.web.access.authenticate import AccessRule, vary_headers
from bff.web.access.refusal import RETRY_AFTER, how_to_sign_in
from bff.web.held import HeldResponse
from bff.web.problem import problem
from bff.web.relay.event_streams import AT_ONCE, EventStreams, TooManyStreams, is_coded, is_events
from bff.web.relay.headers import sent_down, sent_up
from bff.web.relay.upload import body_length, pieces
from bff.web.relay.upstream_call import Courier, Errand
from bff.web.runtime import Engine
from bff.web.target import BadTarget, Route, raw_target, rewritten

_TREE: Final = "...}"
_READS: Final = frozenset({"GET", "HEAD"})
_FIRST_SERVER_ERROR: Final = 500


def relay_routes(
    app: Flask,
    relays: Iterable[Relay],
    frontends: Mapping[str, Frontend],
    engine: Engine,
    carrier: Carrier,
    streams: EventStreams,
) -> None:
    """A route for each relay of each frontend; what nginx relays itself has none."""
    for relay in relays:
        for name in relay.frontends:
            if relay.stream == "websocket":
                continue
            handler = _Handler(relay, frontends[name], engine, carrier, streams)
            rule = relay.path.replace("{", "<").replace("}", ">")
            tree = relay.path.endswith(_TREE)
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
    """Where a relay takes its requests from at a frontend, and to."""
    pattern = (frontend, *relay.path[1:].split("/"))
    return Route(pattern, tuple(relay.target[1:].split("/")))


class _Handler:
    """Passes on the requests of one relay of one frontend."""

    def __init__(
        self,
        relay: Relay,
        frontend: Frontend,
        engine: Engine,
        carrier: Carrier,
        streams: EventStreams,
    ) -> None:
        self._relay, self._frontend, self._engine = relay, frontend, engine
        self._streams = streams
        self._courier = Courier(
            relay.service, called_by(relay, engine.services), engine, carrier, relay.timeout
        )
        self._rule = AccessRule(frontend, relay.access_at(frontend), relay.csrf, relay.require)
        self._door = Admission(self._rule, engine.authenticate, engine.limits, engine.observer)
        self._route = route_of(relay, frontend.name)
        self._here = _start(f"/{frontend.name}{relay.path}")
        self._there = _start(relay.target)

    def __call__(self, **_variables: str) -> Response:
        principal = NOBODY
        g.told.at_the_end = True
        try:
            principal = self._door.principal()
            self._door.admit(principal)
            return self._passed_on(self._errand(principal))
        except BadTarget as bad:
            response = problem(400, str(bad))
        except Refused as bad_body:
            response = problem(bad_body.status, str(bad_body))
        except TooManyStreams:
            response = problem(503, "too many streams are open")
            response.headers["Retry-After"] = RETRY_AFTER
        except UpstreamError as error:
            response = self._stood_in_for(error)
        except BffError as error:
            return self._door.refused(error, principal)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is reported
            boundary, place = self._engine.boundary, self._origin()
            response = self._stood_in_for(boundary.caught(error, "relay", place))
        return self._varied(response)

    def _varied(self, response: Response) -> Response:
        response.vary.update(vary_headers(self._rule))
        return response

    def _errand(self, principal: Principal) -> Errand:
        """What is to be brought to the service.

        Raises:
            BadTarget, Refused: the request is none that is passed on.
        """
        raw = raw_target(request.environ)
        if raw is None:
            raise BadTarget("this server does not say what was asked for: nothing is relayed")
        relay, method, target = self._relay, request.method, rewritten(raw, self._route)
        length = body_length(request.environ)
        if length != 0 and method in _READS:
            raise Refused(400, f"a {method} has no body here")  # some servers look, some not
        if length is not None and length > relay.max_body:
            raise Refused(413, f"the body has more than {relay.max_body} bytes")
        told = length if length or method not in _READS else None

        origin = self._origin()

        def make(credentials: Headers) -> Request:
            headers = sent_up(request, relay, credentials, told)
            return Request(relay.service, method, target, headers, origin=origin)

        body = None if length == 0 else partial(pieces, request, relay.max_body)
        return Errand(principal, make, body)

    def _origin(self) -> Origin:
        names = (self._frontend.name, self._relay.name, self._relay.name)
        return Origin(g.request_id, "", *names, self._relay.place, g.told.trace)

    def _passed_on(self, errand: Errand) -> Response:
        """The answer, as soon as its head is there; its body follows.

        Raises:
            BffError: there is none.
        """
        with ExitStack() as held:
            if self._relay.stream == "events":
                held.callback(self._streams.take())
            permit, incoming = self._courier.fetch(errand, held)
            head = Reply(incoming.status, incoming.headers, b"")
            held.callback(permit.settle, head)
            fallback = self._relay.fallback
            if fallback and request.method in _READS and head.status >= _FIRST_SERVER_ERROR:
                return self._varied(self._stood_in_for(UpstreamError()))
            response = self._begun(errand.principal, permit, incoming, held)
            self._varied(response)
            return response.owns(held)

    def _begun(
        self, principal: Principal, permit: Permit, incoming: Streamed, held: ExitStack
    ) -> HeldResponse:
        """The response to a reply whose body is still to come."""
        relay, head = self._relay, Reply(incoming.status, incoming.headers, b"")
        is_stream = relay.stream == "events" and is_events(head) and not is_coded(head)
        if is_stream:
            permit.settle(head)  # it holds a thread for long, and no place of the service
            times = (relay.keep_alive, relay.max_age)
            body = self._streams.body(incoming, *times, principal, request.environ, held)
        else:
            body = _started(_settling(incoming, permit, head))
        response = HeldResponse(body, head.status)
        del response.headers["Content-Type"]
        shared = self._rule.access == "public"
        response.headers.extend(sent_down(head, relay, self._here, self._there, shared=shared))
        if is_stream:
            response.headers.pop("Content-Length", None)  # comments are added, a mark is left out
            response.headers.update(AT_ONCE)
        return response

    def _stood_in_for(self, error: BffError) -> Response:
        """What is answered in the place of a service that is not well."""
        fallback = self._relay.fallback
        if fallback and request.method in _READS:
            response = Response(fallback.text, fallback.status, content_type=fallback.type)
            response.headers["Cache-Control"] = "no-store"
            return response
        detail = f"the service behind the relay `{self._relay.name}` did not answer"
        response = problem(error.status, detail, reason=error.reason)
        if error.status == StoreAway.status:
            response.headers["Retry-After"] = RETRY_AFTER
        elif error.status == LoginRequired.status:
            response.headers["WWW-Authenticate"] = how_to_sign_in(self._rule)
        return response


def _settling(incoming: Streamed, permit: Permit, head: Reply) -> Iterator[bytes]:
    """A body; where it breaks off, that is what its service is known for."""
    try:
        yield from incoming
    except BffError as error:
        permit.settle(error)
        raise
    permit.settle(head)


def _started(body: Iterator[bytes]) -> Iterator[bytes]:
    """A body whose first piece has come.

    Servers send the head of an answer with its first piece (PEP 3333), so this delays nothing; and
    where there is no first piece, the answer can still say so.

    Raises:
        UpstreamError: it broke off before.
    """
    first = next(body, b"")
    return chain((first,), body) if first else body


def _start(path: str) -> str:
    """The literal part of a path before its tree, with the slash."""
    return path.partition("{")[0] if "{" in path else path
