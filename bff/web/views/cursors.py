"""Pagination cursors of clients: encrypted and authenticated positions in lists.

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
        lists: the pagination of each list, by the parameter that has its cursor.
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
        """The positions of a request's cursors, and a function that makes further cursors.

        Args:
            params: the values of its declared parameters.

        Raises:
            RequestRefused: 400, as one was not made for this list, user and parameters.
        """
        visitor = principal.visitor if self._by_visitor else ""
        context = digest_of(*self._of, principal.identity, visitor, sorted(params.items()))
        starts: dict[str, Position] = {}
        errors = []
        for name, pages in self._lists.items():
            given = request.args.getlist(name)
            try:
                if given:
                    starts[name] = self._opened(given, pages, f"cursor:{name}:{context}")
            except ValueError:
                detail = "is not a cursor of this list, for this user and these parameters"
                errors.append({"parameter": name, "in": "query", "detail": detail})
        if errors:
            raise bad_parameters(errors)
        return Cursors(starts, partial(self._sealed, context))

    def _sealed(self, context: str, name: str, position: Position) -> str:
        sealed = self._seal.seal(orjson.dumps(position), f"cursor:{name}:{context}")
        return urlsafe_b64encode(sealed).rstrip(b"=").decode()

    def _opened(self, given: list[str], pages: Pages, context: str) -> Position:
        """The position of a cursor. Raises ValueError if it was not sealed in this context."""
        if len(given) > 1 or not _SEALED.fullmatch(given[0]):
            raise ValueError
        try:
            sealed = urlsafe_b64decode(given[0] + "=" * (-len(given[0]) % 4))
            position: Position = orjson.loads(self._seal.open(sealed, context))
        except BadSeal:
            raise ValueError from None
        if isinstance(position, int) != (pages.turn == "offset"):
            raise ValueError  # it was made when the call had another kind of pagination
        return position


class _NoCursors:
    """The cursors of a view without a paginated list."""

    def given(self, *_: Any) -> None:
        """None: there are no cursors to read or make."""


def cursors_of(plan: Plan, frontend: Frontend, seal: Seal | None) -> CursorReader | _NoCursors:
    """The reader of a view's cursors."""
    pages = [node.compiled.call.pages for node in plan.nodes.values()]
    lists = {paging.param: paging for paging in pages if paging and paging.param}
    return CursorReader(lists, plan, frontend, seal) if lists and seal else _NoCursors()
