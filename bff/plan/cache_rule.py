"""For whom a reply or an answer is kept, and what its key is made of besides the request."""

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
class Kept:
    """A rule of keeping, with what was proven of it.

    Args:
        shared: who gets the same, as proven, or as few as was declared.
        inputs: what of the session reaches it: its values are part of the key.
        tags: the rule's, compiled.
    """

    rule: CacheRule
    shared: Shared
    inputs: tuple[Path, ...] = ()
    tags: tuple[Template, ...] = ()

    def owner(self, principal: Principal, scope: Scope) -> tuple[Any, ...]:
        """For whom an entry is, as part of its key."""
        values = [look_up(scope, path) for path in self.inputs]
        return self.shared, principal.identity if self.shared == "person" else "", values

    def tags_of(
        self, principal: Principal, scopes: "list[Scope]", kind: str, name: str
    ) -> set[str]:
        """The keys of all tags of an entry.

        Args:
            scopes: what its tags are filled with: one, or one for each item it is of.
            kind: `view` or `service`, and its name: all of it can be invalidated together.

        Raises:
            Unfillable: a tag has no value, so that it could not be invalidated by it.
        """
        found = {kind_of(kind, name)}
        if self.shared == "person":
            found.add(person_of(principal))
        for scope in scopes:
            found |= filled(self.tags, scope)
        return found


def filled(templates: tuple[Template, ...], scope: Scope) -> set[str]:
    """The keys of tags.

    Raises:
        Unfillable: one has no value.
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
class Keeping:
    """What is kept of one plan.

    Args:
        view: of its answers, None for nothing.
        calls: of the replies of its calls, by name.
        everyone: whether everybody would get the same answer, kept or not.
        inputs: what the whole answer depends on, by name.
    """

    view: Kept | None = None
    calls: Mapping[str, Kept] = field(default_factory=dict)
    everyone: bool = False
    inputs: frozenset[str] = frozenset()


def compiled_tags(
    sources: Sequence[Source], names: Names, *, before_calls: bool
) -> tuple[tuple[Template, ...], list[Problem]]:
    """Tags of a view, compiled, and what is wrong with them; see `Names.problems_of_tag`."""
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
