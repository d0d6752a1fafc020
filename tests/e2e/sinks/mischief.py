"""All that goes well and all that goes wrong, with every secret in its place and out of it."""

import socket
from base64 import b64encode
from secrets import token_urlsafe
from typing import Final
from urllib.parse import quote, urlencode, urlsplit

from tests.e2e.sinks.services import FORGED, ODD, REPLIES
from tests.e2e.sinks.visitor import FORM, SESSION, Visitor, asked, until

_RAISES: Final = ("error", "cause", "group", "type", "none")
# What is no HTTP, or more of it than is taken; gunicorn and nginx each refuse most of these.
_NO_HTTP: Final = (
    "GET /auth/callback?code={code}\r\n\r\n",
    "GET /auth/callback?code={code} HTTP/1.1 x\r\nHost: {host}\r\n\r\n",
    "GET /auth/callback?code={code}&x=\xe9 HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n",
    "GET auth/callback?code={code} HTTP/1.1\r\nHost: {host}\r\n\r\n",
    "GET http://[/auth/callback?code={code} HTTP/1.1\r\nHost: {host}\r\n\r\n",
    "GET /auth/callback HTTP/{code}\r\nHost: {host}\r\n\r\n",
    "{code} / HTTP/1.1\r\nHost: {host}\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: {host}\r\nCookie {cookie}\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: {host}\r\nX: y\r\n {cookie}\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: {host}\r\n{cookie}: {access}\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: {host}\r\nCookie: {cookie}\0\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: {host}\r\nAuthorization : Bearer {access}\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: {access}\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: {host}\r\nContent-Length: {access}\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: {host}\r\nExpect: {access}\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: {access}\r\nConnection: close\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\n\r\n{access}\r\n",
    "POST / HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx{access}\r\n",
    "GET / HTTP/1.1\r\nHost: {host}\r\nCookie: {cookie}",
    "POST /auth/logout?code={code} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 99\r\n\r\n{access}",
    "GET /auth/callback?code={code}&x={long} HTTP/1.1\r\nHost: {host}\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: {host}\r\nCookie: {cookie}; x={long}\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: {host}\r\n{many}Cookie: {cookie}\r\nConnection: close\r\n\r\n",
)


def all_goes_well(visitor: Visitor) -> None:
    """Sign in, call views, have tokens exchanged and refreshed, look at devices."""
    visitor.sign_in()
    for path in ("/web/me", "/web/orders", "/web/renew", "/auth/session", "/auth/sessions"):
        answer = visitor.ask(path)
        assert answer.status == 200, answer
    until("a rejected token is renewed", lambda: visitor.ask("/web/renew").status == 200)
    bearer = visitor.note_tokens()["access"]
    kept, visitor.cookies = visitor.cookies, {}
    assert visitor.ask("/mobile/orders", Authorization=f"Bearer {bearer}").status == 200
    visitor.cookies = kept


def services_go_wrong(visitor: Visitor) -> None:
    """Services and views do what they can."""
    paths = [f"/web/echo/{how}" for how in REPLIES]
    paths += [f"/web/told/{how}" for how in ("path", "dots", "away", "list")]
    paths += [f"/web/raises/{how}" for how in _RAISES]
    for path in (*paths, "/web/odd_shape"):
        assert visitor.ask(path).status in {200, 401, 403, 500, 502, 504}, path
        visitor.note_tokens()


def sign_ins_go_wrong(visitor: Visitor) -> None:
    """Callbacks that do not count, and a provider that repeats what it was told."""
    secrets = visitor.secrets
    back = visitor.at_provider(where := visitor.begin())
    code = secrets.add("authorization code", token_urlsafe(32))
    iss = {"iss": f"http://{urlsplit(where).netloc}"}
    for wrong in (  # each with a state of its own, which counts once
        visitor.callback(visitor.begin(), code=code),
        visitor.callback(visitor.begin(), code=code, iss="https://other.example"),
        visitor.callback(visitor.begin(), code=code, **iss),
        visitor.callback(visitor.begin(), error="access_denied", error_description=code, **iss),
        visitor.callback(
            visitor.begin(), error=code, error_uri=f"https://other.example/{code}", **iss
        ),
        f"/auth/callback?code={code}&state={code}",
        f"/auth/callback/other?code={code}",
        f"/auth/login/other?return_to=https://other.example/{code}",
        f"/auth/login?prompt={code}",
        f"/auth/login?acr_values={code}%0a",
    ):
        assert visitor.ask(wrong).status in {400, 404, 503}, wrong
        assert visitor.go(wrong).status in {400, 404, 503}, wrong
    assert visitor.ask(back).status < 400
    tokens = visitor.note_tokens()
    assert visitor.ask(back).status < 400  # it goes on to where it led, and signs nobody in
    assert visitor.note_tokens() == tokens
    for how in (*ODD, "status", "html", "broken", "redirect", "reason", "cut", "reset", "slow"):
        code = secrets.add("authorization code", f"{how}.{token_urlsafe(32)}")
        answer = visitor.go(visitor.callback(visitor.begin("odd"), code=code))
        assert answer.status in {400, 502, 503}, (how, answer)


