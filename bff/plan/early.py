"""Which parts of a view's required calls depend on the request alone: found at load time.

`bff.engine.prefill` fills them when a request begins, before anything is sent.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from bff.plan.compile import CompiledCall
from bff.plan.dependencies import Reads, reads, together
from bff.plan.expression import Expression, is_repeatable
from bff.plan.fields import OF_THE_REQUEST
from bff.plan.order import Node, attached
from bff.plan.python_function import Function
from bff.plan.request_parts import Part, Target

_KNOWN: Final = OF_THE_REQUEST | {"session"}  # before anything is sent


@dataclass(frozen=True, slots=True)
class Early:
    """The parts of a call that can be filled when the request begins.

    Args:
        whens: conditions; if one is not true the call is skipped, and nothing is filled.
        parts: those that are the same for all its requests.
        items: whether its items are known.
        parts_of_items: those that are filled for each item.
        anew: those that are validated early and filled again for each request, because their
            value changes each time, such as `uuid()`.
    """

    call: CompiledCall
    whens: tuple[Expression, ...]
    parts: tuple[Part, ...]
    items: bool
    parts_of_items: tuple[Part, ...]
    anew: frozenset[Part]


def early_of(nodes: Mapping[str, Node]) -> dict[str, Early]:
    """The parts that can be filled early, by the name of the call."""
    compiled = {name: node.compiled for name, node in nodes.items()}
    found = {name: _early(name, nodes, compiled) for name in nodes}
    return {name: each for name, each in found.items() if each}


def _early(
    name: str, nodes: Mapping[str, Node], compiled: Mapping[str, CompiledCall]
) -> Early | None:
    call = compiled[name]
    if call.call.rung != "required":
        return None  # its failure does not fail the view

    def is_known(found: Reads) -> bool:
        return found.roots <= _KNOWN and not attached(found, compiled, skip=name)

    whens = tuple(_whens(name, nodes))
    if not all(is_known(reads(each)) for each in whens):
        return None
    chosen = replace(
        call.selects, result=frozenset()
    )  # what it selects whole, it attaches to itself
    items = bool(call.each) and call.selects.roots <= _KNOWN and is_known(chosen)
    every: tuple[Part, ...] = (call.target, *call.fields)
    known = [part for part in every if not _is_made(part) and is_known(_read_by(part, call))]
    known = [part for part in known if part.expressions]  # the others are constants
    of_items = {part for part in known if _names_item(part, call)}
    parts = tuple(part for part in known if part not in of_items)
    own = tuple(part for part in known if part in of_items) if items and not call.fold else ()
    if not (parts or items or call.forward or call.when):
        return None
    anew = (part for part in (*parts, *own) if not all(map(is_repeatable, part.expressions)))
    return Early(call, whens, parts, items, own, frozenset(anew))


def _whens(name: str, nodes: Mapping[str, Node]) -> Iterator[Expression]:
    """The conditions of a call and of those whose values it uses: each may have it skipped."""
    waiting, seen = {name}, set[str]()
    while waiting:
        each = waiting.pop()
        seen.add(each)
        when = nodes[each].compiled.when
        if when:
            yield when
        waiting |= nodes[each].needs.keys() - seen


def _is_made(part: Part) -> bool:
    """Whether a part is not filled from templates: by a link, or by a function."""
    return bool(part.follow) if isinstance(part, Target) else isinstance(part.tree, Function)


def _read_by(part: Part, call: CompiledCall) -> Reads:
    return together(reads(each, call.bound) for each in part.expressions)


def _names_item(part: Part, call: CompiledCall) -> bool:
    return any(reads(each).roots & call.bound.keys() for each in part.expressions)
