"""A client that asks an app in its own process, signed in as whom the test says."""

from http import HTTPStatus
from typing import Any, Final

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from bff.model.principal import NOBODY, Principal

# Of the environ: who a test says that it is; parts of a batch get all that does not begin with bff.
KEY: Final = "testing.principal"
MISTAKES: Final = "bff.testing.mistakes"  # of an app's extensions: raises what a mock has raised
ISSUER: Final = "https://issuer.test"


class Unmatched(AssertionError):
    """A view asked a service for what is neither scripted nor recorded."""


class Client(FlaskClient):
    """Werkzeug's test client; a request that nothing answers fails the test, not just the call."""

    base: str = "http://localhost"

    def signed_in(self, principal: Principal) -> "Client":
        """The same, for somebody."""
        environ: dict[str, Any] = self.environ_base
        environ[KEY] = principal
        return self

    def open(self, *args: Any, **kwargs: Any) -> TestResponse:
        """Ask.

        Raises:
            Unmatched: with the view, the file and line of the call, and what comes nearest.
            Exception: whatever a mock of the test's own has raised by mistake.
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


def somebody(subject: str | None, claims: dict[str, Any]) -> Principal:
    """A person of that subject; nobody where there is none."""
    if subject is None:
        return NOBODY
    scopes = frozenset(str(claims.pop("scope", "")).split())
    return Principal(
        ISSUER, subject, "client", "audience", scopes, claims, session=f"session-of-{subject}"
    )
