"""Cursors of clients: sealed, so that they reveal nothing and cannot be changed.

A cursor is valid for the list, the frontend, the user and the parameters that it was made for. Any
other is answered 400, without a request to a service.
"""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from functools import partial
from typing import Any, Final

import orjson
from flask import Request

from bff.cache.key import digest_of
from bff.engine.answer import Cursors
from bff.model.frontend import Frontend
from bff.model.pages import Pages
from bff.model.principal import Principal
from bff.plan.page_links import Position
from bff.plan.plan import Plan
from bff.store.seal import BadSeal, Seal
from bff.web.views.parameters import bad_parameters

_SEALED: Final = re.compile(r"[A-Za-z0-9_-]{16,4000}", re.ASCII)


class CursorReader:
    """Reads and makes the cursors of one view of one frontend.

    Args:
        lists: how their pages are turned, by the parameter that carries the cursor.
    """

    def __init__(
        self, lists: Mapping[str, Pages], plan: Plan, frontend: Frontend, seal: Seal
    ) -> None:
        self._lists, self._seal = lists, seal
        self._of = (frontend.name, plan.view.name, plan.view.version)
        self._by_visitor = "session.visitor" in plan.caching.inputs

    def given(
        self, request: Request, params: Mapping[str, Any], principal: Principal
    ) -> Cursors | None:
        """What a request's cursors lead to, and how further ones are made for it.

        Args:
            params: its other parameters, as declared.

        Raises:
            RequestRefused: one was not made for this list, this person and these parameters.
        """
        visitor = principal.visitor if self._by_visitor else ""
        whose = digest_of(*self._of, principal.identity, visitor, sorted(params.items()))
        starts: dict[str, Position] = {}
        errors = []
        for name, pages in self._lists.items():
            given = request.args.getlist(name)
            try:
                if given:
                    starts[name] = self._opened(given, pages, f"cursor:{name}:{whose}")
            except ValueError:
                detail = "is no cursor of this list, for this user and these parameters"
                errors.append({"parameter": name, "in": "query", "detail": detail})
        if errors:
            raise bad_parameters(errors)
        return Cursors(starts, partial(self._sealed, whose))

    def _sealed(self, whose: str, name: str, position: Position) -> str:
        sealed = self._seal.seal(orjson.dumps(position), f"cursor:{name}:{whose}")
        return urlsafe_b64encode(sealed).rstrip(b"=").decode()

    def _opened(self, given: list[str], pages: Pages, context: str) -> Position:
        """Raises ValueError for what was not sealed for this."""
        if len(given) > 1 or not _SEALED.fullmatch(given[0]):
            raise ValueError
        try:
            sealed = urlsafe_b64decode(given[0] + "=" * (-len(given[0]) % 4))
            position: Position = orjson.loads(self._seal.open(sealed, context))
        except BadSeal:
            raise ValueError from None
        if isinstance(position, int) != (pages.turn == "offset"):
            raise ValueError  # the service's pages were turned otherwise when it was made
        return position


class _NoCursors:
    """Of a view that has no lists to turn the pages of."""

    def given(self, *_: Any) -> None:
        """None are read, and none are made."""


def cursors_of(plan: Plan, frontend: Frontend, seal: Seal | None) -> CursorReader | _NoCursors:
    """What reads and makes a view's cursors."""
    pages = [node.compiled.call.pages for node in plan.nodes.values()]
    lists = {each.param: each for each in pages if each and each.param}
    return CursorReader(lists, plan, frontend, seal) if lists and seal else _NoCursors()
