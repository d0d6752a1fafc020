"""Reads, plans and checks a configuration; reports all of its problems in one run."""

import gc
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

from bff.declare.checks.constant_results import constant_results
from bff.declare.checks.ignores import ignores_in, without_ignored
from bff.declare.checks.no_effect import keys_without_effect
from bff.declare.checks.no_session import session_problems
from bff.declare.checks.production import unsafe_origins
from bff.declare.checks.refusals import refusal_problems
from bff.declare.checks.shapes import shape_problems
from bff.declare.checks.warnings import warnings_of
from bff.declare.config import read_config
from bff.declare.folder import files_of
from bff.declare.requirement import paths_as_claim_names, unavailable_claims
from bff.declare.scope import with_cache_policies
from bff.errors import ConfigError, Unfillable
from bff.model.config import Config
from bff.model.problem import Problem
from bff.model.view import View
from bff.plan.dependencies import reads
from bff.plan.expression import Ast, Expression, names_of
from bff.plan.fields import FieldTemplate
from bff.plan.plan import Plan, plan
from bff.plan.problems import collect_problems
from bff.upstream.tls import TlsContexts

_PROJECTIONS: Final = frozenset({"projection", "value_projection", "filter_projection", "pipe"})
_EVERYWHERE: Final = frozenset({"session", "frontend", "locale", "headers", "services"})
Plans = Mapping[str, Mapping[str, Plan]]  # by view, then by frontend


@dataclass(frozen=True, slots=True)
class CheckedConfig:
    """A configuration without errors, with the plans of its views.

    Args:
        plans: by the name of the view, then by frontend.
        warnings: problems that do not prevent serving it.
        unsafe: problems that are allowed in development; `bff serve` rejects them.
    """

    config: Config
    plans: Plans
    warnings: tuple[Problem, ...]
    unsafe: tuple[Problem, ...] = ()


def check(folder: Path, environ: Mapping[str, str] = os.environ) -> CheckedConfig:
    """Read, plan and check a folder.

    Raises:
        ConfigError: with every problem, warnings among them.
    """
    with _without_collector():
        found = check_config(*read_config(folder, environ))
    return replace(found, warnings=without_ignored(found.warnings, ignores_in(files_of(folder))))


