"""Services and a provider that tell everybody what they were told."""

from collections.abc import Callable
from typing import Any, Final
from urllib.parse import parse_qsl

from joserfc.jwk import ECKey

from bff.dev.stubs.stub import StubReply, StubRequest
from tests.e2e.sinks.secret import Secrets

_HTML: Final = ("Content-Type", "text/html")
_JSON: Final = ("Content-Type", "application/json")
# Ways in which a reply can be wrong; what it says is its request, credentials included.
REPLIES: Final[dict[str, Callable[[bytes, str], StubReply]]] = {
    "status": lambda said, _: StubReply(500, [_HTML], said),
    "passed": lambda said, _: StubReply.json({"detail": said.decode()}, 403),
    "problem": lambda said, _: StubReply.problem(400, said.decode(), detail=said.decode()),
    "html": lambda said, _: StubReply(200, [_HTML], said),
    "broken": lambda said, _: StubReply(200, [_JSON], b'{"' + said),
    "coding": lambda said, token: StubReply(200, [_JSON, ("Content-Encoding", token)], said),
    "gzip": lambda said, _: StubReply(200, [_JSON, ("Content-Encoding", "gzip")], said),
    "redirect": lambda _, token: StubReply(302, [("Location", f"http://h.example/?t={token}")]),
    "link": lambda _, token: StubReply(302, [("Location", f"/v9/../../{token}?t={token}")]),
    "loop": lambda _, token: StubReply(302, [("Location", f"/echo/loop?t={token}")]),
    "header": lambda said, token: StubReply(200, [_JSON, ("X-T", f"{token}\x01")], said),
    "reason": lambda said, token: StubReply(401, [("WWW-Authenticate", f"Bearer {token}")], said),
    "length": lambda said, token: StubReply(200, [_JSON, ("Content-Length", token)], said),
    "type": lambda said, token: StubReply(200, [("Content-Type", f"text/x; x={token}")], said),
    "cut": lambda said, _: StubReply(200, [_JSON], said, fault="truncated"),
    "reset": lambda said, _: StubReply(200, [_JSON], said, fault="reset"),
    "slow": lambda said, _: StubReply(200, [_JSON], said, fault="hang"),
}  # fmt: skip


class Users:
    """A service; it notes the tokens that it is called with, and takes each of them once."""

    def __init__(self, secrets: Secrets) -> None:
        self._secrets = secrets
        self._used: set[str] = set()

    def __call__(self, request: StubRequest) -> StubReply:
        token = (request.header("Authorization") or "").removeprefix("Bearer ")
        if token:
            self._secrets.add("access token", token)
        _, _, rest = request.path.partition("/echo/")
        if rest in REPLIES:
            return REPLIES[rest](_said(request), token)
        if request.path == "/renew":
            used, self._used = token in self._used, self._used | {token}
            return StubReply.problem(401, "not again") if used else StubReply.json({"ok": True})
        told = {"token": token, "dots": ".."} if request.path == "/token" else {"ok": True}
        return StubReply.json(told)


def odd(request: StubRequest) -> StubReply:
    """A provider whose token endpoint fails as the code says with which it is asked."""
    issuer = f"http://{request.header('Host')}"
    if request.path == "/.well-known/openid-configuration":
        return StubReply.json(_metadata(issuer))
    if request.path == "/jwks":
        return StubReply.json({"keys": [_KEY]})
    form = dict(parse_qsl(request.body.decode()))
    how = form.get("code", "").partition(".")[0]
    said = _said(request)
    granted: dict[str, Any] = {"access_token": form.get("code"), "token_type": "Bearer"}
    words = {"error_description": said.decode(), "error_uri": form.get("client_secret")}
    answers: dict[str, StubReply] = {
        "refused": StubReply.json({"error": "invalid_grant", **words}, 400),
        "unknown": StubReply.json({"error": form.get("code"), **words}, 400),
        "newline": StubReply.json({**granted, "access_token": f"{form.get('code')}\n"}),
        "kind": StubReply.json({**granted, "token_type": form.get("code_verifier")}),
        "lasts": StubReply.json({**granted, "expires_in": form.get("code_verifier")}),
        "without": StubReply.json(granted),
        "malformed": StubReply.json({**granted, "id_token": form.get("code")}),
        "forged": StubReply.json({**granted, "id_token": FORGED}),
    }
    return answers[how] if how in answers else REPLIES[how](said, form.get("code", ""))


_KEY: Final = ECKey.generate_key("P-256", auto_kid=True).as_dict(private=False)
ODD: Final = ("refused", "unknown", "newline", "kind", "lasts", "without", "malformed", "forged")
# {"alg":"RS256","kid":"forged"} {"iss":"http://forged.example","sub":"ada","exp":9999999999}
FORGED: Final = (
    "eyJhbGciOiJSUzI1NiIsImtpZCI6ImZvcmdlZCJ9"
    ".eyJpc3MiOiJodHRwOi8vZm9yZ2VkLmV4YW1wbGUiLCJzdWIiOiJhZGEiLCJleHAiOjk5OTk5OTk5OTl9"
    ".c2lnbmF0dXJlLW9mLW5vYm9keS1hdC1hbGw"
)


def _metadata(issuer: str) -> dict[str, str]:
    paths = {"authorization_endpoint": "authorize", "token_endpoint": "token", "jwks_uri": "jwks"}
    return {"issuer": issuer, **{name: f"{issuer}/{path}" for name, path in paths.items()}}


def _said(request: StubRequest) -> bytes:
    headers = "\n".join(f"{name}: {value}" for name, value in request.headers)
    return f"{request.target}\n{headers}\n".encode() + request.body
