"""What a view or a relay requires of who asks, as it declares it."""

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
    """The values of which a claim must have one."""
    many = node.plain if isinstance(node.value, list) else [node.plain]
    if not many or not all(isinstance(each, str | int | bool) for each in many):
        raise wrong("wrong-value", node.place, "a value or a list of values is wanted here")
    return node.place, tuple(many)


def _scopes(node: Node) -> tuple[str, ...]:
    found = text(r"\S+( \S+)*", "scopes with spaces between").read(node)
    return tuple(re.split(" ", found))


def _claim(path: str, place: Place, values: tuple[Any, ...]) -> RequiredClaim:
    """A claim by its name, or by an expression over all claims.

    Names such as `https://shop.example/roles` are no expressions, and stand for themselves.
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
    return Requirement(values["scope"], tuple(_claim(path, *each) for path, each in declared))


_VALUES: Final[Schema] = {"type": ["string", "integer", "boolean", "array"]}
REQUIREMENT: Final = table(
    _requirement,
    {
        "scope": Key(Reader(_scopes, {"type": "string"}), "Scopes that are all needed.", ()),
        "claims": Key(
            map_of(Reader(_values, _VALUES)),
            "Claims, by name or by a path such as `realm_access.roles`, and values that will do.",
            {},
        ),
    },
    "a requirement",
)
# Of views and of relays: which requests they take.
ACCESS_KEYS: Final = {
    "access": Key(
        one_of("signed_in", "optional", "public"),
        "Who may ask; signed_in if the frontend has a way to sign in.",
    ),
    "require": Key(REQUIREMENT, "What who asks must have: scopes, claims."),
    "csrf": Key(
        one_of("header", "origin"),
        "The CSRF check: `header` requires X-CSRF, the default; `origin` checks Origin.",
    ),
}


def unkept_claims(config: Config) -> Iterator[Problem]:
    """Requirements that no principal can meet: no provider or issuer keeps the claim.

    A principal has those claims that `claims` of their provider, or issuer, names.
    """
    declared: tuple[View | Relay, ...] = (*config.views, *config.relays)
    for each in declared:
        for claim in each.require.claims if each.require else ():
            known = [config.frontends[name] for name in each.frontends if name in config.frontends]
            asking = [frontend for frontend in known if _asks(each, frontend)]
            sources = {frontend.name: _kept(config, frontend) for frontend in asking}
            lacking = [
                name
                for name, kept in sources.items()
                if kept and not any(claim.found_in(names) for names in kept)
            ]
            if lacking:
                yield _unkept(claim, lacking, certain=len(lacking) == len(sources))


def paths_for_names(config: Config) -> Iterator[Problem]:
    """Doubts about `claims` of a provider or an issuer that read as paths: they keep whole claims.

    A name may have a dot in it, so it is no error.
    """
    known: tuple[Provider | Issuer, ...] = (*config.providers.values(), *config.issuers.values())
    for each in known:
        for name in each.claims:
            if _PLAIN_PATH.fullmatch(name):
                message = f"`{name}` is the whole name of a claim here, not a path into one"
                hint = f"`{name.partition('.')[0]}` keeps the claim with all that is in it"
                yield Problem("unknown-claim", each.place.of("claims"), message, hint, warning=True)


def _unkept(claim: RequiredClaim, lacking: list[str], *, certain: bool) -> Problem:
    names = ", ".join(sorted(claim.roots)) or claim.path
    where = " and ".join(f"`{name}`" for name in lacking)
    message = f"`{claim.path}` is required, and no provider or issuer of {where} keeps it"
    hint = f"`claims: [{names}]` of a provider, or of an issuer"
    return Problem("unknown-claim", claim.place, message, hint, warning=not certain)


def _asks(each: View | Relay, frontend: Frontend) -> bool:
    access: Access = each.access_at(frontend)
    return bool(frontend.access) and access != "public"


def _kept(config: Config, frontend: Frontend) -> list[tuple[str, ...]]:
    """The claims that a principal at a frontend may have, by provider and issuer."""
    kept: list[tuple[str, ...]] = []
    if "session" in frontend.access:
        kept += [provider.claims for provider in config.providers.values()]
    if "bearer" in frontend.access:
        kept += [issuer.claims for issuer in config.issuers.values()]
    return kept
