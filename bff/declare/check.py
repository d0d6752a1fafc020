"""Everything that is wrong with a configuration, or doubtful in it, found in one run."""

import gc
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

from bff.declare.checks.doubts import doubtful
from bff.declare.checks.ignores import ignores_in, without_ignored
from bff.declare.checks.locations import location_problems
from bff.declare.checks.never import never_meant
from bff.declare.checks.no_effect import keys_without_effect
from bff.declare.checks.no_session import read_without_session
from bff.declare.checks.production import unsafe_places
from bff.declare.checks.refusals import refusals_on_rungs
from bff.declare.checks.rungs import shape_on_rungs
from bff.declare.config import read_config
from bff.declare.folder import files_of
from bff.declare.requirement import paths_for_names, unkept_claims
from bff.declare.scope import proven
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

_ONWARD: Final = frozenset({"projection", "value_projection", "filter_projection", "pipe"})
_EVERYWHERE: Final = frozenset({"session", "frontend", "locale", "headers", "services"})
Plans = Mapping[str, Mapping[str, Plan]]  # by view, then by frontend


@dataclass(frozen=True, slots=True)
class Checked:
    """A configuration that can be served.

    Args:
        plans: for each view's name its plans, by frontend.
        warnings: what is allowed, and still doubtful.
        unsafe: what is allowed in development only: `bff serve` refuses it.
    """

    config: Config
    plans: Plans
    warnings: tuple[Problem, ...]
    unsafe: tuple[Problem, ...] = ()


def check(folder: Path, environ: Mapping[str, str] = os.environ) -> Checked:
    """Read, plan and check a folder.

    Raises:
        ConfigError: with every problem, warnings among them.
    """
    with _without_collector():
        config, doubts = read_config(folder, environ)
        found = check_config(config, doubts)
    return replace(found, warnings=without_ignored(found.warnings, ignores_in(files_of(folder))))