def requests_go_wrong(visitor: Visitor) -> None:
    """Cookies and tokens where they do not belong, and what no server takes."""
    tokens, cookie = visitor.note_tokens(), f"{SESSION}={visitor.cookies[SESSION]}"
    access, session = tokens["access"], visitor.cookies[SESSION]
    visitor.secrets.add("logout token", FORGED)
    for headers in (
        {"Cookie": f"{cookie}; {cookie}"},
        {"Cookie": f'{SESSION}="{session}"; {SESSION}-login-x={session}'},
        {"Cookie": cookie, "Authorization": f"Bearer {access}"},
        {"Cookie": cookie, "X_CSRF": session},
        {"Cookie": cookie, "Origin": f"https://{session}.example"},
        {"Cookie": "", "Authorization": f"Bearer {access}x"},
        {"Cookie": "", "Authorization": f"Bearer {tokens['id']}"},
        {"Cookie": "", "Authorization": f"Bearer {FORGED}"},
        {"Cookie": "", "Authorization": f"bearer  {access} {access}"},
        {"Cookie": "", "Authorization": f"Basic {access}"},
        {"Cookie": f"{cookie}; x={'x' * 9000}"},
        {"Cookie": f"{cookie}; x={'x' * 8120}"},  # as much as nginx takes, and gunicorn does not
    ):
        for path in ("/mobile/me", "/web/me"):
            visitor.ask(path, **headers)
    for path in (
        f"/web/me?access_token={access}&code={session}",
        f"/auth/sessions/other?code={session}",
        f"/auth/logged-out?state={access}",
        f"/auth/backchannel-logout?logout_token={FORGED}",
        f"//other.example/auth/callback?code={session}",
    ):
        visitor.go(path)
        visitor.ask(path, "POST", f"code={access}")
    for given in (FORGED, tokens["id"], access, session):
        form = urlencode({"logout_token": given})
        assert visitor.ask("/auth/backchannel-logout", "POST", form).status == 400
    rest = {"long": "x" * 9000, "many": "X: y\r\n" * 101, "host": visitor.host}
    code = visitor.secrets.add("authorization code", quote(token_urlsafe(32)))
    for text in _NO_HTTP:
        visitor.refused += visitor.raw(text.format(code=code, cookie=cookie, access=access, **rest))


def the_provider_is_away(visitor: Visitor, back: str) -> None:
    """It does not answer: to `back`, a callback; and to a refresh."""
    assert visitor.go(back).status == 503
    until("a refresh fails", lambda: visitor.ask("/web/renew").status == 503)
    visitor.begin()  # where it is, is still known


def the_grant_ends(visitor: Visitor, secret: str) -> None:
    """The refresh token is worth nothing any more: the session ends with it."""
    proof = b64encode(f"shop:{secret}".encode()).decode()
    form = urlencode({"token": visitor.note_tokens()["refresh"]})
    where = urlsplit(visitor.begin())
    headers = {"Authorization": f"Basic {proof}", "Content-Type": FORM}
    assert asked(where.port, "POST", "/oauth/revoke", form, headers).status == 200
    visitor.ask("/web/renew")
    until("the session ends", lambda: visitor.ask("/web/renew") and not visitor.signed_in)


def the_store_is_away(visitor: Visitor, back: str) -> None:
    """Nothing can be written, or nothing be read either."""
    assert visitor.ask(back).status == 503
    visitor.ask("/web/me")
    visitor.ask("/web/renew")
    visitor.go("/auth/session")
    visitor.ask("/auth/logout", "POST")


def signs_out(visitor: Visitor) -> None:
    """Here; and at the provider, which then says so (back-channel)."""
    visitor.sign_in()
    answer = visitor.ask("/auth/logout", "POST")
    assert answer.json["logout_url"], answer
    visitor.sign_in()
    visitor.sign_out_at_provider()
    until("it has said so", lambda: not visitor.signed_in)


def the_provider_is_abused(visitor: Visitor, secret: str) -> None:
    """What it refuses has secrets in it, too."""
    tokens, port = visitor.sign_in().note_tokens(), urlsplit(visitor.begin()).port
    code = visitor.secrets.add("authorization code", token_urlsafe(32))
    form = {"code": code, "refresh_token": tokens["refresh"], "code_verifier": code}
    typed = {"Content-Type": FORM}
    proof = {**typed, "Authorization": "Basic " + b64encode(f"shop:{secret}".encode()).decode()}
    wrong = {**typed, "Authorization": f"Basic {secret}"}
    for kind in ("authorization_code", "refresh_token", "client_credentials", "", code):
        for headers in (proof, wrong, typed):
            asked(port, "POST", "/oauth/token", urlencode({"grant_type": kind, **form}), headers)
    for path in (f"authorize?state={code}", f"end-session?id_token_hint={tokens['id']}", code):
        asked(port, "GET", f"/oauth/{path}", None, {"Cookie": f"x={tokens['access']}"})
    for text in _NO_HTTP[:4]:
        with socket.create_connection(("127.0.0.1", port or 0), timeout=5) as line:
            line.sendall(text.format(code=code, host="127.0.0.1").encode("latin-1"))
