"""The OpenID provider of the stack: oidc-provider-mock, for gunicorn to serve over TLS.

It knows no token exchange (RFC 8693), with which the shop's orders are asked: that grant is added.
"""

import logging
import os
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from secrets import token_urlsafe
from typing import Any

import flask
import oidc_provider_mock
from oidc_provider_mock._storage import AccessToken

from bff.dev.provider.values import ACCOUNTS

_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
_ACCESS = "urn:ietf:params:oauth:token-type:access_token"
_LOG = logging.getLogger("gunicorn.error")
_LASTS = timedelta(seconds=int(os.environ.get("PROVIDER_TOKEN_SECONDS", "300")))


def _exchange() -> Any:
    """Answer an exchange, and leave every other request to the provider (RFC 8693, section 2)."""
    form = flask.request.form
    if flask.request.path != "/oauth2/token" or form.get("grant_type") != _EXCHANGE:
        return None
    storage = flask.g.oidc_provider_mock_storage
    theirs = storage.get_access_token(form.get("subject_token", ""))
    if theirs is None or theirs.expires_at <= datetime.now(UTC):
        return {"error": "invalid_grant"}, HTTPStatus.BAD_REQUEST
    token = token_urlsafe()
    ends = datetime.now(UTC) + _LASTS
    storage.store_access_token(
        AccessToken(token=token, user_id=theirs.user_id, scope=theirs.scope, expires_at=ends)
    )
    return {
        "access_token": token,
        "issued_token_type": _ACCESS,
        "token_type": "Bearer",
        "expires_in": int(_LASTS.total_seconds()),
    }


def _told(response: flask.Response) -> flask.Response:
    """Say what was asked for, and not what was given."""
    if flask.request.path == "/oauth2/token":
        kind = flask.request.form.get("grant_type", "").rpartition(":")[2]
        _LOG.info("token: %s %s", kind, response.status_code)
    return response


def _provider() -> flask.Flask:
    people = [
        oidc_provider_mock.User(sub=each.subject, claims=dict(each.claims))
        for each in ACCOUNTS.values()
    ]
    made = oidc_provider_mock.app(user_claims=people, access_token_max_age=_LASTS)
    made.debug = False  # it brings a debugger that runs whatever it is sent
    made.wsgi_app = made.wsgi_app.app
    made.before_request(_exchange)
    made.after_request(_told)
    return made


app = _provider()