@contextmanager
def _without_collector() -> Iterator[None]:
    """Pause the garbage collector: nothing is thrown away here, and its rounds take a fifth."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def check_config(config: Config, doubts: Sequence[Problem] = ()) -> Checked:
    """Plan and check what was read; see `check`."""
    problems = [*doubts, *_service_headers(config), *_certificates(config)]
    problems += unkept_claims(config)
    problems += paths_for_names(config)
    plans: dict[str, dict[str, Plan]] = {}
    for view in config.views:
        try:
            drawn = plan(view, config.services)
            tasks = [partial(proven, each) for each in drawn.values()]
            plans[view.name] = dict(zip(drawn, collect_problems(tasks), strict=True))
        except ConfigError as error:
            problems += error.problems
            continue
        problems += _writes_of_a_get(view)
        problems += _unresolvable(view, plans[view.name])
        problems += _slices_of_text(view, plans[view.name])
        problems += _unused(view, plans[view.name])
        problems += _kept_and_hedged(view)
        problems += read_without_session(plans[view.name], config.frontends)
        problems += never_meant(config, view, plans[view.name])
        for each in plans[view.name].values():
            problems += location_problems(config, each)
            problems += shape_on_rungs(each)
            problems += refusals_on_rungs(each)
    problems += keys_without_effect(config, config.views)
    problems += doubtful(config, plans)
    problems = list(dict.fromkeys(problems))
    if any(not problem.warning for problem in problems):
        raise ConfigError(problems)
    problems.sort(key=lambda problem: problem.place.order)
    warnings = tuple(problem for problem in problems if not problem.unsafe)
    unsafe = (*(problem for problem in problems if problem.unsafe), *unsafe_places(config))
    return Checked(config, plans, warnings, unsafe)


def _certificates(config: Config) -> Iterator[Problem]:
    """Files of certificates that cannot be used are found now, not by the first request."""
    contexts = TlsContexts()
    for service in config.services.values():
        try:
            if service.tls:
                contexts.of(service)
        except ConfigError as error:
            yield from error.problems


def _service_headers(config: Config) -> Iterator[Problem]:
    """A service's own headers are the same in every view, so they know no view's calls."""
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
    """A GET is safe (RFC 9110, section 9.2.1): browsers prefetch it, and repeat it."""
    for call in view.calls:
        if view.method == "GET" and not call.safe:
            message = f"a get changes nothing, and its call `{call.name}` is a {call.method}"
            yield Problem(
                "write-in-get", call.place, message, "say `safe: true`, or make the view a post"
            )


def _unresolvable(view: View, plans: Mapping[str, Plan]) -> Iterator[Problem]:
    """Paths that no request can ever fill."""
    params = {param.name: param for param in view.params}
    nodes = {name: node for each in plans.values() for name, node in each.nodes.items()}
    for node in nodes.values():
        for expression in node.compiled.path.expressions:
            place, text = expression.source.place, expression.source.text
            found = reads(expression)
            if not found.all and _constant(expression) is None:
                yield Problem(
                    "path-never-filled",
                    place,
                    f"`{{{text}}}` is always null: the path is never filled",
                )
            for path in found.result:
                param = params.get(path[1]) if path[:1] == ("params",) and path[1:] else None
                if (
                    param
                    and text == ".".join(path)
                    and not param.required
                    and param.default is None
                ):
                    message = f"`{{{text}}}` may be missing, and the call then fails"
                    yield Problem(
                        "path-may-be-missing",
                        place,
                        message,
                        "give it a default, or `when`",
                        warning=True,
                    )


def _slices_of_text(view: View, plans: Mapping[str, Plan]) -> Iterator[Problem]:
    """Slices of what is known to be a text: JMESPath slices lists only, and gives null."""
    texts = {("session", "sub"), ("locale",), ("frontend",)}
    texts |= {("params", param.name) for param in view.params if param.type == "string"}
    for expression in _expressions(plans):
        if ":" not in expression.source.text:
            continue  # a slice has one
        for path in texts.intersection(_sliced(expression.ast, ())):
            message = f"a slice of `{'.'.join(path)}`, a text, is always null"
            hint = f"`slice({'.'.join(path)}, `0`, `3`)`"
            yield Problem("slice-of-text", expression.source.place, message, hint, warning=True)


def _sliced(node: Ast, before: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """The plain paths that an expression slices; `before` leads to where `node` begins."""
    children = [child for child in node["children"] if isinstance(child, dict)]
    if node["type"] == "subexpression":
        for child in children:
            yield from _sliced(child, before)
            before = (*before, *(names_of(child) or ("",)))
    elif node["type"] == "index_expression" and children[1]["type"] == "slice":
        yield (*before, *(names_of(children[0]) or ("",)))
    else:  # of a projection only what it projects begins where it does
        own = children[:1] if node["type"] in _ONWARD else children
        for child in own:
            yield from _sliced(child, before)


def _expressions(plans: Mapping[str, Plan]) -> Iterator[Expression]:
    for each in plans.values():
        yield from (leaf for _, leaf in each.shape.leaves)
        for node in each.nodes.values():
            compiled = node.compiled
            yield from (part for text in compiled.templates for part in text.expressions)
            yield from (one for _, one in compiled.each)
            yield from (one for one in (compiled.when, compiled.follow) if one)


def _constant(expression: Expression) -> Any:
    try:
        value = expression.value({})
    except Unfillable:
        return None
    return None if isinstance(value, list | dict) or value == "" else value


def _unused(view: View, plans: Mapping[str, Plan]) -> Iterator[Problem]:
    kept = {name for each in plans.values() for name in each.nodes}
    for call in view.calls:
        if call.name not in kept:
            hint = "use its value in a shape, or say `guard: true`"
            message = f"the call `{call.name}` is never made: no shape uses it"
            yield Problem("unused-call", call.place, message, hint, warning=True)


def _kept_and_hedged(view: View) -> Iterator[Problem]:
    """What several wait for is loaded once, and not raced against itself."""
    for call in view.calls:
        if call.cache and call.hedge and not call.hedge.never:
            message = f"the call `{call.name}` is kept, so its `hedge` is never sent"
            yield Problem(
                "cache-and-hedge",
                call.place,
                message,
                "take one of `cache` and `hedge`",
                warning=True,
            )
