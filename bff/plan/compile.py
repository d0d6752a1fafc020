"""A declared call with every text in it compiled: the planner orders it, the conductor runs it."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final

import orjson

from bff.errors import ConfigError
from bff.model.policy import Hedge, Retry
from bff.model.problem import Problem
from bff.model.service import Service
from bff.model.source import Source
from bff.model.view import Batch, Call
from bff.plan.dependencies import Paths, Reads, reads, reads_of_condition, together
from bff.plan.expression import Expression
from bff.plan.page_links import Paging
from bff.plan.problems import collect_problems
from bff.plan.python_function import Function
from bff.plan.request_parts import Field, Mark, Target, body_of, headers_of, query_of
from bff.plan.template import PathTemplate, Template
from bff.plan.tree import templates_in

_ACCEPT: Final = {
    "json": ("accept", "application/json"),
    "xml": ("accept", "application/xml, text/xml"),
    "text": ("accept", "text/plain, text/*;q=0.9, */*;q=0.1"),
}
_REPEATABLE: Final = frozenset({"PUT", "DELETE"})  # RFC 9110, section 9.2.2; GET if it is `safe`
_LED: Final = frozenset({"link", "follow"})  # where the next page is, a link says
_ANYTHING: Final = ("accept", "*/*")


@dataclass(frozen=True, slots=True)
class Fold:
    """How a batch folds items into requests.

    Args:
        ids: the one template of the call that names the item.
        key: where in an element of the reply its id is.
        elements: where in the reply the elements are; None is the reply itself.
    """

    batch: Batch
    ids: Template
    key: Expression
    elements: Expression | None


@dataclass(frozen=True, slots=True)
class CompiledCall:
    """A call ready to be filled.

    Args:
        content: the body of its requests.
        marks: what of its requests may be left out, and by which mark.
        bound: what the names of its `each` stand for, as paths below earlier calls.
        selects: what the `each` selects its items from.
        fallback: its fallback as JSON, decoded afresh for each request.
        statuses: likewise, the values of its `status`.
        tags: what its kept replies can be invalidated by.
        reads: what its requests and its `when` are made of; without what its `each` selects.
        retry: when its requests are sent again; None where they may not be.
        hedge: when a second request is sent beside the first, likewise.
        paging: how the pages of its list are turned; None where it has none.
        unread: whether nothing reads its value, as of most guards.
    """

    call: Call
    service: Service
    target: Target
    query: tuple[Field, ...]
    headers: tuple[Field, ...]
    content: Field | None
    when: Expression | None
    each: tuple[tuple[str, Expression], ...]
    bound: dict[str, Paths]
    selects: Reads
    fold: Fold | None
    select: Expression | None
    fallback: bytes
    statuses: dict[int, bytes]
    forward: tuple[str, ...] = ()
    respond: frozenset[str] = field(default_factory=frozenset)
    tags: tuple[Template, ...] = ()
    marks: tuple[Mark, ...] = ()
    reads: Reads = field(default_factory=Reads)
    retry: Retry | None = None
    hedge: Hedge | None = None
    paging: Paging | None = None
    unread: bool = False

    @property
    def name(self) -> str:
        """The name under which the view knows its value."""
        return self.call.name

    @property
    def path(self) -> PathTemplate:
        """The path that it asks for."""
        return self.target.path

    @property
    def follow(self) -> Expression | None:
        """What gives the link that it follows."""
        return self.target.follow

    @property
    def body(self) -> Any:
        """What its body is made of: a tree of templates, or a function."""
        return self.content.tree if self.content else None

    @property
    def fields(self) -> tuple[Field, ...]:
        """All parts of its requests but the target."""
        return (*self.headers, *self.query, *((self.content,) if self.content else ()))

    @property
    def accept(self) -> tuple[str, str]:
        """The header that says what its replies may be (RFC 9110, section 12.5.1)."""
        return _ACCEPT.get(self.call.decode, _ANYTHING)

    @property
    def timeout(self) -> float:
        """Seconds that one of its requests may take."""
        return self.call.timeout or self.service.timeout

    @property
    def endpoint(self) -> str:
        """What its requests have in common, for what is remembered of them."""
        return f"{self.call.method} {self.call.path.text}"

    @property
    def templates(self) -> Iterator[Template]:
        """Every template that goes into its request, or says what that is about."""
        yield self.target.path
        yield from self.tags
        for part in self.fields:
            yield from templates_in(part.tree)


def _read_by(call: CompiledCall) -> Reads:
    """What its requests and its `when` are made of; without what its `each` selects."""
    found = together(template.reads(call.bound) for template in call.templates)
    found |= reads(call.follow, call.bound) if call.follow else Reads()
    found |= reads_of_condition(call.when) if call.when else Reads()
    return found | call.body.reads if isinstance(call.body, Function) else found


def compile_call(call: Call, service: Service) -> CompiledCall:
    """Compile one call.

    Raises:
        ConfigError: a text does not compile, or a batch is not about one id of its items.
    """
    pages = call.pages
    if service.links is None and (call.follow or (pages and pages.turn in _LED)):
        message = f"the service `{service.name}` does not say where its links may lead"
        hint = f"`links: {{under: /}}` at {service.place}"
        place = call.follow.place if call.follow else call.place
        raise ConfigError([Problem("links", place, message, hint)])
    each, query, content, path, headers, follow, when, select, turn, tags = collect_problems(
        [
            lambda: _each(call),
            lambda: query_of(call),
            lambda: body_of(call),
            lambda: PathTemplate(call.path),
            lambda: headers_of(service.headers, call.headers),
            lambda: _expression(call.follow),
            lambda: _expression(call.when),
            lambda: _expression(call.select),
            lambda: _expression(pages.next if pages else None),
            lambda: (
                collect_problems([partial(Template, each) for each in call.cache.tags])
                if call.cache
                else []
            ),
        ]
    )
    bound, selects = _bind(each)
    compiled = CompiledCall(
        call=call,
        service=service,
        target=Target(path, follow, service),
        query=query,
        headers=headers,
        content=content,
        when=when,
        each=each,
        bound=bound,
        selects=selects,
        fold=None,
        select=select,
        fallback=orjson.dumps(call.fallback),
        statuses={status: orjson.dumps(value) for status, value in call.statuses.items()},
        forward=tuple(sorted(service.forward | call.forward)),
        respond=service.respond | call.respond,
        tags=tuple(tags),
        retry=(call.retry or service.retry) if call.safe or call.method in _REPEATABLE else None,
        hedge=(call.hedge or service.hedge) if call.safe else None,
        paging=Paging(pages, turn) if pages else None,
    )
    fold = _fold(compiled, call.batch) if call.batch else None
    marks = tuple(mark for part in compiled.fields for mark in part.marks)
    return replace(compiled, fold=fold, marks=marks, reads=_read_by(compiled))


def _expression(source: Source | None) -> Expression | None:
    return Expression(source) if source else None


def _each(call: Call) -> tuple[tuple[str, Expression], ...]:
    over = call.each.over if call.each else ()
    names = [name for name, _ in over]
    return tuple(
        zip(names, collect_problems([partial(Expression, each) for _, each in over]), strict=True)
    )


def _bind(each: tuple[tuple[str, Expression], ...]) -> tuple[dict[str, Paths], Reads]:
    bound: dict[str, Paths] = {}
    selects = Reads()
    for name, expression in each:
        selected = reads(expression, bound)
        bound[name] = selected.result
        selects |= selected
    return bound, selects


def _fold(compiled: CompiledCall, batch: Batch) -> Fold:
    call, bound = compiled.call, compiled.bound

    def names_item(template: Template) -> bool:
        return any(root in bound for each in template.expressions for root in reads(each).roots)

    inside = [part.tree for part in (*compiled.query, compiled.content) if part]
    elsewhere = [compiled.path, *templates_in([part.tree for part in compiled.headers])]
    found = [each for each in (*templates_in(inside), *elsewhere) if names_item(each)]
    if len(found) == 1 and found[0] not in elsewhere:
        if found[0] in [field for part in compiled.fields for _, field in part.marks]:
            message = f"`{found[0].source.shown}` is the id of a batch, and is never left out"
            hint = "an item without an id asks for nothing: write it without the mark"
            raise ConfigError([Problem("batch", found[0].source.place, message, hint)])
        elements = Expression(batch.items) if batch.items else None
        return Fold(batch, found[0], Expression(batch.key), elements)
    names = " or ".join(f"`{name}`" for name in bound)
    message = f"the batch `{call.name}` names {names} in {len(found)} places"
    hint = 'exactly one place of its query or json holds the id: `query: {ids: "{item.id}"}`'
    raise ConfigError([Problem("batch", call.place, message, hint)])
