"""The pages that a person sees of a sign-in: that it is done, or why it is not; and a way on."""

from base64 import b64encode
from collections.abc import Mapping
from hashlib import sha256
from html import escape
from http import HTTPStatus
from http.client import responses
from typing import Final

from flask import Response, g

from bff.auth.oidc.end_session import EndSession

_STYLE: Final = """
:root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif }
body { max-width: 34rem; margin: 15vh auto; padding: 0 1.5rem }
h1 { font-size: 1.5rem; line-height: 1.25; margin-bottom: 0 }
p { margin: .75rem 0 } small { opacity: .7 } code { user-select: all }
a { display: inline-block; margin-right: 1rem }
"""
_SUBMIT: Final = "document.forms[0].submit()"


_TITLES: Final[Mapping[int, str]] = {
    HTTPStatus.INTERNAL_SERVER_ERROR: "Signing in does not work just now",
    HTTPStatus.SERVICE_UNAVAILABLE: "Signing in does not work just now",
    HTTPStatus.BAD_GATEWAY: "Signing in is not set up correctly",
}


def _hash_of(text: str) -> str:
    """The source expression that allows an inline style or script (CSP 3, section 2.3.1)."""
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


_STYLE_HASH, _SUBMIT_HASH = _hash_of(_STYLE), _hash_of(_SUBMIT)
_AT_HOME: Final = "base-uri 'none'; frame-ancestors 'none'"
_POLICY: Final = f"default-src 'none'; style-src {_STYLE_HASH}; form-action 'none'; {_AT_HOME}"


def error_page(status: int, detail: str, again: str = "/auth/login") -> Response:
    """A small page; whatever is in it is text, and none of it the provider's.

    Args:
        again: where "Try again" leads; a wrong configuration does not offer it.
    """
    title = _TITLES.get(status, "Signing in did not work")
    link = f'<a href="{escape(again)}">Try again</a>'
    help_ = "If you ask for help, say this number"
    if status == HTTPStatus.BAD_GATEWAY:
        link = ""
        help_ = "Trying again will not help. Tell those who run this site this number"
    return _page(
        status,
        title,
        f"""<p>{escape(_sentence(detail or responses.get(status, "Error")))}</p>
<p>{link}<a href="/">Go to the start</a></p>
<p><small>{help_}: <code>{escape(g.request_id)}</code></small></p>""",
    )


def onward_page(location: str, title: str) -> Response:
    """A page that goes on by itself, after a sign-in or a sign-out; it is seen for a moment.

    After a redirect the browser would still be on its way from where it came from. From a provider
    it would not send a cookie that is SameSite=Strict; from a form, the `form-action` of that
    form's page would have to allow all that follows (CSP 3, section 6.4.1).
    """
    response = _page(200, title, f'<p><a href="{escape(location)}">Go on</a></p>')
    response.headers["Refresh"] = f"0; url={location}"
    return response


def posting_page(request: EndSession) -> Response:
    """A page that posts a request to a provider, for which an address would be too long."""
    fields = "".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">'
        for name, value in request.params.items()
    )
    content = f"""<form method="post" action="{escape(request.endpoint)}">{fields}
<button>Go on to the provider</button></form><script>{_SUBMIT}</script>"""
    response = _page(200, "You are signed out here", content)
    # without form-action: the provider may redirect anywhere on its way back
    policy = f"default-src 'none'; style-src {_STYLE_HASH}; script-src {_SUBMIT_HASH}; {_AT_HOME}"
    response.headers["Content-Security-Policy"] = policy
    return response


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
