"""Who asks: a session's cookie or a bearer token, never both, and nobody where there is neither."""

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

_BOTH: Final = "a session and a bearer token: send one of them"


@dataclass(frozen=True, slots=True)
class Rule:
    """What a view asks of who asks.

    Args:
        visitor: whether it wants to know one browser from another before anybody signs in.
    """

    frontend: Frontend
    access: Access
    csrf: Csrf = "header"
    require: Requirement | None = None
    visitor: bool = False


def varies(rule: Rule) -> tuple[str, ...]:
    """The request headers by which who asks is known (RFC 9110, section 12.5.5)."""
    if rule.access == "public":
        return ()
    names = {"session": "Cookie", "bearer": "Authorization"}
    return tuple(names[way] for way in rule.frontend.access)


def sent(request: Request) -> CsrfHeaders:
    """What a browser says of where a request comes from (Fetch Metadata; RFC 6454)."""
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
    """The origin that a request was sent to; its Host is one of ours."""
    return f"{request.scheme}://{request.host.lower()}"


class Authenticator:
    """Says who asks for a view.

    Args:
        bearer: reads tokens; None where no issuer is declared.
    """

    def __init__(self, sessions: Sessions, cookies: Cookies, bearer: Bearer | None) -> None:
        self._sessions, self._cookies, self._bearer = sessions, cookies, bearer

    def __call__(self, request: Request, rule: Rule) -> Principal:
        """The principal of a request.

        Raises:
            Ambiguous: it has a session's cookie and a bearer token.
            InvalidToken: the bearer token does not count; it is never as if there were none.
            CrossSite: a page of somebody else's may have sent it.
            StoreAway, ProviderAway: that cannot be said just now.
        """
        given, token = self._cookies.session_id(request), _token(request)
        if token is not None:
            if given:
                raise Ambiguous(_BOTH)
            return self._by_token(token, rule)
        principal = NOBODY
        if given and "session" in rule.frontend.access:
            check_cross_site(sent(request), rule.csrf, own_origin(request), rule.frontend.origins)
            session = self._sessions.load(given)
            principal = session.principal() if session else NOBODY
        if rule.visitor and not principal.visitor:
            principal = replace(principal, visitor=self._visitor(request))
        return principal

    def _by_token(self, token: str, rule: Rule) -> Principal:
        if "bearer" not in rule.frontend.access or self._bearer is None:
            raise InvalidToken("bearer tokens are not taken here")
        return self._bearer.principal(token)

    def _visitor(self, request: Request) -> str:
        """The browser's id; a new one if it has none, or none that we have given it."""
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
    """The session of a request for one of our own endpoints, which take no tokens.

    Raises:
        Ambiguous: it has a bearer token as well.
        CrossSite: a page of somebody else's may have sent it.
    """
    given = cookies.session_id(request)
    if not given:
        return None
    if _token(request) is not None:
        raise Ambiguous(_BOTH)
    check_cross_site(sent(request), csrf, own_origin(request), origins)
    return sessions.load(given, slide=slide)


def _token(request: Request) -> str | None:
    """What stands behind `Bearer` (RFC 6750, section 2.1); None without that."""
    scheme, _, token = request.headers.get("Authorization", "").replace("\t", " ").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def admit(principal: Principal, rule: Rule) -> None:
    """Let who asks in, or not.

    Raises:
        LoginRequired: nobody is signed in.
        Forbidden: who is lacks a scope or a claim.
    """
    if rule.access == "signed_in" and not principal.signed_in:
        raise LoginRequired("sign in first")
    if rule.require is None:
        return
    if not principal.signed_in:
        raise LoginRequired("sign in first")
    if not principal.scopes.issuperset(rule.require.scope):
        raise Forbidden("the scope does not suffice", " ".join(rule.require.scope))
    for claim in rule.require.claims:
        if not _has(claim.select(principal.claims), claim.values):
            raise Forbidden(f"the claim `{claim.path}` does not suffice")


def _has(claim: Any, values: Collection[Any]) -> bool:
    """Whether a claim is one of the values, or a list that holds one; `true` is not 1."""
    found = claim if isinstance(claim, list) else [claim]
    return any(type(each) is type(value) and each == value for each in found for value in values)
