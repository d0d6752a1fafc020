"""A view checked and ordered into a DAG of calls, once per frontend, at load."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from bff.errors import ConfigError
from bff.model.problem import Problem, did_you_mean
from bff.model.service import Service
from bff.model.source import Source
from bff.model.view import Call, View
from bff.plan.cache_rule import PlanCaching, compiled_tags
from bff.plan.compile import CompiledCall, compile_call
from bff.plan.dependencies import Reads, reads
from bff.plan.early import Early, early_of
from bff.plan.expression import Expression
from bff.plan.names import RESERVED, Names
from bff.plan.order import Node, attached, held_writes, in_order
from bff.plan.python_function import Function
from bff.plan.refusals import CompiledRefusal, compile_refusals
from bff.plan.shape import MadeShape, Shape
from bff.plan.template import Template
from bff.plan.unread import with_unread
from bff.plan.values import compiled_values, used_names, used_values, with_values

_NO_CONTENT: Final = 204


@dataclass(frozen=True, slots=True)
class Plan:
    """The plan of one view for one frontend, which the conductor runs.

    Args:
        nodes: the calls that this frontend needs, by name, in the order declared.
        awaits: for each call the nodes that must have ended before it starts: calls, and hidden
            nodes named `@service` for credentials.
        dependents: the inverse of `awaits`.
        credentials: the services of the hidden nodes.
        forward: names of the client's headers that any of the calls passes on.
        refusals: errors that the view declares, evaluated as early as possible.
        require_any: calls of which at least one must succeed.
        pruned: names of the calls that only other frontends need.
        tags: templates of the cache tags of the view's answers.
        invalidates: templates of the cache tags that a successful write invalidates.
        caching: its cache policies, once they have been proven.
        early: parts of its calls that are filled when the request begins.
        values: the named values that it uses, each after those that it uses itself.
    """

    view: View
    frontend: str
    nodes: Mapping[str, Node]
    awaits: Mapping[str, frozenset[str]]
    dependents: Mapping[str, tuple[str, ...]]
    shape: Shape
    credentials: Mapping[str, Service]
    forward: frozenset[str]
    refusals: tuple[CompiledRefusal, ...] = ()
    require_any: tuple[str, ...] = ()
    pruned: tuple[str, ...] = ()
    tags: tuple[Template, ...] = ()
    invalidates: tuple[Template, ...] = ()
    caching: PlanCaching = field(default_factory=PlanCaching)
    early: Mapping[str, Early] = field(default_factory=dict)
    values: Mapping[str, Expression] = field(default_factory=dict)

    @property
    def expressions(self) -> Iterator[tuple[Expression, frozenset[str]]]:
        """Its expressions over the scope, with the names that stand for items; without its tags."""
        nothing = frozenset[str]()
        yield from ((leaf, nothing) for _, leaf in self.shape.leaves)
        yield from ((refusal.when, nothing) for refusal in self.refusals)
        for node in self.nodes.values():
            compiled, items = node.compiled, frozenset(node.compiled.bound)
            yield from ((one, items) for text in compiled.templates for one in text.expressions)
            yield from ((one, items) for _, one in compiled.each)
            yield from ((one, items) for one in (compiled.when, compiled.follow) if one)

    @property
    def changes_nothing(self) -> bool:
        """True if no call of it writes, so that it may be abandoned at any time."""
        return all(node.compiled.call.safe for node in self.nodes.values())


def plan(view: View, services: Mapping[str, Service]) -> dict[str, Plan]:
    """The plans of a view, by frontend.

    Raises:
        ConfigError: with all its problems: expressions, names, cycles.
    """
    declared = view
    values, problems = compiled_values(view) if view.values else ({}, [])
    if values:
        view = with_values(view, values)
    compiled, more = _compile(view, services)
    problems += more
    shapes, more = _shapes(view)
    names = Names(view, compiled, services)
    problems += [*more, *names.problems_of_values(values)]
    problems += [each for call in compiled.values() for each in names.problems_of_call(call)]
    problems += [each for shape in shapes.values() for each in names.problems_of_shape(shape)]
    refusals, more = compile_refusals(view, names)
    problems += more + list(_unknown_calls(view, names))
    problems += names.problems_of_reads(Reads(frozenset(view.reads or ())), view.place)
    tags, more = compiled_tags(view.cache.tags if view.cache else (), names, before_calls=True)
    problems += more
    invalidates, more = compiled_tags(view.invalidates, names, before_calls=False)
    problems += more
    if problems:
        raise ConfigError(list(dict.fromkeys(problems)))
    nodes = in_order(view, compiled, refusals)
    refusals = tuple(_with_attached(each, compiled) for each in refusals)
    plans = {name: _plan_for(view, name, nodes, shapes[name], refusals) for name in view.frontends}
    made = (
        replace(each, view=declared, tags=tags, invalidates=invalidates) for each in plans.values()
    )
    return {each.frontend: _with_used(with_unread(each), values) for each in made}


def _with_used(plan: Plan, values: Mapping[str, Expression]) -> Plan:
    """The plan, with those values that it uses."""
    if not values:
        return plan
    tags = (one for text in (*plan.tags, *plan.invalidates) for one in text.expressions)
    return replace(plan, values=used_values([*(one for one, _ in plan.expressions), *tags], values))


def _unknown_calls(view: View, names: Names) -> Iterator[Problem]:
    for source in view.require_any:
        if source.text not in names.calls:
            hint = did_you_mean(source.text, names.calls)
            yield Problem(
                "unknown-call", source.place, f"`require_any` names no call: `{source.shown}`", hint
            )
    if isinstance(view.answer, str) and view.answer not in names.calls:
        hint = did_you_mean(view.answer, names.calls)
        yield Problem(
            "unknown-call",
            view.place.of("answer"),
            f"`answer` names no call: `{view.answer}`",
            hint,
        )


def _compile(
    view: View, services: Mapping[str, Service]
) -> tuple[dict[str, CompiledCall], list[Problem]]:
    compiled: dict[str, CompiledCall] = {}
    problems: list[Problem] = []
    for call in view.calls:
        service = services.get(call.service)
        if service is None:
            hint = did_you_mean(call.service, services)
            problems.append(
                Problem("unknown-service", call.path.place, f"no service `{call.service}`", hint)
            )
            continue
        try:
            compiled[call.name] = compile_call(call, service)
        except ConfigError as error:
            problems += error.problems
    return compiled, problems


def _shapes(view: View) -> tuple[dict[str, Shape], list[Problem]]:
    shapes: dict[str, Shape] = {}
    problems: list[Problem] = []
    for frontend in view.frontends:
        try:
            shapes[frontend] = _shape(view, frontend)
        except ConfigError as error:
            problems += error.problems
    return shapes, problems


def _with_attached(
    refusal: CompiledRefusal, compiled: Mapping[str, CompiledCall]
) -> CompiledRefusal:
    """A refusal that also waits for the calls that attach (`into`) what it reads.

    One that uses a named value waits for all that attach to it: the value is computed once, for
    all that use it.
    """
    found = attached(reads(refusal.when), compiled)
    every = bool(used_names(refusal.when))
    names = {name for name, is_named in found.items() if is_named or every}
    return replace(refusal, needs=refusal.needs | names)


def _plan_for(
    view: View,
    frontend: str,
    nodes: Mapping[str, Node],
    shape: Shape,
    refusals: tuple[CompiledRefusal, ...],
) -> Plan:
    named = {source.text for source in view.require_any}
    named |= frozenset().union(*(each.needs for each in refusals))
    wanted = named | (set(nodes) if view.function else set())
    wanted |= {view.answer} if isinstance(view.answer, str) else set()
    needed = _needed_calls(shape, nodes, wanted)
    made = {
        name: Node(
            node.compiled, node.needs, {k: v for k, v in node.follows.items() if k in needed}
        )
        for name, node in nodes.items()
        if name in needed
    }
    own = held_writes(made, named)
    awaits = {name: node.waits_for | _hidden(node) for name, node in own.items()}
    dependents: dict[str, list[str]] = {name: [] for name in own}
    for name, all_awaited in awaits.items():
        for awaited in sorted(all_awaited):
            dependents.setdefault(awaited, []).append(name)
    return Plan(
        view=view,
        frontend=frontend,
        nodes=own,
        awaits=awaits,
        dependents={name: tuple(names) for name, names in dependents.items()},
        shape=shape,
        credentials={
            name: node.compiled.service for node in own.values() for name in sorted(_hidden(node))
        },
        forward=frozenset().union(*(node.compiled.forward for node in own.values())),
        refusals=refusals,
        require_any=tuple(source.text for source in view.require_any),
        pruned=tuple(name for name in nodes if name not in needed),
        early=early_of(own),
    )


def _hidden(node: Node) -> frozenset[str]:
    """The hidden node of the credentials of a call, if they have to be obtained."""
    service = node.compiled.service
    return frozenset({f"@{service.name}"} if service.asks_for_tokens else ())


def _shape(view: View, frontend: str) -> Shape:
    if view.shape_with:
        known = RESERVED if view.body is not None else RESERVED - {"body"}
        everything = (*(call.name for call in view.calls), *known)
        function = Function(view.shape_with, otherwise=everything)
        return MadeShape(function, omit_null=view.omit_null)
    return Shape(_shape_tree(view, frontend), omit_null=view.omit_null)


def _shape_tree(view: View, frontend: str) -> object:
    tree = view.shapes.get(frontend, view.shape)
    if tree is not None or view.answer == _NO_CONTENT or view.function:
        return tree
    answering: Sequence[Call] = [call for call in view.calls if not call.guard]
    if len(answering) == 1:
        return Source(answering[0].name, answering[0].place)
    message = f"the view `{view.name}` has {len(answering)} calls and no shape for `{frontend}`"
    raise ConfigError(
        [Problem("shape-missing", view.place, message, "say what the answer looks like in `shape`")]
    )


def _needed_calls(shape: Shape, nodes: Mapping[str, Node], wanted: set[str]) -> set[str]:
    """The calls that a shape uses, the guards, the writes, and the calls that those need."""
    compiled = {name: node.compiled for name, node in nodes.items()}
    used = shape.reads
    wanted |= {name for name in used.roots if name in nodes} | set(attached(used, compiled))
    wanted |= {name for name, call in compiled.items() if call.call.guard or not call.call.safe}
    needed: set[str] = set()
    while wanted:
        name = wanted.pop()
        needed.add(name)
        wanted |= nodes[name].needs.keys() - needed
    return needed
