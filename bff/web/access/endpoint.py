"""The endpoints below `/auth`: their shared context, error handling and response headers."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any, Final

from flask import Flask, Response, g, request

from bff.auth.oidc.login_state import LoginStates
from bff.auth.oidc.provider import OpenIdProvider
from bff.auth.session.sessions import Session, Sessions, StoredTokens
from bff.errors import BffError, RequestRefused
from bff.model.json_text import encode_json
from bff.observe.events import Audited, Observer
from bff.store.seal import Seal
from bff.web.access.cookies import Cookies
from bff.web.access.rate_limits import RateLimits
from bff.web.access.refusal import refusal
from bff.web.json_body import check_coding
from bff.web.problem import problem

_SEE_OTHER: Final = 303
_REVOCATION_TIMEOUT: Final = 5.0  # seconds for all revocations of one request: best effort


@dataclass(frozen=True, slots=True)
class AuthContext:
    """The objects that the endpoints below `/auth` share.

    Args:
        providers: by name; the first is the default.
        logins: sign-ins in progress.
        return_to: allowed origins of `return_to`, besides the request's own.
        origins: origins of the frontends that use sessions; their pages pass the CSRF check.
    """

    providers: Mapping[str, OpenIdProvider]
    sessions: Sessions
    cookies: Cookies
    logins: LoginStates
    seal: Seal
    limits: RateLimits
    observer: Observer
    return_to: tuple[str, ...] = ()
    origins: frozenset[str] = frozenset()

    def sign_out(self, session: Session) -> StoredTokens | None:
        """End a session at its user's request, and revoke its tokens.

        Returns:
            The tokens that it had; None if it had already ended.
        """
        ended = self.sessions.sign_out(session.key)
        self.audit("signed_out", session)
        self._revoke([ended] if ended else [])
        return ended

    def end_sessions(self, those: Iterable[Session], own: str) -> None:
        """End sessions of one user, and revoke their tokens.

        Args:
            own: the key of the session of the request.
        """
        ended = []
        for each in those:
            tokens = self.sessions.end(each.key)
            self.audit("signed_out", each, "" if each.key == own else "elsewhere")
            ended += [tokens] if tokens else []
        self._revoke_unshared(ended)

    def end_replaced(self, keys: Iterable[str], successor: str) -> None:
        """End the sessions that a new session of the same browser replaces.

        Args:
            successor: the key of the new session.
        """
        ended = []
        for key in keys:
            stored = self.sessions.replace(key, successor)
            if stored:
                about = {"subject": stored.tokens.subject, "provider": stored.provider}
                self.observer(
                    Audited("ended", session=key, reason="replaced", id=g.request_id, **about)
                )
                ended.append(stored)
        self._revoke_unshared(ended)

    def _revoke_unshared(self, ended: Iterable[StoredTokens]) -> None:
        """Revoke tokens whose grant no other session shares.

        Signing in again within the same session at the provider adds tokens to the same grant;
        revoking the replaced tokens would end the new ones too (RFC 7009, section 2.1).
        """
        self._revoke([each for each in ended if not self.sessions.shares_grant(each)])

    def _revoke(self, ended: Iterable[StoredTokens]) -> None:
        """Revoke tokens at their providers (RFC 7009), best effort within a time limit."""
        until = monotonic() + _REVOCATION_TIMEOUT
        for stored in ended:
            provider = self.providers.get(stored.provider)
            if provider and monotonic() < until:
                provider.revoke(stored.tokens.refresh or stored.tokens.access)

    def audit(self, what: Any, session: Session, reason: str = "") -> None:
        """Write an event of a session to the audit log."""
        self.observer(
            Audited(
                what,
                issuer=session.issuer,
                subject=session.subject,
                session=session.key,
                provider=session.provider,
                reason=reason,
                id=g.request_id,
            )
        )


Endpoint = Callable[..., Response]  # takes an AuthContext and the variables of its route


def add_endpoints(
    app: Flask, auth: AuthContext, routes: Sequence[tuple[str, str, Endpoint]]
) -> None:
    """Add routes as (method, path, view)."""
    for method, path, view in routes:
        app.add_url_rule(
            path, f"{method} {path}".replace(".", "_"), _endpoint(view, auth), methods=[method]
        )


def _endpoint(view: Endpoint, auth: AuthContext) -> Callable[..., Response]:
    def answer(**variables: str) -> Response:
        try:
            check_coding(request.headers)
            return view(auth, **variables)
        except RequestRefused as error:
            response = problem(error.status, str(error))
            response.headers.update(error.headers)
            return response
        except BffError as error:
            reason = type(error).__name__
            about = {"id": g.request_id, "detail": error.detail}
            auth.observer(Audited("refused", reason=reason, **about))
            return refusal(error, page=_wants_html())

    return answer


def no_store(response: Response) -> Response:
    """Set `Cache-Control: no-store` on every response below `/auth`.

    That includes 404 and 405, which caches may store heuristically (RFC 9110, section 15.1).
    """
    if request.path.startswith("/auth/"):
        response.headers["Cache-Control"] = "no-store"
        response.vary.add("Cookie")
    return response


def _wants_html() -> bool:
    """Whether the client is a browser that shows the response as a page."""
    return request.method == "GET" and "text/html" in request.headers.get("Accept", "")


def json_response(content: Any) -> Response:
    """A response with status 200 and a JSON body."""
    return Response(encode_json(content), mimetype="application/json")


def see_other(location: str) -> Response:
    """A redirect by 303 without a body, which would repeat the URL (RFC 9110, section 15.4.4)."""
    response = Response(status=_SEE_OTHER)
    response.headers["Location"] = location
    del response.headers["Content-Type"]
    return response
