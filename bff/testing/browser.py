"""Real sessions for the browsers of a test; only the identity provider is left out."""

from collections.abc import Callable, Hashable
from pathlib import Path
from time import time
from typing import Any, Final

from flask import Request
from werkzeug.test import EnvironBuilder

from bff.auth.oidc.login import SignedIn, Tokens
from bff.model.config import Config
from bff.model.principal import Principal
from bff.parts import open_bearer, open_sign_in
from bff.testing.client import KEY, principal_of
from bff.web.access.authenticate import AccessRule, Authenticator

_PROVIDER: Final = "the test"  # not a declared one: sign-out notifies no provider


class Browsers:
    """Creates sessions at an app, and authenticates their requests.

    Args:
        state: the folder of the app's session store.
        now: the wall clock, seconds since 1970.
    """

    def __init__(self, config: Config, state: Path, now: Callable[[], float] = time) -> None:
        self._parts = open_sign_in(
            config, state, now, _ignore_event, None, _at_once, development=False
        )
        bearer = open_bearer(config, now, _at_once, development=False)
        self._real = Authenticator(self._parts.sessions, self._parts.cookies, bearer)

    def authenticate(self, request: Request, rule: AccessRule) -> Principal:
        """The principal that the test sets, or that of the session cookie, as in production."""
        given: Principal | None = request.environ.get(KEY)
        return self._real(request, rule) if given is None else given

    def cookie(self, base: str, subject: str, claims: dict[str, Any]) -> tuple[str, str]:
        """The name and value of the cookie of a new session.

        Args:
            base: the origin of the requests.
        """
        whole = principal_of(subject, claims)
        tokens = Tokens(
            f"token-of-{subject}",
            expires=self._parts.sessions.now() + self._parts.sessions.rules.lifetime,
            scope=" ".join(sorted(whole.scopes)),
            subject=subject,
        )
        person = SignedIn(whole.issuer, subject, "", "", None, whole.claims, tokens)
        made = self._parts.sessions.create(person, _PROVIDER, whole.client, {})
        asked = Request(EnvironBuilder(base_url=base).get_environ())
        name, _, rest = self._parts.cookies.set_session(asked, made).partition("=")
        return name, rest.partition(";")[0]


def _ignore_event(_event: Any) -> None:
    """Ignore an event: tests check responses."""


def _at_once(_key: Hashable, job: Callable[[], object]) -> bool:
    job()
    return True
