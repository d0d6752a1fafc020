"""Sparse fieldsets: `?fields=user.name,orders.id` selects fields, and only the calls they need.

Each selection is a plan of its own, made when it is first requested. So it has its own analysis of
who may share its answers, its own cache entries and its own outcomes.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any, Final

from flask import Response, request

from bff.declare.scope import with_cache_policies
from bff.errors import RequestRefused
from bff.model.service import Service
from bff.model.source import Source, Tree
from bff.plan.plan import Plan, plan
from bff.web.errors import refused

_FIELD: Final = re.compile(r"[A-Za-z_][\w-]*(\.[A-Za-z_][\w-]*){0,9}", re.ASCII)
_MOST_FIELDS: Final = 50
_MOST_PLANS: Final = 64  # of one view: clients use few different selections
PARAMETER: Final = "fields"

Handler = Callable[..., Response]
Selection = dict[str, Any]  # by name, the selection within it; empty for the whole value


class Sparse:
    """Answers one view at one frontend, or the selected fields of it.

    Args:
        make: makes the handler of a plan.
    """

    def __init__(
        self, whole: Plan, services: Mapping[str, Service], make: Callable[[Plan], Handler]
    ) -> None:
        self._plan, self._services, self._make = whole, services, make
        self._whole = make(whole)
        self._handlers = lru_cache(_MOST_PLANS)(self._handler)

    def __call__(self, **variables: str) -> Response:
        """The whole view, or the fields of it that the query names."""
        given = request.args.getlist(PARAMETER)
        if not given:
            return self._whole(**variables)
        try:
            handler = self._handlers(fields_of(given))
        except RequestRefused as error:
            return refused(error)
        return handler(**variables)

    def _handler(self, fields: tuple[str, ...]) -> Handler:
        whole = self._plan
        tree = pruned(shape_of(whole), _nested(fields), "")
        view = replace(whole.view, shape=tree, shapes={}, frontends=(whole.frontend,))
        return self._make(with_cache_policies(plan(view, self._services)[whole.frontend]))


def fields_of(given: list[str]) -> tuple[str, ...]:
    """The fields that a query selects, sorted and without duplicates.

    Raises:
        RequestRefused: 400, as they are malformed or too many.
    """
    names = sorted({name for text in given for name in text.split(",")})
    if len(names) > _MOST_FIELDS or not all(map(_FIELD.fullmatch, names)):
        raise RequestRefused(
            400, f"`fields` is a list of at most {_MOST_FIELDS} names: `user.name,orders.id`"
        )
    return tuple(names)


def shape_of(whole: Plan) -> Tree:
    """The tree of a plan's answer."""
    view = whole.view
    tree = view.shapes.get(whole.frontend, view.shape)
    return Source(view.calls[0].name, view.place) if tree is None else tree


def pruned(tree: Tree, selection: Selection, path: str) -> Tree:
    """The selected part of a shape.

    Args:
        path: of the tree within the answer, for messages.

    Raises:
        RequestRefused: 400, as the shape does not have a selected field.
    """
    if not selection:
        return tree
    if isinstance(tree, dict):
        unknown = sorted(selection.keys() - tree.keys())
        if unknown:
            raise RequestRefused(400, f"there is no field `{path}{unknown[0]}`")
        return {
            name: pruned(member, selection[name], f"{path}{name}.")
            for name, member in tree.items()
            if name in selection
        }
    if isinstance(tree, Source):
        names = ",".join(_paths(selection))
        return Source(f"pick({tree.text}, '{names}')", tree.place, tree.written)
    return tree


def _nested(fields: tuple[str, ...]) -> Selection:
    """The fields as a tree; `user.name` is omitted if `user` is selected."""
    selection: Selection = {}
    for field in fields:
        covered = any(field.startswith(f"{other}.") for other in fields)
        inner = selection
        for name in () if covered else field.split("."):
            inner = inner.setdefault(name, {})
    return selection


def _paths(selection: Selection) -> list[str]:
    """The fields of a selection, dotted."""
    return [
        f"{name}.{path}" if path else name
        for name, inner in sorted(selection.items())
        for path in (_paths(inner) or [""])
    ]
