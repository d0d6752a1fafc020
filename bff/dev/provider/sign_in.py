"""The local provider's pages for people: who do you want to be, and who are you."""

from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import urlencode

from flask import Flask, Response, redirect, render_template, request
from werkzeug.wrappers import Response as BaseResponse

from bff.dev.provider.control import Control
from bff.dev.provider.grants import SESSION_SECONDS, Grants, SignedIn
from bff.dev.provider.values import (
    ACCOUNTS,
    Authorization,
    Client,
    Refused,
    read_authorization,
)

PATH: Final = "/oauth"  # so that the app, on the same host, does not even get it
_NOT_ANYWHERE: Final = "The application's request cannot be answered"

Clock = Callable[[], float]


def cookie_of(issuer: str) -> str:
    """The name of a provider's cookie, which cookies know no ports to tell it by."""
    return f"bff_local_{issuer.rpartition(':')[2]}"


class SignIn:
    """The authorization endpoint, and a page that says who is signed in here."""

    def __init__(
        self,
        issuer: str,
        clients: Mapping[str, Client],
        grants: Grants,
        always: str,
        control: Control,
        now: Clock,
    ) -> None:
        self._issuer, self._clients, self._grants = issuer, clients, grants
        self._always, self._control, self._now = always, control, now
        self._cookie = cookie_of(issuer)

    def routes(self, app: Flask) -> None:
        """Add both."""
        methods = ["GET", "POST"]
        app.add_url_rule("/oauth/authorize", "authorize", self._authorize, methods=methods)
        app.add_url_rule("/oauth/account", "account", self._account)

    def _authorize(self) -> BaseResponse:
        client = self._clients.get(request.args.get("client_id", ""))
        redirect_uri = request.args.get("redirect_uri", "")
        if client is None or redirect_uri not in client.redirect_uris:
            return _unknown(client, redirect_uri)
        back = _Back(self._issuer, redirect_uri, request.args.get("state", ""))
        try:
            asked = read_authorization(request.args.to_dict(flat=False), client, redirect_uri)
            if fault := self._control.apply("authorize"):
                return fault
            answer = self._chosen if request.method == "POST" else self._wanted
            return answer(asked, back)
        except Refused as refused:
            return back.to(error=refused.error, error_description=refused.description)

    def _wanted(self, asked: Authorization, back: "_Back") -> BaseResponse:
        person = self._person()
        if person and fits(asked, person, self._now()):
            if "consent" in asked.prompt and not self._always:
                return _form(asked, person, consent=True)
            return back.to(code=self._grants.code(asked, person))
        name = unasked(asked, self._always)
        return self._signed_in(asked, name, back) if name else _form(asked, person)

    def _chosen(self, asked: Authorization, back: "_Back") -> BaseResponse:
        if request.headers.get("Origin", self._issuer) != self._issuer:
            raise Refused("access_denied", "the choice was made on another site")
        name, person = request.form.get("account", ""), self._person()
        if name not in ACCOUNTS:
            raise Refused("access_denied", "nobody was chosen")
        if "consent" in request.form and person and person.subject == name:
            if fits(asked, person, self._now()):  # they have only been asked for consent
                return back.to(code=self._grants.code(asked, person))
            return self._wanted(asked, back)
        return self._signed_in(asked, name, back)

    def _person(self) -> SignedIn | None:
        return self._grants.signed_in(request.cookies.get(self._cookie, ""))

    def _signed_in(self, asked: Authorization, name: str, back: "_Back") -> BaseResponse:
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


def fits(asked: Authorization, person: SignedIn, now: float) -> bool:
    """Whether somebody who is signed in here already is who is asked for, and freshly enough."""
    if asked.prompt & {"login", "select_account"}:
        return False
    if asked.max_age == 0:
        return False  # as `prompt=login` (OpenID Connect Core, section 3.1.2.1)
    if asked.max_age is not None and now > person.auth_time + asked.max_age:
        return False
    if asked.acr_values and person.acr not in asked.acr_values:
        return False
    return asked.hint not in ACCOUNTS or asked.hint == person.subject


def unasked(asked: Authorization, always: str) -> str:
    """Who is signed in without a form; empty where it has to be shown.

    Raises:
        Refused: it has to be, and may not be.
    """
    if "none" in asked.prompt:
        raise Refused("login_required", "nobody is signed in, or not as is asked for")
    if "select_account" in asked.prompt:
        return ""
    hint = asked.hint if asked.hint in ACCOUNTS and "login" not in asked.prompt else ""
    return hint or always


def _form(asked: Authorization, person: SignedIn | None, *, consent: bool = False) -> Response:
    """The choice of an account; with `consent`, the question whether the client may know it."""
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


def _unknown(client: Client | None, redirect_uri: str) -> Response:
    """What may not be sent back anywhere (RFC 6749, section 4.1.2.1) is told to the developer."""
    what = "There is no client of that client_id."
    if client:
        known = ", ".join(client.redirect_uris)
        what = f"redirect_uri is {redirect_uri or 'missing'}; the client may use {known}."
    return Response(render_template("refused.html", title=_NOT_ANYWHERE, what=what), 400)


class _Back:
    """Redirects to the client: with its state, and with who answers (RFC 9207)."""

    def __init__(self, issuer: str, redirect_uri: str, state: str) -> None:
        self._issuer, self._redirect_uri, self._state = issuer, redirect_uri, state

    def to(self, **answer: str) -> BaseResponse:
        more = {"state": self._state} if self._state else {}
        query = urlencode({**answer, **more, "iss": self._issuer})
        joint = "&" if "?" in self._redirect_uri else "?"
        return redirect(f"{self._redirect_uri}{joint}{query}", 303)
