"""`?fields=user.name,orders.id`: less of a view, and no calls that none of it needs.

A view of fewer fields is a plan of its own, made when it is first requested. So each has its own
proofs of who may share it, its own cache entries and its own outcomes.
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
_MOST_PLANS: Final = 64  # of one view: clients ask for few different selections
PARAMETER: Final = "fields"

Handler = Callable[..., Response]
Wanted = dict[str, Any]  # names, and of each what is wanted of it: nothing more for all of it


class Sparse:
    """Answers one view of one frontend, or so much of it as is asked for.

    Args:
        make: a handler for a plan.
    """

    def __init__(
        self, whole: Plan, services: Mapping[str, Service], make: Callable[[Plan], Handler]
    ) -> None:
        self._plan, self._services, self._make = whole, services, make
        self._whole = make(whole)
        self._of = lru_cache(_MOST_PLANS)(self._handler)

    def __call__(self, **variables: str) -> Response:
        """The whole view, or the fields of it that the query names."""
        asked = request.args.getlist(PARAMETER)
        if not asked:
            return self._whole(**variables)
        try:
            handler = self._of(fields_of(asked))
        except RequestRefused as error:
            return refused(error)
        return handler(**variables)

    def _handler(self, fields: tuple[str, ...]) -> Handler:
        whole = self._plan
        tree = pruned(shape_of(whole), _nested(fields), "")
        view = replace(whole.view, shape=tree, shapes={}, frontends=(whole.frontend,))
        return self._make(with_cache_policies(plan(view, self._services)[whole.frontend]))


def fields_of(given: list[str]) -> tuple[str, ...]:
    """The fields that a query names, in the one form that all ways to say so have.

    Raises:
        RequestRefused: they are none.
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


def pruned(tree: Tree, wanted: Wanted, path: str) -> Tree:
    """The part of a shape that is wanted.

    Raises:
        RequestRefused: something is that it does not have.
    """
    if not wanted:
        return tree
    if isinstance(tree, dict):
        unknown = sorted(wanted.keys() - tree.keys())
        if unknown:
            raise RequestRefused(400, f"there is no field `{path}{unknown[0]}`")
        return {
            name: pruned(each, wanted[name], f"{path}{name}.")
            for name, each in tree.items()
            if name in wanted
        }
    if isinstance(tree, Source):
        names = ",".join(_paths(wanted))
        return Source(f"pick({tree.text}, '{names}')", tree.place, tree.written)
    return tree


def _nested(fields: tuple[str, ...]) -> Wanted:
    wanted: Wanted = {}
    for field in fields:
        whole = {at for at in fields if field.startswith(f"{at}.")}
        inner = wanted
        for name in () if whole else field.split("."):
            inner = inner.setdefault(name, {})
    return wanted


def _paths(wanted: Wanted) -> list[str]:
    return [
        f"{name}.{path}" if path else name
        for name, inner in sorted(wanted.items())
        for path in (_paths(inner) or [""])
    ]
