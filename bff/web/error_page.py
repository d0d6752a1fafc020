"""The pages that a person sees of a sign-in: that it is done, or why it is not; and a way on."""

from base64 import b64encode
from collections.abc import Mapping
from hashlib import sha256
from html import escape
from http import HTTPStatus
from http.client import responses
from typing import Final

from flask import Response, g

_STYLE: Final = """
:root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif }
body { max-width: 34rem; margin: 15vh auto; padding: 0 1.5rem }
h1 { font-size: 1.5rem; line-height: 1.25; margin-bottom: 0 }
p { margin: .75rem 0 } small { opacity: .7 } code { user-select: all }
a { display: inline-block; margin-right: 1rem }
"""
_HASH: Final = b64encode(sha256(_STYLE.encode()).digest()).decode()
_POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)


_TITLES: Final[Mapping[int, str]] = {
    HTTPStatus.INTERNAL_SERVER_ERROR: "Signing in does not work just now",
    HTTPStatus.SERVICE_UNAVAILABLE: "Signing in does not work just now",
    HTTPStatus.BAD_GATEWAY: "Signing in is not set up correctly",
}


def error_page(status: int, detail: str) -> Response:
    """A small page; whatever is in it is text, and none of it the provider's."""
    title = _TITLES.get(status, "Signing in did not work")
    again = '<a href="/auth/login">Try again</a>'
    help_ = "If you ask for help, say this number"
    if status == HTTPStatus.BAD_GATEWAY:
        again = ""
        help_ = "Trying again will not help. Tell those who run this site this number"
    return _page(
        status,
        title,
        f"""<p>{escape(_sentence(detail or responses.get(status, "Error")))}</p>
<p>{again}<a href="/">Go to the start</a></p>
<p><small>{help_}: <code>{escape(g.request_id)}</code></small></p>""",
    )


def onward_page(location: str) -> Response:
    """What is seen for a moment after a sign-in, by whoever's browser does not go on by itself."""
    return _page(200, "You are signed in", f'<p><a href="{escape(location)}">Go on</a></p>')


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _page(status: int, title: str, content: str) -> Response:
    body = f"""<!doctype html>
<html lang="en"><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title><style>{_STYLE}</style>
<h1>{title}</h1>
{content}
</html>
"""
    response = Response(body, status, mimetype="text/html")
    response.headers["Content-Security-Policy"] = _POLICY
    return response