@contextmanager
def _without_collector() -> Iterator[None]:
    """Pause the garbage collector: it finds little here, and takes a fifth of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def check_config(config: Config, warnings: Sequence[Problem] = ()) -> CheckedConfig:
    """Plan and check a configuration that was read.

    Args:
        warnings: those of `read_config`.

    Raises:
        ConfigError: with every problem, warnings among them.
    """
    problems = [*warnings, *_service_headers(config), *_certificates(config)]
    problems += unavailable_claims(config)
    problems += paths_as_claim_names(config)
    plans: dict[str, dict[str, Plan]] = {}
    for view in config.views:
        try:
            planned = plan(view, config.services)
            tasks = [partial(with_cache_policies, view_plan) for view_plan in planned.values()]
            plans[view.name] = dict(zip(planned, collect_problems(tasks), strict=True))
        except ConfigError as error:
            problems += error.problems
            continue
        problems += _writes_of_a_get(view)
        problems += _unresolvable(view, plans[view.name])
        problems += _slices_of_text(view, plans[view.name])
        problems += _unused(view, plans[view.name])
        problems += _unused_values(view, plans[view.name])
        problems += _cached_and_hedged(view)
        problems += session_problems(plans[view.name], config.frontends)
        problems += constant_results(config, view, plans[view.name])
        for view_plan in plans[view.name].values():
            problems += shape_problems(view_plan)
            problems += refusal_problems(view_plan)
    problems += keys_without_effect(config, config.views)
    problems += warnings_of(config, plans)
    problems = list(dict.fromkeys(problems))
    if any(not problem.warning for problem in problems):
        raise ConfigError(problems)
    problems.sort(key=lambda problem: problem.place.order)
    served = tuple(problem for problem in problems if not problem.unsafe)
    unsafe = (*(problem for problem in problems if problem.unsafe), *unsafe_origins(config))
    return CheckedConfig(config, plans, served, unsafe)


def _certificates(config: Config) -> Iterator[Problem]:
    """TLS files that cannot be used; found at load, not by the first request."""
    contexts = TlsContexts()
    for service in config.services.values():
        try:
            if service.tls:
                contexts.of(service)
        except ConfigError as error:
            yield from error.problems


def _service_headers(config: Config) -> Iterator[Problem]:
    """Headers of a service that use names of a view: they are shared by all views."""
    for service in config.services.values():
        for name, source in service.headers:
            try:
                template = FieldTemplate(source)
            except ConfigError as error:
                yield from error.problems
                continue
            for root in sorted(template.reads().roots - _EVERYWHERE):
                message = f"the header {name} of a service cannot use `{root}`"
                hint = f"only {', '.join(sorted(_EVERYWHERE))}"
                yield Problem("unknown-name", source.place, message, hint)


def _writes_of_a_get(view: View) -> Iterator[Problem]:
    """Calls of a GET view that are not safe (RFC 9110, section 9.2.1): clients may repeat a GET."""
    for call in view.calls:
        if view.method == "GET" and not call.safe:
            message = (
                f"a view with `get` is read-only, and its call `{call.name}` is a {call.method}"
            )
            yield Problem(
                "write-in-get",
                call.place,
                message,
                "declare `safe: true`, or make the view a `post`",
            )


def _unresolvable(view: View, plans: Mapping[str, Plan]) -> Iterator[Problem]:
    """Path templates that no request, or not every request, can fill."""
    params = {param.name: param for param in view.params}
    nodes = {name: node for view_plan in plans.values() for name, node in view_plan.nodes.items()}
    for node in nodes.values():
        for expression in node.compiled.path.expressions:
            place, text = expression.source.place, expression.source.text
            found = reads(expression)
            if not found.all and _constant(expression) is None:
                yield Problem(
                    "path-never-filled",
                    place,
                    f"`{{{text}}}` is always null, so the path can never be filled",
                )
            for path in found.result:
                param = params.get(path[1]) if path[:1] == ("params",) and path[1:] else None
                if (
                    param
                    and text == ".".join(path)
                    and not param.required
                    and param.default is None
                ):
                    message = f"`{{{text}}}` may be missing, and then the call fails"
                    yield Problem(
                        "path-may-be-missing",
                        place,
                        message,
                        "give it a default, or `when`",
                        warning=True,
                    )


def _slices_of_text(view: View, plans: Mapping[str, Plan]) -> Iterator[Problem]:
    """Slices of text values: JMESPath slices lists only, so the result is null."""
    texts = {("session", "sub"), ("locale",), ("frontend",)}
    texts |= {("params", param.name) for param in view.params if param.type == "string"}
    for expression in _expressions(plans):
        if ":" not in expression.source.text:
            continue  # every slice has a colon
        for path in texts.intersection(_sliced(expression.ast, ())):
            message = f"a slice of `{'.'.join(path)}`, a text, is always null"
            hint = f"`slice({'.'.join(path)}, `0`, `3`)`"
            yield Problem("slice-of-text", expression.source.place, message, hint, warning=True)


def _sliced(node: Ast, before: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """The plain paths that an expression slices.

    Args:
        before: the path of the value on which `node` is evaluated: in `params.q[0:3]` it is
            `("params",)` for the part `q[0:3]`.
    """
    children = [child for child in node["children"] if isinstance(child, dict)]
    if node["type"] == "subexpression":
        for child in children:
            yield from _sliced(child, before)
            before = (*before, *(names_of(child) or ("",)))
    elif node["type"] == "index_expression" and children[1]["type"] == "slice":
        yield (*before, *(names_of(children[0]) or ("",)))
    else:  # of a projection only the first child is evaluated on the same value
        own = children[:1] if node["type"] in _PROJECTIONS else children
        for child in own:
            yield from _sliced(child, before)


def _expressions(plans: Mapping[str, Plan]) -> Iterator[Expression]:
    for view_plan in plans.values():
        yield from (leaf for _, leaf in view_plan.shape.leaves)
        for node in view_plan.nodes.values():
            compiled = node.compiled
            yield from (part for text in compiled.templates for part in text.expressions)
            yield from (item for _, item in compiled.each)
            yield from (item for item in (compiled.when, compiled.follow) if item)


def _constant(expression: Expression) -> Any:
    try:
        value = expression.value({})
    except Unfillable:
        return None
    return None if isinstance(value, list | dict) or value == "" else value


def _unused(view: View, plans: Mapping[str, Plan]) -> Iterator[Problem]:
    used = {name for plan in plans.values() for name in plan.nodes}
    for call in view.calls:
        if call.name not in used:
            hint = "use its value in a shape, or declare `guard: true`"
            message = f"the call `{call.name}` is never made: no shape uses it"
            yield Problem("unused-call", call.place, message, hint, warning=True)


def _unused_values(view: View, plans: Mapping[str, Plan]) -> Iterator[Problem]:
    used = {name for each in plans.values() for name in each.values}
    for name, source in view.values.items():
        if name not in used:
            message = f"nothing uses the value `{name}`"
            yield Problem("unused-value", source.place, message, "remove it", warning=True)


def _cached_and_hedged(view: View) -> Iterator[Problem]:
    """Cached calls with a hedge: concurrent fetches are coalesced into one without hedging."""
    for call in view.calls:
        if call.cache and call.hedge and not call.hedge.never:
            message = f"the call `{call.name}` is cached, so its `hedge` is never sent"
            yield Problem(
                "cache-and-hedge",
                call.place,
                message,
                "remove `cache` or `hedge`",
                warning=True,
            )
