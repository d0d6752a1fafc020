"""Our own endpoints below `/auth`: what they need, and what all their answers have in common."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any, Final

from flask import Flask, Response, g, request

from bff.auth.provider import OpenIdProvider
from bff.auth.seal import Seal
from bff.auth.session import KeptTokens, Session, Sessions
from bff.errors import BffError
from bff.model.json_text import encode_json
from bff.observe.events import Audited, Observer
from bff.web.body import BadBody, check_coding
from bff.web.cookies import Cookies
from bff.web.limits import Limits
from bff.web.problem import problem
from bff.web.refusal import refusal

_PATIENCE: Final = 5.0  # seconds for telling providers, which is a courtesy


@dataclass(frozen=True, slots=True)
class SignIn:
    """What signing in and out needs.

    Args:
        providers: by name, the usual one first.
        return_to: origins besides our own that people may come back to.
        origins: origins of the pages of frontends that take sessions.
    """

    providers: Mapping[str, OpenIdProvider]
    sessions: Sessions
    cookies: Cookies
    seal: Seal
    limits: Limits
    observer: Observer
    return_to: tuple[str, ...] = ()
    origins: frozenset[str] = frozenset()

    def end(self, those: Iterable[Session], own: str = "") -> list[KeptTokens]:
        """End sessions for a request of the person's; then have their tokens revoked.

        Args:
            own: the key of the session that asks.

        Returns:
            The tokens that they had.
        """
        ended = []
        for each in those:
            kept = self.sessions.end(each.key)
            self.heard("signed_out", each, "" if each.key == own else "elsewhere")
            ended += [kept] if kept else []
        self.revoke(ended)
        return ended

    def revoke(self, ended: Iterable[KeptTokens]) -> None:
        """Tell providers of tokens that nobody uses any more, for as long as one may keep us."""
        until = monotonic() + _PATIENCE
        for kept in ended:
            provider = self.providers.get(kept.provider)
            if provider and monotonic() < until:
                provider.revoke(kept.tokens.refresh or kept.tokens.access)

    def heard(self, what: Any, session: Session, reason: str = "") -> None:
        """Tell the listener what has become of a session."""
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


Endpoint = Callable[..., Response]  # of SignIn and the variables of its route


def add_endpoints(app: Flask, parts: SignIn, routes: Sequence[tuple[str, str, Endpoint]]) -> None:
    """Add routes as (method, path, view)."""
    for method, path, view in routes:
        app.add_url_rule(
            path, f"{method} {path}".replace(".", "_"), _endpoint(view, parts), methods=[method]
        )


def _endpoint(view: Endpoint, parts: SignIn) -> Callable[..., Response]:
    def answer(**variables: str) -> Response:
        try:
            check_coding(request.headers)
            return view(parts, **variables)
        except BadBody as bad:
            response = problem(bad.status, bad.detail)
            response.headers.update(bad.headers)
            return response
        except BffError as error:
            reason = type(error).__name__
            about = {"id": g.request_id, "detail": error.detail}
            parts.observer(Audited("refused", reason=reason, **about))
            return refusal(error, page=_is_looked_at())

    return answer


def never_stored(response: Response) -> Response:
    """Below `/auth` no answer is stored anywhere.

    Of what is not there, or cannot be done there, too: a cache may guess how long that holds.
    """
    if request.path.startswith("/auth/"):
        response.headers["Cache-Control"] = "no-store"
        response.vary.add("Cookie")
    return response


def _is_looked_at() -> bool:
    """Whether a person sees the answer, rather than a script."""
    return request.method == "GET" and "text/html" in request.headers.get("Accept", "")


def json_of(content: Any) -> Response:
    """An answer of 200."""
    return Response(encode_json(content), mimetype="application/json")
