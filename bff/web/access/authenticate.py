"""Authentication by session cookie or bearer token, and authorization by an access rule."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any, Final

from flask import Request, g

from bff.auth.oidc.bearer import Bearer
from bff.auth.session.csrf import CsrfHeaders, check_cross_site
from bff.auth.session.sessions import Session, Sessions
from bff.errors import Ambiguous, Forbidden, InvalidToken, LoginRequired
from bff.model.access import Access, Csrf, Requirement
from bff.model.frontend import Frontend
from bff.model.principal import NOBODY, Principal
from bff.web.access.cookies import Cookies

_BOTH: Final = "the request has both a session cookie and a bearer token: send only one"


@dataclass(frozen=True, slots=True)
class AccessRule:
    """Access control of one view or relay, for one frontend.

    Args:
        csrf: the CSRF check of requests with a session cookie.
        require: scopes and claims that the principal must have.
        visitor: whether anonymous browsers get a visitor id.
    """

    frontend: Frontend
    access: Access
    csrf: Csrf = "header"
    require: Requirement | None = None
    visitor: bool = False


def vary_headers(rule: AccessRule) -> tuple[str, ...]:
    """The request headers that authentication reads, for Vary (RFC 9110, section 12.5.5)."""
    if rule.access == "public":
        return ()
    names = {"session": "Cookie", "bearer": "Authorization"}
    return tuple(names[way] for way in rule.frontend.access)


def csrf_headers(request: Request) -> CsrfHeaders:
    """The headers that the CSRF checks read (Fetch Metadata; RFC 6454)."""
    headers = request.headers
    return CsrfHeaders(
        method=request.method,
        origin=headers.get("Origin"),
        fetch_site=headers.get("Sec-Fetch-Site"),
        fetch_mode=headers.get("Sec-Fetch-Mode"),
        fetch_dest=headers.get("Sec-Fetch-Dest"),
        csrf=headers.get("X-CSRF"),
    )


def own_origin(request: Request) -> str:
    """The origin that a request was sent to (RFC 6454); `hosts` has its Host header."""
    return f"{request.scheme}://{request.host.lower()}"


class Authenticator:
    """Authenticates requests.

    Args:
        bearer: validates bearer tokens; None if no issuer is configured.
    """

    def __init__(self, sessions: Sessions, cookies: Cookies, bearer: Bearer | None) -> None:
        self._sessions, self._cookies, self._bearer = sessions, cookies, bearer

    def __call__(self, request: Request, rule: AccessRule) -> Principal:
        """The principal of a request.

        Raises:
            Ambiguous: it has both a session cookie and a bearer token.
            InvalidToken: the bearer token is invalid; such a request is never anonymous.
            CrossSite: the CSRF check failed.
            StoreAway, ProviderAway: the session store or the provider is unavailable.
        """
        given, token = self._cookies.session_id(request), _token(request)
        if token is not None:
            if given:
                raise Ambiguous(_BOTH)
            return self._by_token(token, rule)
        principal = NOBODY
        if given and "session" in rule.frontend.access:
            check_cross_site(
                csrf_headers(request), rule.csrf, own_origin(request), rule.frontend.origins
            )
            session = self._sessions.load(given)
            principal = session.principal() if session else NOBODY
        if rule.visitor and not principal.visitor:
            principal = replace(principal, visitor=self._visitor(request))
        return principal

    def _by_token(self, token: str, rule: AccessRule) -> Principal:
        if "bearer" not in rule.frontend.access or self._bearer is None:
            raise InvalidToken("bearer tokens are not accepted here")
        return self._bearer.principal(token)

    def _visitor(self, request: Request) -> str:
        """The visitor id of the browser; a new one if its cookie is missing or not authentic."""
        visitor = self._cookies.visitor(request)
        if not visitor:
            visitor, cookie = self._cookies.new_visitor(request)
            g.cookies = [*g.get("cookies", ()), cookie]
        return visitor


def session_of(
    request: Request,
    sessions: Sessions,
    cookies: Cookies,
    origins: Collection[str],
    *,
    slide: bool = True,
    csrf: Csrf = "header",
) -> Session | None:
    """The session of a request to an endpoint below `/auth`; None if it has none.

    Args:
        origins: origins whose pages may send such requests, besides the request's own.
        slide: whether the request extends the session's idle time.

    Raises:
        Ambiguous: it has a bearer token as well.
        CrossSite: the CSRF check failed.
        StoreAway: the session store is unavailable.
    """
    given = cookies.session_id(request)
    if not given:
        return None
    if _token(request) is not None:
        raise Ambiguous(_BOTH)
    check_cross_site(csrf_headers(request), csrf, own_origin(request), origins)
    return sessions.load(given, slide=slide)


def _token(request: Request) -> str | None:
    """The bearer token of the Authorization header (RFC 6750, section 2.1); None without one."""
    scheme, _, token = request.headers.get("Authorization", "").replace("\t", " ").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def authorize(principal: Principal, rule: AccessRule) -> None:
    """Check that a principal may make a request.

    Raises:
        LoginRequired: it is anonymous.
        Forbidden: it lacks a required scope or claim.
    """
    if rule.access == "signed_in" and not principal.signed_in:
        raise LoginRequired("sign in first")
    if rule.require is None:
        return
    if not principal.signed_in:
        raise LoginRequired("sign in first")
    if not principal.scopes.issuperset(rule.require.scope):
        raise Forbidden("insufficient scope", " ".join(rule.require.scope))
    for claim in rule.require.claims:
        if not _has(claim.select(principal.claims), claim.values):
            raise Forbidden(f"the claim `{claim.path}` does not have a required value")


def _has(claim: Any, values: Collection[Any]) -> bool:
    """Whether a claim equals one of the values, or is a list with one of them; `true` is not 1."""
    found = claim if isinstance(claim, list) else [claim]
    return any(type(each) is type(value) and each == value for each in found for value in values)
