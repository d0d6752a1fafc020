"""A test client for an app in the same process, signed in as the user of the test."""

from http import HTTPStatus
from typing import Any, Final

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from bff.model.principal import NOBODY, Principal

# The principal, in the WSGI environ; parts of a batch inherit keys that do not begin with `bff`.
KEY: Final = "testing.principal"
MISTAKES: Final = "bff.testing.mistakes"  # an app extension that re-raises the exceptions of mocks
ISSUER: Final = "https://issuer.test"


class Unmatched(AssertionError):
    """A view sent a request that is neither mocked nor recorded."""


class Client(FlaskClient):
    """Werkzeug's test client; an unmatched request fails the test, not just the call."""

    base: str = "http://localhost"

    def signed_in(self, principal: Principal) -> "Client":
        """The same client, signed in as a principal."""
        environ: dict[str, Any] = self.environ_base
        environ[KEY] = principal
        return self

    def open(self, *args: Any, **kwargs: Any) -> TestResponse:
        """Send a request to the app.

        Raises:
            Unmatched: with the view, the file and line of the call, and the nearest entries.
            Exception: raised by a mock of the test by mistake.
        """
        response = super().open(*args, **{"base_url": self.base, **kwargs})
        mistakes = self.application.extensions.get(MISTAKES)
        if mistakes:
            mistakes()
        unplayed = response.status_code == HTTPStatus.NOT_IMPLEMENTED
        if unplayed and response.mimetype == "application/problem+json":
            missed = (response.get_json(silent=True) or {}).get("missed")
            if missed:
                raise Unmatched("\n\n".join(each["told"] for each in missed))
        return response


def principal_of(subject: str | None, claims: dict[str, Any]) -> Principal:
    """The principal of a subject with these claims; anonymous where the subject is None."""
    if subject is None:
        return NOBODY
    scopes = frozenset(str(claims.pop("scope", "")).split())
    return Principal(
        ISSUER, subject, "client", "audience", scopes, claims, session=f"session-of-{subject}"
    )
