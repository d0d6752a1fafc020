"""The authorization endpoint of the local provider with its sign-in form, and the account page."""

from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import urlencode

from flask import Flask, Response, redirect, render_template, request
from werkzeug.wrappers import Response as BaseResponse

from bff.dev.provider.control import Control
from bff.dev.provider.grants import SESSION_SECONDS, Grants, ProviderSession
from bff.dev.provider.values import (
    ACCOUNTS,
    AuthorizationRequest,
    OAuthError,
    RegisteredClient,
    read_authorization,
)

PATH: Final = "/oauth"  # so that the app, on the same host, does not receive the cookie
_NOT_ANYWHERE: Final = "The application's request cannot be answered"

Clock = Callable[[], float]


def cookie_of(issuer: str) -> str:
    """The name of a provider's cookie, with its port: cookies are shared by all ports of a host."""
    return f"bff_local_{issuer.rpartition(':')[2]}"


class SignIn:
    """The authorization endpoint and the account page."""

    def __init__(
        self,
        issuer: str,
        clients: Mapping[str, RegisteredClient],
        grants: Grants,
        always: str,
        control: Control,
        now: Clock,
    ) -> None:
        self._issuer, self._clients, self._grants = issuer, clients, grants
        self._always, self._control, self._now = always, control, now
        self._cookie = cookie_of(issuer)

    def routes(self, app: Flask) -> None:
        """Add both routes."""
        methods = ["GET", "POST"]
        app.add_url_rule("/oauth/authorize", "authorize", self._authorize, methods=methods)
        app.add_url_rule("/oauth/account", "account", self._account)

    def _authorize(self) -> BaseResponse:
        client = self._clients.get(request.args.get("client_id", ""))
        redirect_uri = request.args.get("redirect_uri", "")
        if client is None or redirect_uri not in client.redirect_uris:
            return _unknown(client, redirect_uri)
        back = _ClientRedirect(self._issuer, redirect_uri, request.args.get("state", ""))
        try:
            asked = read_authorization(request.args.to_dict(flat=False), client, redirect_uri)
            if fault := self._control.apply("authorize"):
                return fault
            answer = self._chosen if request.method == "POST" else self._continue
            return answer(asked, back)
        except OAuthError as refused:
            return back.to(error=refused.error, error_description=refused.description)

    def _continue(self, asked: AuthorizationRequest, back: "_ClientRedirect") -> BaseResponse:
        person = self._person()
        if person and fits(asked, person, self._now()):
            if "consent" in asked.prompt and not self._always:
                return _form(asked, person, consent=True)
            return back.to(code=self._grants.code(asked, person))
        name = unasked(asked, self._always)
        return self._signed_in(asked, name, back) if name else _form(asked, person)

    def _chosen(self, asked: AuthorizationRequest, back: "_ClientRedirect") -> BaseResponse:
        if request.headers.get("Origin", self._issuer) != self._issuer:
            raise OAuthError("access_denied", "the form was submitted from another origin")
        name, person = request.form.get("account", ""), self._person()
        if name not in ACCOUNTS:
            raise OAuthError("access_denied", "no account was selected")
        if "consent" in request.form and person and person.subject == name:
            if fits(asked, person, self._now()):  # the form only asked for consent
                return back.to(code=self._grants.code(asked, person))
            return self._continue(asked, back)
        return self._signed_in(asked, name, back)

    def _person(self) -> ProviderSession | None:
        return self._grants.signed_in(request.cookies.get(self._cookie, ""))

    def _signed_in(
        self, asked: AuthorizationRequest, name: str, back: "_ClientRedirect"
    ) -> BaseResponse:
        before = request.cookies.get(self._cookie, "")
        cookie, person = self._grants.sign_in(name, next(iter(asked.acr_values), ""), before)
        response = back.to(code=self._grants.code(asked, person))
        response.set_cookie(
            self._cookie, cookie, int(SESSION_SECONDS), path=PATH, httponly=True, samesite="Lax"
        )
        return response

    def _account(self) -> str:
        person = self._person()
        return render_template("account.html", account=person and ACCOUNTS[person.subject])


def fits(asked: AuthorizationRequest, person: ProviderSession, now: float) -> bool:
    """True if a session satisfies `prompt`, `max_age`, `acr_values` and `login_hint`."""
    if asked.prompt & {"login", "select_account"}:
        return False
    if asked.max_age == 0:
        return False  # as `prompt=login` (OpenID Connect Core, section 3.1.2.1)
    if asked.max_age is not None and now > person.auth_time + asked.max_age:
        return False
    if asked.acr_values and person.acr not in asked.acr_values:
        return False
    return asked.hint not in ACCOUNTS or asked.hint == person.subject


def unasked(asked: AuthorizationRequest, always: str) -> str:
    """The account that is signed in without a form; empty where the form is needed.

    Raises:
        OAuthError: the form is needed, and `prompt=none` forbids it.
    """
    if "none" in asked.prompt:
        raise OAuthError("login_required", "no session satisfies the request")
    if "select_account" in asked.prompt:
        return ""
    hint = asked.hint if asked.hint in ACCOUNTS and "login" not in asked.prompt else ""
    return hint or always


def _form(
    asked: AuthorizationRequest, person: ProviderSession | None, *, consent: bool = False
) -> Response:
    """The sign-in form; with `consent`, the consent form for the current account."""
    accounts = [ACCOUNTS[person.subject]] if person and consent else ACCOUNTS.values()
    return Response(
        render_template(
            "sign_in.html",
            client=asked.client.id,
            consent=consent,
            accounts=accounts,
            current=person.subject if person else "",
            acr=next(iter(asked.acr_values), ""),
        )
    )


def _unknown(client: RegisteredClient | None, redirect_uri: str) -> Response:
    """An error page: without a valid client and redirect_uri, redirecting is forbidden.

    See RFC 6749, section 4.1.2.1.
    """
    what = "The client_id is unknown."
    if client:
        known = ", ".join(client.redirect_uris)
        what = f"redirect_uri is {redirect_uri or 'missing'}; the client may use {known}."
    return Response(render_template("refused.html", title=_NOT_ANYWHERE, what=what), 400)


class _ClientRedirect:
    """Redirects to the client, with its `state` and the issuer (RFC 9207)."""

    def __init__(self, issuer: str, redirect_uri: str, state: str) -> None:
        self._issuer, self._redirect_uri, self._state = issuer, redirect_uri, state

    def to(self, **answer: str) -> BaseResponse:
        more = {"state": self._state} if self._state else {}
        query = urlencode({**answer, **more, "iss": self._issuer})
        joint = "&" if "?" in self._redirect_uri else "?"
        return redirect(f"{self._redirect_uri}{joint}{query}", 303)
