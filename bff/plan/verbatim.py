"""Answers that are not JSON: the text or the bytes of one call, unchanged."""

from collections.abc import Iterable
from typing import Final

from bff.model.problem import Problem
from bff.model.view import JSON, Call, View
from bff.plan.expression import names_of
from bff.plan.shape import Shape

_DECODED: Final = frozenset({"text", "bytes"})


def verbatim_call(view: View, shapes: Iterable[Shape]) -> tuple[Call | None, list[Problem]]:
    """The call whose text or bytes are the answer of a view, and what is wrong with it.

    Returns:
        No call where the answer is JSON, or has no body.
    """
    if view.answer_type in {JSON, ""}:
        return None, []
    calls = {call.name: call for call in view.calls}
    for shape in shapes:
        names = names_of(shape.body.ast) if shape.body else None
        call = calls.get(names[0]) if names and len(names) == 1 else None
        unchanged = call and call.decode in _DECODED and not (call.each or call.full or call.select)
        if call is None or not unchanged:
            message = f"an answer in {view.answer_type} is the text or the bytes of one call"
            hint = "`shape` is the call's name, and the call has `decode: text` or `bytes`"
            place = view.place.of("answer_type")
            return None, [Problem("answer-type", place, message, hint)]
    return call, []
