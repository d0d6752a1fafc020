"""Admission to a view or a relay: authentication, rate limit, authorization, and refusals."""

from collections.abc import Callable
from dataclasses import dataclass

from flask import Request, Response, g
from flask.globals import request_ctx

from bff.errors import AuthError, BffError
from bff.model.principal import NOBODY, Principal
from bff.observe.events import Audited, Observer
from bff.web.access.address import client_address
from bff.web.access.authenticate import AccessRule, authorize, vary_headers
from bff.web.access.rate_limits import RateLimits
from bff.web.access.refusal import refusal

Authenticate = Callable[[Request, AccessRule], Principal]


@dataclass(frozen=True, slots=True)
class Admission:
    """Admits requests by the access rule of one view or relay.

    Args:
        authenticate: gives the principal of a request.
        limits: the rate limits; None for no limit.
    """

    rule: AccessRule
    authenticate: Authenticate
    limits: RateLimits | None
    observer: Observer

    def principal(self) -> Principal:
        """The principal of the current request; anonymous for `public`, which reads no credentials.

        A failed authentication counts towards the rate limit of the client's address.

        Raises:
            AuthError: the credentials are invalid or ambiguous, or the request is cross-site.
            StoreAway, ProviderAway: the session store or the provider is unavailable.
        """
        if self.rule.access == "public":
            return NOBODY
        try:
            return self.authenticate(request_ctx.request, self.rule)
        except AuthError:
            self._count(NOBODY)  # limits guessing of tokens
            raise

    def admit(self, principal: Principal) -> None:
        """Apply the rate limit, then authorize.

        Raises:
            AuthError: the rate limit is exceeded, or the principal is not authorized.
        """
        self._count(principal)
        if self.rule.access != "public":
            authorize(principal, self.rule)

    def refused(self, error: BffError, principal: Principal) -> Response:
        """The response to a request that is not admitted; it is written to the audit log."""
        self.observer(
            Audited(
                "refused",
                issuer=principal.issuer,
                subject=principal.subject,
                session=principal.session,
                reason=type(error).__name__,
                id=g.request_id,
                detail=error.detail,
            )
        )
        response = refusal(error, self.rule)
        response.vary.update(vary_headers(self.rule))
        return response

    def _count(self, principal: Principal) -> None:
        if self.limits:
            who = principal.identity if principal.signed_in else client_address(request_ctx.request)
            self.limits.count_request(who)
