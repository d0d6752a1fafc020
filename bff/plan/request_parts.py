"""The parts of a call's request, each filled by itself: its target, query values, headers, body.

A part is encoded together with its value, so that one that is filled early is known to fit.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

from bff.errors import ConfigError, Unfillable
from bff.model.problem import Problem
from bff.model.service import HeaderTemplates, Service
from bff.model.source import Tree
from bff.model.view import Call
from bff.plan.bodies import ENCODERS, Encoded
from bff.plan.expression import Expression, Scope
from bff.plan.fields import FieldTemplate
from bff.plan.links import link_of, target_of
from bff.plan.problems import collect_problems
from bff.plan.python_function import Function
from bff.plan.template import PathTemplate, Template, encode_pair, header_value
from bff.plan.tree import compile_tree, fill_tree, templates_in

Given = tuple[Template, Any] | None  # a template whose value is known: the ids of a batch
Mark = tuple[str, FieldTemplate]  # what may be left out, such as `query status`, and by which mark
# Expressions, and what fills them and nothing else: to find out which of a part do not fit.
Piece = tuple[tuple[Expression, ...], Callable[[Scope], Any]]
_MARKED: Final = frozenset({"form", "multipart"})


@dataclass(frozen=True, slots=True, eq=False)
class Target:
    """Where a request goes: a path, or a link of an earlier reply."""

    path: PathTemplate
    follow: Expression | None
    service: Service

    @property
    def expressions(self) -> tuple[Expression, ...]:
        """All that it is made of."""
        return self.path.expressions + ((self.follow,) if self.follow else ())

    def pieces(self) -> Iterator[Piece]:
        """Its segments."""
        for each in self.path.segments:
            if not isinstance(each, str):
                found = tuple(part for part in each if isinstance(part, Expression))
                yield found, partial(self.path.segment, each)

    def fill(self, scope: Scope, _given: Given = None) -> str:
        """The encoded target.

        Raises:
            Unfillable: it has no value, or none that fits.
            BadReply: the link leads out of what the service declares.
        """
        if self.follow:
            return target_of(link_of(self.follow, scope), self.service)
        return self.path.fill(scope)


@dataclass(frozen=True, slots=True, eq=False)
class Field:
    """A query value, a header, or a body.

    Args:
        name: of the query value or the header; of a body, its kind.
        tree: of templates; or the function that makes a body.
        encode: what writes the filled tree.
        marks: what of it may be left out.
        constant: what it is always encoded to; None where that depends on values.
    """

    name: str
    tree: Tree
    encode: Callable[[Any], Any]
    marks: tuple[Mark, ...] = ()
    constant: Any = None

    @property
    def expressions(self) -> tuple[Expression, ...]:
        """All that it is made of."""
        return tuple(part for each in templates_in(self.tree) for part in each.expressions)

    def pieces(self) -> Iterator[Piece]:
        """Its templates, then all of it."""
        for each in templates_in(self.tree):
            yield each.expressions, each.filled
        yield self.expressions, self.fill

    def fill(self, scope: Scope, given: Given = None) -> Any:
        """The encoded field; None for a header that is left out.

        Raises:
            Unfillable: it has nothing to send and may not be left out, or its value does not fit.
        """
        if self.constant is not None:
            return self.constant
        tree = self.tree
        if isinstance(tree, Function):
            return self.encode(tree.value(scope))
        if given is None and isinstance(tree, Template):
            return self.encode(tree.filled(scope))
        return self.encode(fill_tree(tree, scope, given))


Part = Target | Field


def query_of(call: Call) -> tuple[Field, ...]:
    """The values of a call's query, compiled. Raises ConfigError."""
    trees: dict[str, Tree] = compile_tree(dict(call.query), FieldTemplate)
    return tuple(
        _field(name, tree, partial(encode_pair, name), _marks(f"query {name}", tree))
        for name, tree in trees.items()
    )


def headers_of(of_service: HeaderTemplates, of_call: HeaderTemplates) -> tuple[Field, ...]:
    """The headers of a call's requests, compiled; its own stand instead of its service's.

    Raises:
        ConfigError: one does not compile.
    """
    trees = compile_tree(dict((*of_service, *of_call)), FieldTemplate)
    return tuple(
        _field(name, tree, partial(_encode_header, name), _marks(f"header {name}", tree))
        for name, tree in trees.items()
    )


def body_of(call: Call) -> Field | None:
    """The body of a call's requests, compiled; None where it has none. Raises ConfigError."""
    kind = call.body_kind
    if kind == "none":
        return None
    if kind == "json_with":
        return Field(kind, Function(call.body), ENCODERS[kind])
    if kind not in _MARKED:
        return Field(kind, compile_tree(call.body), ENCODERS[kind])
    tree = compile_tree(call.body, FieldTemplate)
    if not isinstance(tree, dict):
        return Field(kind, tree, ENCODERS[kind], _marks(kind, tree))
    marks = tuple(mark for name, each in tree.items() for mark in _marks(f"{kind} {name}", each))
    if kind != "multipart":
        return Field(kind, tree, ENCODERS[kind], marks)
    collect_problems(
        [partial(_check_file, each) for each in tree.values() if isinstance(each, dict)]
    )
    return Field(kind, tree, partial(_encode_multipart, _optional_files(tree)), marks)


def _field(name: str, tree: Tree, encode: Callable[[Any], Any], marks: tuple[Mark, ...]) -> Field:
    """A field; one in which nothing is to be filled in is encoded once."""
    field = Field(name, tree, encode, marks)
    if field.expressions:
        return field
    with suppress(Unfillable):  # what cannot be written fails each request
        return replace(field, constant=field.fill({}))
    return field


def _marks(what: str, tree: Tree) -> tuple[Mark, ...]:
    found = (each for each in templates_in(tree) if isinstance(each, FieldTemplate))
    return tuple((what, each) for each in found if each.marked)


def _encode_header(name: str, value: Any) -> str | None:
    return None if value is None else header_value(value, name)


def _check_file(file: Mapping[str, Tree]) -> None:
    """A file without a name is none: it cannot be left out of it."""
    for _, template in _marks("", file.get("filename")):
        message = f"`{template.source.shown}` cannot be left out: a file has a name"
        raise ConfigError(
            [Problem("template-mark", template.source.place, message, "mark its `content`")]
        )


def _optional_files(tree: Mapping[str, Tree]) -> frozenset[str]:
    """The fields of multipart that are files whose content may be left out: the file is, then."""
    files = {name: each for name, each in tree.items() if isinstance(each, dict)}
    return frozenset(name for name, each in files.items() if _marks("", each.get("content")))


def _encode_multipart(optional: frozenset[str], value: Mapping[str, Any]) -> Encoded:
    kept = {
        name: each
        for name, each in value.items()
        if name not in optional or each["content"] is not None
    }
    return ENCODERS["multipart"](kept)
