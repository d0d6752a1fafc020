"""What a view answers besides its shape: the status, and whether there is a body."""

from typing import Any, Final

from bff.declare.load import Node
from bff.declare.read import Reader, integer, wrong
from bff.declare.readers import NAME
from bff.model.source import Place, Source

NO_BODY: Final = "none"
_WITHOUT_BODY: Final = frozenset({201, 202, 204, 205})
_EMPTY: Final = ""  # the media type of an answer without a body


def _answer(node: Node) -> int | str:
    reader = integer(200, 299) if isinstance(node.value, int) else NAME
    status: int | str = reader.read(node)
    return status


ANSWER: Final = Reader(_answer, {"type": ["integer", "string"]})


def answer_fields(place: Place, values: dict[str, Any]) -> dict[str, Any]:
    """The fields of a view that its answer is made of.

    Args:
        values: of the view's keys.

    Raises:
        ConfigError: the keys contradict each other.
    """
    shape = values.get("shape")
    found = {"answer": values["answer"], "shape": shape}
    if isinstance(shape, Source) and shape.text == NO_BODY:
        _check_no_body(place, values)
        found |= {"shape": None, "answer_type": _EMPTY}
    return found


def _check_no_body(place: Place, values: dict[str, Any]) -> None:
    call = values.get("calls", {}).get(NO_BODY)
    if call:
        message = f"`shape: {NO_BODY}` is an answer without a body, and a call has this name"
        raise wrong("taken-name", call.place, message, "give the call another name")
    status = values["answer"]
    if isinstance(status, int) and status not in _WITHOUT_BODY:
        message = f"the status {status} promises a body, and `shape: none` has none"
        hint = "`answer: 201`, 202 or 204"
        raise wrong("key-conflict", place.of("answer", "shape"), message, hint)
    _refuse_with(place, values, ("shapes", "sparse", "refresh", "omit_null"), "no body")


def _refuse_with(place: Place, values: dict[str, Any], names: tuple[str, ...], what: str) -> None:
    """Refuse keys that change a JSON answer, where there is none."""
    for name in names:
        if values.get(name):
            message = f"`{name}` is for answers in JSON, and this one has {what}"
            raise wrong("key-conflict", place.of(name), message, f"remove `{name}`")
