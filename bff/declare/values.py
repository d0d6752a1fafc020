"""The key `values` of a view: named expressions, and names that a value cannot have."""

from collections.abc import Collection, Mapping
from typing import Final

from bff.declare.read import Key, map_of, source, wrong
from bff.declare.readers import FIELD
from bff.model.source import Source
from bff.model.view import Call, Param

VALUES: Final = Key(map_of(source(), FIELD), "Named expressions, used by others by their name.")


def check_values(
    values: Mapping[str, Source],
    calls: tuple[Call, ...],
    params: tuple[Param, ...],
    reserved: Collection[str],
) -> None:
    """Refuse a value with a name that something else in the view has.

    Args:
        reserved: root names, and words with a meaning.

    Raises:
        ConfigError: at the first such value.
    """
    items = {item for call in calls if call.each for item, _ in call.each.over}
    taken = {
        **dict.fromkeys(reserved, "the name has a meaning"),
        **dict.fromkeys(items - {"item"}, "an item of an `each` is"),
        **{param.name: "a parameter is" for param in params},
        **{call.name: "a call is" for call in calls},
    }
    for name, expression in values.items():
        if name in taken:
            message = f"a value cannot be called `{name}`: {taken[name]}"
            raise wrong("taken-name", expression.place, message, "another name")
