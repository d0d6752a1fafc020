"""Views as routes: a request becomes values for a plan, the conductor's answer a response."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import ceil
from typing import Any, Final

import orjson
from flask import Flask, Request, Response, g, request

from bff.declare.scope import scope_of
from bff.engine.answer import Answer, Asked, Failure
from bff.engine.conduct import conduct
from bff.engine.converse import converse
from bff.engine.params import BadValue, decode
from bff.engine.plan import Plan
from bff.errors import AuthError, BffError, InvalidToken, LoginRequired, StoreAway
from bff.model.exchange import Deadline
from bff.model.principal import NOBODY, Principal
from bff.model.service import Service
from bff.model.view import Frontend, View
from bff.observe.events import Answered, Audited, AuditListener, Listener
from bff.upstream.exchange import Clock, Effects, Exchange
from bff.upstream.guard import Guards
from bff.web.address import client_address
from bff.web.authenticate import Rule, admit
from bff.web.body import BadBody, BodyReader
from bff.web.encode import encode
from bff.web.gone import gone_of
from bff.web.headers import (
    calls_header,
    forwardable,
    lifecycle_headers,
    respondable,
    timing_header,
    varies,
)
from bff.web.limits import Limits
from bff.web.problem import problem
from bff.web.refusal import RETRY_AFTER, how_to_sign_in, refusal

_NO_CONTENT: Final = frozenset({204, 205})
Authenticate = Callable[[Request, Rule], Principal]


@dataclass(frozen=True, slots=True)
class Engine:
    """What views run on.

    Args:
        guards: what is known of the services, shared by all requests.
        authenticate: says who asks, from the request.
        limits: how often one person may ask; None for as often as they like.
        services: what expressions may know of services.
        timing: whether answers carry Server-Timing; for development, it tells of the inside.
    """

    exchange: Exchange
    effects: Effects
    clock: Clock
    guards: Guards
    authenticate: Authenticate
    services: Mapping[str, Service]
    listener: Listener
    audit: AuditListener
    limits: Limits | None = None
    timing: bool = False


def view_routes(
    app: Flask,
    plans: Mapping[str, Mapping[str, Plan]],
    frontends: Mapping[str, Frontend],
    engine: Engine,
) -> None:
    """One route for each view of each frontend."""
    services = {name: {"url": each.url} for name, each in engine.services.items()}
    for name, by_frontend in plans.items():
        for frontend, plan in by_frontend.items():
            handler = _Handler(plan, frontends[frontend], engine, services)
            route = plan.view.route.replace("{", "<").replace("}", ">")
            app.add_url_rule(
                f"/{frontend}{route}",
                endpoint=f"{frontend}.{name}",
                view_func=handler,
                methods=[plan.view.method],  # HEAD comes with GET, OPTIONS by itself
            )


class _BadRequest(Exception):
    """Parameters that are not as declared: an entry for each."""

    def __init__(self, errors: list[dict[str, str]]) -> None:
        super().__init__()
        self.errors = errors


class _Handler:
    """Answers one view of one frontend."""

    def __init__(
        self, plan: Plan, frontend: Frontend, engine: Engine, services: Mapping[str, Any]
    ) -> None:
        self._plan, self._frontend, self._engine = plan, frontend, engine
        view = plan.view
        self._rule = Rule(
            frontend=frontend,
            access=view.access_at(frontend),
            csrf=view.csrf,
            require=view.require,
            visitor="session.visitor" in scope_of(plan).inputs,
        )
        self._vary = varies(self._rule)
        self._services = services
        self._answer = converse if view.function else conduct
        self._body = BodyReader(view.body, view.max_body) if view.body is not None else None
        self._lifecycle = lifecycle_headers(view)

    def __call__(self, **variables: str) -> Response:
        clock = self._engine.clock
        begun = clock.now()
        principal = NOBODY
        try:
            principal = self._principal()
            self._admit(principal)
            scope = self._scope(variables, principal)
        except BffError as error:
            return self._refused(error, principal)
        except _BadRequest as bad:
            names = ", ".join(error["parameter"] for error in bad.errors)
            return problem(400, f"parameters are not as declared: {names}", errors=bad.errors)
        except BadBody as bad_body:
            return problem(bad_body.status, bad_body.detail, errors=bad_body.errors)
        answer = self._answer(
            self._plan,
            Asked(scope, scope["headers"], principal, gone_of(request.environ)),
            Deadline(begun + self._plan.view.timeout - self._plan.view.reserve),
            self._engine.exchange,
            self._engine.effects,
            clock,
            self._engine.guards,
        )
        response = self._failed(answer.failure) if answer.failure else _answered(answer)
        response.vary.update(self._vary)
        for cookie in g.get("cookies", ()):
            response.headers.add("Set-Cookie", cookie)
            response.headers["Cache-Control"] = "no-store"
        response.headers["BFF-Calls"] = calls_header(answer.outcomes)
        response.headers.extend(self._lifecycle)
        if scope["locale"]:
            response.headers["Content-Language"] = scope["locale"]
            response.vary.add("Accept-Language")
        took = clock.now() - begun
        if self._engine.timing:
            response.headers["Server-Timing"] = timing_header(answer.outcomes, took)
        self._engine.listener(
            Answered(
                id=g.request_id,
                frontend=self._frontend.name,
                view=self._plan.view.name,
                status=response.status_code,
                took=took,
                outcomes=answer.outcomes,
            )
        )
        return response

    def _principal(self) -> Principal:
        """Who asks; for a public view credentials are not even looked at.

        Raises:
            AuthError: nobody, or somebody who may not have the view.
            StoreAway, ProviderAway: that cannot be said just now.
        """
        if self._rule.access == "public":
            return NOBODY
        try:
            return self._engine.authenticate(request, self._rule)
        except AuthError:
            self._count(NOBODY)  # whoever tries tokens out has only so many tries
            raise

    def _admit(self, principal: Principal) -> None:
        self._count(principal)
        if self._rule.access != "public":
            admit(principal, self._rule)

    def _count(self, principal: Principal) -> None:
        if self._engine.limits:
            who = principal.identity if principal.signed_in else client_address(request)
            self._engine.limits.person(who)

    def _failed(self, failure: Failure) -> Response:
        """Where somebody has to sign in again, the answer says how, as if they never had."""
        response = _failed(failure)
        if failure.status == LoginRequired.status:
            response.headers["WWW-Authenticate"] = how_to_sign_in(self._rule)
        return response

    def _refused(self, error: BffError, principal: Principal) -> Response:
        self._engine.audit(
            Audited(
                "refused",
                issuer=principal.issuer,
                subject=principal.subject,
                session=principal.session,
                reason=type(error).__name__,
                id=g.request_id,
            )
        )
        response = refusal(error, self._rule)
        response.vary.update(self._vary)
        return response

    def _scope(self, variables: Mapping[str, str], principal: Principal) -> dict[str, Any]:
        """The values of the root names; raises what is wrong with the request."""
        languages = self._frontend.languages
        scope = {
            "params": _params(self._plan.view, variables),
            "session": {
                "sub": principal.subject or None,
                "claims": _own_copy(principal.claims),
                "signed_in": principal.signed_in,
                "visitor": principal.visitor or None,
            },
            "frontend": self._frontend.name,
            "locale": request.accept_languages.best_match(languages, languages[0])
            if languages
            else None,
            "headers": forwardable(request.headers, self._plan.forward),
            "services": {name: dict(each) for name, each in self._services.items()},
        }
        return scope | {"body": self._body.read(request)} if self._body else scope


def _own_copy(claims: Mapping[str, Any]) -> dict[str, Any]:
    """Claims that a request may change; it would change everybody's otherwise."""
    try:
        copy: dict[str, Any] = orjson.loads(orjson.dumps(claims))
    except (TypeError, orjson.JSONDecodeError):
        raise InvalidToken("its claims are nested too deeply") from None
    return copy


