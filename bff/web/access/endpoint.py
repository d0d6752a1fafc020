"""Our own endpoints below `/auth`: what they need, and what all their answers have in common."""

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
from bff.web.access.limits import RateLimits
from bff.web.access.refusal import refusal
from bff.web.json_body import check_coding
from bff.web.problem import problem

_SEE_OTHER: Final = 303
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
    logins: LoginStates
    seal: Seal
    limits: RateLimits
    observer: Observer
    return_to: tuple[str, ...] = ()
    origins: frozenset[str] = frozenset()

    def sign_out(self, session: Session) -> StoredTokens | None:
        """End a session at its person's request, and its grant at the provider.

        Returns:
            The tokens that it had; None if it had just ended.
        """
        ended = self.sessions.sign_out(session.key)
        self.heard("signed_out", session)
        self._revoke([ended] if ended else [])
        return ended

    def end(self, those: Iterable[Session], own: str) -> None:
        """End sessions that a person has chosen from the list of theirs.

        Args:
            own: the key of the session that asks.
        """
        ended = []
        for each in those:
            kept = self.sessions.end(each.key)
            self.heard("signed_out", each, "" if each.key == own else "elsewhere")
            ended += [kept] if kept else []
        self._revoke_unshared(ended)

    def replace(self, keys: Iterable[str], successor: str) -> None:
        """End the sessions that a browser had before the new one.

        Args:
            successor: the key of that.
        """
        ended = []
        for key in keys:
            kept = self.sessions.replace(key, successor)
            if kept:
                about = {"subject": kept.tokens.subject, "provider": kept.provider}
                self.observer(
                    Audited("ended", session=key, reason="replaced", id=g.request_id, **about)
                )
                ended.append(kept)
        self._revoke_unshared(ended)

    def _revoke_unshared(self, ended: Iterable[StoredTokens]) -> None:
        """Revoke the grants that no other session has its tokens from.

        Signing in again, in the same session of the provider's, adds tokens to the same grant: to
        revoke those that have been replaced would end the new ones (RFC 7009, section 2.1).
        """
        self._revoke([each for each in ended if not self.sessions.shares_grant(each)])

    def _revoke(self, ended: Iterable[StoredTokens]) -> None:
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
        except RequestRefused as error:
            response = problem(error.status, str(error))
            response.headers.update(error.headers)
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


def see_other(location: str) -> Response:
    """Send the browser there, without a page that would repeat the address."""
    response = Response(status=_SEE_OTHER)
    response.headers["Location"] = location
    del response.headers["Content-Type"]
    return response
