"""Who asks for a view or a relay, whether they may, and what is answered where they may not."""

from collections.abc import Callable
from dataclasses import dataclass

from flask import Request, Response, g
from flask.globals import request_ctx

from bff.errors import AuthError, BffError
from bff.model.principal import NOBODY, Principal
from bff.observe.events import Audited, Observer
from bff.web.access.address import client_address
from bff.web.access.authenticate import Rule, admit, varies
from bff.web.access.limits import RateLimits
from bff.web.access.refusal import refusal

Authenticate = Callable[[Request, Rule], Principal]


@dataclass(frozen=True, slots=True)
class Admission:
    """Lets in by the rule of one view or relay.

    Args:
        authenticate: says who asks, from the request.
        limits: how often one person may ask; None for as often as they like.
    """

    rule: Rule
    authenticate: Authenticate
    limits: RateLimits | None
    observer: Observer

    def principal(self) -> Principal:
        """Who asks; where anybody may, credentials are not even looked at.

        Raises:
            AuthError: nobody, or somebody whose word does not count.
            StoreAway, ProviderAway: that cannot be said just now.
        """
        if self.rule.access == "public":
            return NOBODY
        try:
            return self.authenticate(request_ctx.request, self.rule)
        except AuthError:
            self._count(NOBODY)  # whoever tries tokens out has only so many tries
            raise

    def admit(self, principal: Principal) -> None:
        """Let who asks in, or not.

        Raises:
            AuthError: they may not, or have asked too often.
        """
        self._count(principal)
        if self.rule.access != "public":
            admit(principal, self.rule)

    def refused(self, error: BffError, principal: Principal) -> Response:
        """The answer to whom is not let in; the audit hears of it."""
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
        response.vary.update(varies(self.rule))
        return response

    def _count(self, principal: Principal) -> None:
        if self.limits:
            who = principal.identity if principal.signed_in else client_address(request_ctx.request)
            self.limits.person(who)
