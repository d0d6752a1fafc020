"""Logout at the local provider: ends the browser's session, and notifies its applications."""

from collections.abc import Mapping
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from flask import Flask, Response, redirect, render_template, request
from werkzeug.wrappers import Response as BaseResponse

from bff.dev.provider.grants import Grants
from bff.dev.provider.sign_in import PATH, cookie_of
from bff.dev.provider.tokens import Signer
from bff.dev.provider.values import RegisteredClient

_NOTIFY_SECONDS: Final = 2.0  # seconds; timeout for each application


def logout_routes(
    app: Flask, clients: Mapping[str, RegisteredClient], grants: Grants, signer: Signer
) -> None:
    """The end-session endpoint (OpenID Connect RP-Initiated Logout, section 2)."""
    cookie = cookie_of(signer.issuer)

    def end_session() -> BaseResponse:
        given = request.values
        hint = signer.read(given.get("id_token_hint", ""), "JWT", expired=True) or {}
        client = clients.get(str(hint.get("aud") or given.get("client_id", "")))
        place = given.get("post_logout_redirect_uri", "")
        if place and (client is None or place not in client.logout_uris):
            return _refused(client, place)
        here = grants.signed_in(request.cookies.get(cookie, ""))
        sid = str(hint.get("sid", "")) or (here.sid if here else "")
        if sid:
            _end(sid, clients, grants, signer)
        response = _back(place, given.get("state", ""))
        if here and here.sid == sid:
            response.delete_cookie(cookie, path=PATH)
        return response

    app.add_url_rule("/oauth/end-session", "end_session", end_session, methods=["GET", "POST"])


def _back(place: str, state: str) -> BaseResponse:
    if not place:
        return Response(render_template("account.html", account=None))
    return redirect(f"{place}?{urlencode({'state': state})}" if state else place, 303)


def _refused(client: RegisteredClient | None, place: str) -> Response:
    known = ", ".join(client.logout_uris) if client else "no address, as it is not known"
    what = f"post_logout_redirect_uri is {place}; the client may use {known}."
    return Response(
        render_template("refused.html", title="You are still signed in here", what=what), 400
    )


def _end(sid: str, clients: Mapping[str, RegisteredClient], grants: Grants, signer: Signer) -> None:
    """End a session, and send logout tokens to its clients (Back-Channel Logout, section 2.5)."""
    subject, visited = grants.sign_out(sid)
    for client in sorted(visited):
        if uri := clients[client].backchannel_uri:
            _tell(uri, {"logout_token": signer.logout_token(subject, sid, client)})


def _tell(uri: str, form: Mapping[str, Any]) -> None:
    parts = urlsplit(uri)
    connection = HTTPConnection(parts.netloc, timeout=_NOTIFY_SECONDS)
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    # An unreachable application does not prevent the logout.
    with suppress(OSError, HTTPException):
        connection.request("POST", parts.path, urlencode(form), headers)
        connection.getresponse().read()
    connection.close()
