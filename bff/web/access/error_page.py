"""The HTML pages of sign-in and sign-out: errors, and pages that redirect the browser."""

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
    HTTPStatus.INTERNAL_SERVER_ERROR: "Sign-in is temporarily unavailable",
    HTTPStatus.SERVICE_UNAVAILABLE: "Sign-in is temporarily unavailable",
    HTTPStatus.BAD_GATEWAY: "Sign-in is misconfigured",
}


def _hash_of(text: str) -> str:
    """The CSP hash source that allows an inline style or script (CSP 3, section 2.3.1)."""
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


_STYLE_HASH, _SUBMIT_HASH = _hash_of(_STYLE), _hash_of(_SUBMIT)
_NO_FRAMING: Final = "base-uri 'none'; frame-ancestors 'none'"
_POLICY: Final = f"default-src 'none'; style-src {_STYLE_HASH}; form-action 'none'; {_NO_FRAMING}"


def error_page(status: int, detail: str, again: str = "/auth/login") -> Response:
    """An error page; its texts are escaped, and none comes from the provider.

    Args:
        detail: the reason, for the user.
        again: the path of the link "Try again"; omitted for a 502, a misconfiguration.
    """
    title = _TITLES.get(status, "Sign-in failed")
    link = f'<a href="{escape(again)}">Try again</a>'
    help_ = "If you ask for help, give this request ID"
    if status == HTTPStatus.BAD_GATEWAY:
        link = ""
        help_ = "Trying again will not help. Give the operators of this site this request ID"
    return _page(
        status,
        title,
        f"""<p>{escape(_sentence(detail or responses.get(status, "Error")))}</p>
<p>{link}<a href="/">Go to the start page</a></p>
<p><small>{help_}: <code>{escape(g.request_id)}</code></small></p>""",
    )


def onward_page(location: str, title: str) -> Response:
    """A page that redirects by the header Refresh, after a sign-in or a sign-out.

    An HTTP redirect would not do, for two reasons:

    1. After a redirect from the provider the request is still cross-site: the browser does not send
       cookies with SameSite=Strict.
    2. After a form, `form-action` of the form's page applies to every redirect that follows (CSP 3,
       section 6.4.1).
    """
    response = _page(200, title, f'<p><a href="{escape(location)}">Continue</a></p>')
    response.headers["Refresh"] = f"0; url={location}"
    return response


def posting_page(request: EndSession) -> Response:
    """A page that sends an end-session request to the provider by POST: too long for a URL."""
    fields = "".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">'
        for name, value in request.params.items()
    )
    content = f"""<form method="post" action="{escape(request.endpoint)}">{fields}
<button>Continue to the provider</button></form><script>{_SUBMIT}</script>"""
    response = _page(200, "You are signed out of this site", content)
    # without form-action, which would apply to all redirects of the provider too
    policy = (
        f"default-src 'none'; style-src {_STYLE_HASH}; script-src {_SUBMIT_HASH}; {_NO_FRAMING}"
    )
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