def _params(view: View, variables: Mapping[str, str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    errors = []
    for param in view.params:
        in_path = param.where == "path"
        given = [variables[param.name]] if in_path else request.args.getlist(param.name)
        try:
            values[param.name] = decode(param, given)
        except BadValue as bad:
            errors.append({"parameter": param.name, "in": param.where, "detail": str(bad)})
    if view.strict:
        known = {param.name for param in view.params if param.where == "query"}
        errors += [
            {"parameter": name, "in": "query", "detail": "is not declared"}
            for name in request.args
            if name not in known
        ]
    if errors:
        raise _BadRequest(errors)
    return values


def _answered(answer: Answer) -> Response:
    empty = answer.status in _NO_CONTENT
    try:
        body = b"" if empty else encode(answer.value)
    except ValueError:
        return problem(502, "the answer is no JSON: it is nested too deeply, or not finite")
    response = Response(body, answer.status, mimetype="application/json")
    if empty:
        del response.headers["Content-Type"]
    for name, value in respondable(answer.respond):
        response.headers.add(name, value)
    partial = any(each.kind in {"failed", "fallback"} for each in answer.outcomes.values())
    response.headers["Cache-Control"] = "no-store" if partial else "private, no-cache"
    return response


def _failed(failure: Failure) -> Response:
    """The problem of a view without an answer: a call's name, not its upstream's words."""
    if not failure.call:
        return problem(failure.status, failure.detail, title=failure.title)
    detail = f"the call `{failure.call}` failed, and the view cannot do without it"
    response = problem(failure.status, detail, call=failure.call, reason=failure.reason)
    if failure.retry_after is not None:
        response.headers["Retry-After"] = str(max(1, ceil(failure.retry_after)))
    elif failure.status == StoreAway.status:
        response.headers["Retry-After"] = RETRY_AFTER
    return response
