"""The scope of a request: the values of the reserved root names, such as `params`, `session`."""

from collections.abc import Iterable, Mapping
from typing import Any

from flask.globals import request_ctx

from bff.errors import InvalidToken
from bff.model.frontend import Frontend
from bff.model.json_text import decode_json, encode_json
from bff.model.principal import Principal
from bff.model.service import Service
from bff.plan.plan import Plan
from bff.web.headers import forwardable
from bff.web.json_body import BodyReader
from bff.web.views.parameters import parameters


class Scopes:
    """Makes the scopes of one view at one frontend.

    Args:
        fragments: the plans of the views that it refreshes, which use the same scope.
    """

    def __init__(
        self,
        plan: Plan,
        frontend: Frontend,
        services: Mapping[str, Service],
        fragments: Iterable[Plan] = (),
    ) -> None:
        self._plan, self._frontend = plan, frontend
        used = any("services" in used_by.caching.inputs for used_by in (plan, *fragments))
        addresses = {name: {"url": service.url} for name, service in services.items()}
        self._services = addresses if used else {}  # copied for each request
        view = plan.view
        self._body = BodyReader(view.body, view.max_body) if view.body is not None else None

    def of(self, variables: Mapping[str, str], principal: Principal) -> dict[str, Any]:
        """The values for the request that is being answered.

        Args:
            variables: those of the path.

        Raises:
            RequestRefused: a parameter or the body is not as declared.
            InvalidToken: the claims of the client's token are nested too deeply.
        """
        languages = self._frontend.languages
        request = request_ctx.request  # once, as each access through the proxy costs time
        scope = {
            "params": parameters(self._plan.view, variables),
            "session": {
                "sub": principal.subject or None,
                "claims": _own_copy(principal.claims),
                "signed_in": principal.signed_in,
                "visitor": principal.visitor or None,
            },
            "frontend": self._frontend.name,
            "locale": request.accept_languages.best_match(languages, languages[0])
            if languages
            else None,
            "headers": forwardable(request.headers, self._plan.forward),
            "services": {name: dict(address) for name, address in self._services.items()},
        }
        return scope | {"body": self._body.read(request)} if self._body else scope


def _own_copy(claims: Mapping[str, Any]) -> dict[str, Any]:
    """A deep copy of the claims: expressions may change it, and requests share the principal."""
    try:
        copy: dict[str, Any] = decode_json(encode_json(claims), halves=False)
    except (TypeError, ValueError):
        raise InvalidToken("its claims are nested too deeply") from None
    return copy
