"""Static checks of expressions by inferred types: results that are the same for every request."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from bff.model.config import Config
from bff.model.problem import Problem
from bff.model.view import Param, View
from bff.plan.dependencies import reads
from bff.plan.expression import Expression
from bff.plan.kinds import ANY, NULL, Kind, nevers, result_kind
from bff.plan.plan import Plan
from bff.plan.template import Template
from bff.plan.tree import templates_in

Plans = Mapping[str, Plan]  # of one view, by frontend
_OPTIONAL_TEXT: Final = Kind(frozenset({"string", "null"}))
_TYPES: Final = {"integer": "number"}
_LINE: Final = 80  # characters
_NO_LOCALE: Final = "`locale` is null without `languages: [en, de]` at the frontend"
_SINGLE: Final = {
    "array": "`join(',', x)` is one text, `x[0]` the first; `each` makes one request for each item",
    "object": "a field of it: `{user.id}`",
}


def constant_results(config: Config, view: View, plans: Plans) -> Iterator[Problem]:
    """Comparisons, selections and arguments of one view whose result is constant or an error."""
    scopes = _scopes(config, view)
    for expression, bound in expressions_of(plans):
        if expression.source.written and "${" in expression.source.written:
            continue  # its text depends on the environment
        scope = scopes.of(expression)
        for what, hint in nevers(expression, scope | dict.fromkeys(bound, ANY)):
            message = f"`{_short(expression.source.shown)}`: {what}"
            no_locale = scope["locale"] == NULL and ("locale",) in reads(expression).all
            better_hint = _NO_LOCALE if no_locale else hint
            yield Problem("expression-never", expression.source.place, message, better_hint)
    yield from _unknown_claims(config, plans)
    yield from _too_many_calls(view, plans)
    yield from _repeats_without_list(plans, scopes)
    yield from _not_single_values(plans, scopes)


def _short(text: str) -> str:
    """An expression on one line, cut to the length of one."""
    line = " ".join(text.split())
    return line if len(line) <= _LINE else f"{line[:_LINE]} …"


@dataclass(frozen=True, slots=True)
class _Scopes:
    """The types of the root names (`params`, `session`, …) of a view.

    Args:
        file: the file of the view.
        own: for expressions in that file.
        shared: for expressions in shared calls and headers of services, which other views use as
            well: parameters may be missing there, and body and frontends are unknown.
    """

    file: str
    own: Mapping[str, Kind]
    shared: Mapping[str, Kind]

    def of(self, expression: Expression) -> dict[str, Kind]:
        """The types of the root names where an expression is; calls may have any type."""
        return dict(self.own if expression.source.place.file == self.file else self.shared)


def _scopes(config: Config, view: View) -> _Scopes:
    params = {param.name: _of_param(param) for param in view.params}
    own = _scope(config, view.frontends, params)
    anywhere = {name: Kind(kind.of | {"null"}) for name, kind in params.items()}
    shared = _scope(config, tuple(config.frontends), anywhere)
    return _Scopes(view.place.file, {**own, "body": _of_schema(view.body)}, shared)


def _scope(
    config: Config, frontends: tuple[str, ...], params: Mapping[str, Kind]
) -> dict[str, Kind]:
    """The types of the root names without `body`."""
    languages = [config.frontends[name].languages for name in frontends]
    spoken = frozenset(tag for tags in languages for tag in tags)
    locale = Kind(frozenset({"string"}), values=spoken) if all(languages) else _OPTIONAL_TEXT
    session = {"sub": _OPTIONAL_TEXT, "visitor": _OPTIONAL_TEXT}
    session["claims"] = Kind(frozenset({"object"}))
    session["signed_in"] = Kind(frozenset({"boolean"}))
    return {
        "null": NULL,
        "frontend": Kind(frozenset({"string"}), values=frozenset(frontends)),
        "locale": locale if any(languages) else NULL,
        "session": Kind(frozenset({"object"}), session),
        "params": Kind(frozenset({"object"}), params),
    }


def _of_param(param: Param) -> Kind:
    types = {_TYPES.get(str(param.type), str(param.type))}
    values = frozenset(param.enum) if param.enum and param.type != "array" else None
    if not param.required and param.default is None:
        return Kind(frozenset(types | {"null"}), values=values)
    return Kind(frozenset(types), values=values)


def _of_schema(schema: Any) -> Kind:
    """The type that a JSON Schema allows, by its `type` and `properties` only."""
    if not isinstance(schema, Mapping) or "type" not in schema:
        return ANY
    types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    names = frozenset(_TYPES.get(str(type_name), str(type_name)) for type_name in types)
    properties = schema.get("properties", {})
    required = schema.get("required", [])
    fields = {name: _of_schema(schema_of_field) for name, schema_of_field in properties.items()}
    missing = {name: Kind(kind.of | {"null"}, kind.fields) for name, kind in fields.items()}
    return Kind(names, {name: (fields if name in required else missing)[name] for name in fields})


def expressions_of(plans: Plans) -> Iterator[tuple[Expression, frozenset[str]]]:
    """Every expression of a view once, with the names that `each` binds for it."""
    seen: set[int] = set()
    for plan in plans.values():
        found = [*plan.expressions, *((each, frozenset[str]()) for each in plan.values.values())]
        for expression, bound in found:
            if id(expression) not in seen:
                seen.add(id(expression))
                yield expression, bound


def _unknown_claims(config: Config, plans: Plans) -> Iterator[Problem]:
    """Claims that no provider or issuer stores: they are null for every session."""
    stored = {name for provider in config.providers.values() for name in provider.claims}
    stored |= {name for issuer in config.issuers.values() for name in issuer.claims}
    if not config.providers and not config.issuers:
        return
    for expression, _ in expressions_of(plans):
        for path in sorted(reads(expression).all):
            if path[:2] == ("session", "claims") and path[2:3] and path[2] not in stored:
                message = f"no provider or issuer stores the claim `{path[2]}`"
                hint = f"`claims: [{path[2]}]` of the provider or issuer"
                yield Problem("unknown-claim", expression.source.place, message, hint)


def _too_many_calls(view: View, plans: Plans) -> Iterator[Problem]:
    """Views with more unconditional calls than `max_calls`."""
    for plan in plans.values():
        always = [
            node
            for node in plan.nodes.values()
            if not node.compiled.when and not node.compiled.each and not node.needs
        ]
        if len(always) > view.max_calls:
            message = f"the view makes at least {len(always)} calls"
            place = view.place.of("max_calls")
            yield Problem("too-many-calls", place, message, f"`max_calls: {len(plan.nodes)}`")


def _repeats_without_list(plans: Plans, scopes: _Scopes) -> Iterator[Problem]:
    """An `each` over a value that is never a list; null is allowed."""
    for plan in plans.values():
        for node in plan.nodes.values():
            bound = dict.fromkeys(node.compiled.bound, ANY)
            for _, over in node.compiled.each:
                kind = result_kind(over, scopes.of(over) | bound)
                if _is_never(kind, {"number", "string", "boolean", "object"}):
                    message = f"`each` needs a list, and `{over.source.shown}` is {kind.shown}"
                    hint = "a list: a parameter with `type: array`, `orders[]`, `values(x)`"
                    yield Problem("expression-never", over.source.place, message, hint)


def _not_single_values(plans: Plans, scopes: _Scopes) -> Iterator[Problem]:
    """Objects in paths, headers and queries, and lists in paths and headers."""
    for plan in plans.values():
        for node in plan.nodes.values():
            compiled = node.compiled
            items = dict.fromkeys(compiled.bound, ANY)
            headers = list(templates_in([field.tree for field in compiled.headers]))
            query = list(templates_in([field.tree for field in compiled.query]))
            yield from _never_single([compiled.path, *headers], scopes, items, {"array", "object"})
            yield from _never_single(query, scopes, items, {"object"})


def _never_single(
    templates: list[Template], scopes: _Scopes, items: dict[str, Kind], refused: set[str]
) -> Iterator[Problem]:
    for template in templates:
        for expression in template.expressions:
            kind = result_kind(expression, scopes.of(expression) | items)
            if _is_never(kind, refused):
                message = f"`{{{expression.source.shown}}}` is {kind.shown}"
                message += ", where a single value is needed"
                hint = _SINGLE["array" if "array" in kind.of else "object"]
                yield Problem("path-never-filled", expression.source.place, message, hint)


def _is_never(kind: Kind, refused: set[str]) -> bool:
    """True if the type of a value, unless null, is always one of the refused."""
    return kind.of - NULL.of <= refused and kind.of != NULL.of
