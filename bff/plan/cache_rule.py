"""Cache policies of views and calls: who shares an entry, and what its key and tags are made of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bff.cache.key import kind_of, person_of, tag_of
from bff.cache.policy import Shared
from bff.errors import ConfigError, Unfillable
from bff.model.cache import CacheRule
from bff.model.principal import Principal
from bff.model.problem import Problem
from bff.model.source import Source
from bff.plan.dependencies import Path
from bff.plan.expression import Scope
from bff.plan.names import Names
from bff.plan.template import Template, as_text


@dataclass(frozen=True, slots=True)
class CachePolicy:
    """A declared rule, with what has been proven of the response that it is for.

    Args:
        shared: the users that share an entry: as proven, or fewer if declared so.
        inputs: the inputs of the session that the response depends on; their values are part of
            the key.
        tags: of the rule, compiled.
    """

    rule: CacheRule
    shared: Shared
    inputs: tuple[Path, ...] = ()
    tags: tuple[Template, ...] = ()

    def key_scope(self, principal: Principal, scope: Scope) -> tuple[Any, ...]:
        """The part of the key that separates users that do not share entries."""
        values = [look_up(scope, path) for path in self.inputs]
        return self.shared, principal.identity if self.shared == "person" else "", values

    def tags_of(
        self, principal: Principal, scopes: "list[Scope]", kind: str, name: str
    ) -> set[str]:
        """The keys of all tags of an entry.

        Args:
            scopes: the values for its tags: one scope, or one for each item that it is about.
            kind: `view` or `service`; all entries of one can be invalidated together.
            name: of the view or the service.

        Raises:
            Unfillable: a tag has no value, so the entry could not be invalidated by it.
        """
        found = {kind_of(kind, name)}
        if self.shared == "person":
            found.add(person_of(principal))
        for scope in scopes:
            found |= tag_keys(self.tags, scope)
        return found


def tag_keys(templates: tuple[Template, ...], scope: Scope) -> set[str]:
    """The keys of tags, with the values of a scope.

    Raises:
        Unfillable: a tag has no value.
    """
    found = set()
    for template in templates:
        text = as_text(template.value(scope), template.source.shown)
        if not text:
            raise Unfillable(f"the tag `{template.source.shown}` is empty")
        found.add(tag_of(text))
    return found


def look_up(scope: Scope, path: Path) -> Any:
    """The value at a path of names; None where there is none."""
    value: Any = scope
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


@dataclass(frozen=True, slots=True)
class PlanCaching:
    """The cache policies of one plan.

    Args:
        view: of its answers; None if they are not cached.
        calls: of the replies of its calls, by name.
        everyone: whether the answer is the same for all users, cached or not.
        inputs: the names of all inputs that the answer depends on.
    """

    view: CachePolicy | None = None
    calls: Mapping[str, CachePolicy] = field(default_factory=dict)
    everyone: bool = False
    inputs: frozenset[str] = frozenset()


def compiled_tags(
    sources: Sequence[Source], names: Names, *, before_calls: bool
) -> tuple[tuple[Template, ...], list[Problem]]:
    """The compiled tags of a view, and the problems in them; see `Names.problems_of_tag`."""
    tags: list[Template] = []
    problems: list[Problem] = []
    for source in sources:
        try:
            tags.append(Template(source))
        except ConfigError as error:
            problems += error.problems
        else:
            problems += names.problems_of_tag(tags[-1], before_calls=before_calls)
    return tuple(tags), problems
