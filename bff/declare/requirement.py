"""Reader of `require`, the scopes and claims that a caller must have, and its checks."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from bff.declare.load import Node
from bff.declare.read import Key, Reader, Schema, map_of, one_of, table, text, wrong
from bff.errors import ConfigError, Unfillable
from bff.model.access import Access, Issuer, Provider, RequiredClaim, Requirement
from bff.model.config import Config
from bff.model.frontend import Frontend
from bff.model.problem import Problem
from bff.model.relay import Relay
from bff.model.source import Place, Source
from bff.model.view import View
from bff.plan.dependencies import reads
from bff.plan.expression import Expression

_PLAIN_PATH: Final = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+", re.ASCII)
_Value = tuple[Place, tuple[Any, ...]]


def _values(node: Node) -> _Value:
    """The accepted values of a claim, with their place."""
    many = node.plain if isinstance(node.value, list) else [node.plain]
    if not many or not all(isinstance(value, str | int | bool) for value in many):
        raise wrong("wrong-value", node.place, "a value or a list of values is expected here")
    return node.place, tuple(many)


def _scopes(node: Node) -> tuple[str, ...]:
    found = text(r"\S+( \S+)*", "scopes with spaces between").read(node)
    return tuple(re.split(" ", found))


def _claim(path: str, place: Place, values: tuple[Any, ...]) -> RequiredClaim:
    """A required claim, by its name, or by an expression over all claims.

    A name such as `https://shop.example/roles` is not an expression, and is looked up literally.
    """
    try:
        expression = Expression(Source(path, place))
    except ConfigError:
        return RequiredClaim(
            path, place, values, lambda claims: claims.get(path), frozenset({path})
        )
    return RequiredClaim(path, place, values, _selecting(path, expression), reads(expression).roots)


def _selecting(path: str, expression: Expression) -> Callable[[Mapping[str, Any]], Any]:
    def select(claims: Mapping[str, Any]) -> Any:
        if path in claims:  # a name with a dot in it, as `claims` declares it
            return claims[path]
        try:
            return expression.value(claims)
        except Unfillable:
            return None

    return select


def _requirement(_: Place, values: dict[str, Any]) -> Requirement:
    declared: Iterable[tuple[str, _Value]] = values["claims"].items()
    return Requirement(values["scope"], tuple(_claim(path, *claim) for path, claim in declared))


_VALUES: Final[Schema] = {"type": ["string", "integer", "boolean", "array"]}
REQUIREMENT: Final = table(
    _requirement,
    {
        "scope": Key(
            Reader(_scopes, {"type": "string"}),
            "Required scopes, with spaces between; all are needed.",
            (),
        ),
        "claims": Key(
            map_of(Reader(_values, _VALUES)),
            "Required claims: a name, or a path such as `realm_access.roles`, with its values.",
            {},
        ),
    },
    "a requirement",
)
# Of views and of relays: which requests they take.
ACCESS_KEYS: Final = {
    "access": Key(
        one_of("signed_in", "optional", "public"),
        "Who may request it; signed_in by default where the frontend has a sign-in.",
    ),
    "require": Key(REQUIREMENT, "Required scopes and claims of the caller."),
    "csrf": Key(
        one_of("header", "origin"),
        "CSRF check: `header` requires X-CSRF: 1 (default); `origin` checks Origin.",
    ),
}


def unavailable_claims(config: Config) -> Iterator[Problem]:
    """Requirements that no user can meet, since no provider or issuer stores the claim.

    A user has the claims that are listed in `claims` of their provider or issuer.
    """
    declared: tuple[View | Relay, ...] = (*config.views, *config.relays)
    for route in declared:
        for claim in route.require.claims if route.require else ():
            known = [config.frontends[name] for name in route.frontends if name in config.frontends]
            authenticating = [frontend for frontend in known if _authenticates(route, frontend)]
            sources = {frontend.name: _claims_at(config, frontend) for frontend in authenticating}
            lacking = [
                name
                for name, available in sources.items()
                if available and not any(claim.found_in(names) for names in available)
            ]
            if lacking:
                yield _unavailable(claim, lacking, certain=len(lacking) == len(sources))


def paths_as_claim_names(config: Config) -> Iterator[Problem]:
    """Warnings for entries of `claims` of a provider or issuer that look like paths.

    They are names of whole claims; a name may contain a dot, so it is not an error.
    """
    known: tuple[Provider | Issuer, ...] = (*config.providers.values(), *config.issuers.values())
    for source in known:
        for name in source.claims:
            if _PLAIN_PATH.fullmatch(name):
                message = f"`{name}` is read as the name of a claim here, not as a path into one"
                hint = f"`{name.partition('.')[0]}` stores the claim with all of its content"
                yield Problem(
                    "unknown-claim", source.place.of("claims"), message, hint, warning=True
                )


def _unavailable(claim: RequiredClaim, lacking: list[str], *, certain: bool) -> Problem:
    names = ", ".join(sorted(claim.roots)) or claim.path
    where = " and ".join(f"`{name}`" for name in lacking)
    message = f"`{claim.path}` is required, and no provider or issuer of {where} stores it"
    hint = f"`claims: [{names}]` of a provider, or of an issuer"
    return Problem("unknown-claim", claim.place, message, hint, warning=not certain)


def _authenticates(route: View | Relay, frontend: Frontend) -> bool:
    access: Access = route.access_at(frontend)
    return bool(frontend.access) and access != "public"


def _claims_at(config: Config, frontend: Frontend) -> list[tuple[str, ...]]:
    """The claims that a user of a frontend may have: one list for each provider and issuer."""
    claims: list[tuple[str, ...]] = []
    if "session" in frontend.access:
        claims += [provider.claims for provider in config.providers.values()]
    if "bearer" in frontend.access:
        claims += [issuer.claims for issuer in config.issuers.values()]
    return claims
