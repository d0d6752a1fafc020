"""`stream: events`: a view that passes events on, and what makes no sense there."""

from collections.abc import Iterator, Mapping
from dataclasses import MISSING, fields
from typing import Any, Final

from bff.declare.read import DURATION, Key, one_of, wrong
from bff.model.view import Call, View

OF_STREAMS: Final = {
    "stream": Key(one_of("events"), "Passes the events of its only call on as they come."),
    "keep_alive": Key(DURATION, "After how long a silent stream is kept alive; 15s."),
    "max_age": Key(DURATION, "After how long a stream is closed, to come again; 15m."),
}
# Fields, and the keys that they are declared by: those of answers that are made of replies, and
# those of replies that are read and come to a value.
_OF_ANSWERS: Final = {
    "answer_type": "answer_type",
    "location": "answer",
    "respond": "respond",
    "answer": "answer",
    "cache": "cache",
    "max_bytes": "max_bytes",
    "max_calls": "max_calls",
    "omit_null": "omit_null",
    "refuse": "refuse",
    "require_any": "require_any",
    "shape": "shape",
    "shape_with": "shape_with",
    "shapes": "shapes",
    "sparse": "sparse",
}
_OF_REPLIES: Final = {
    "after": "after",
    "batch": "batch",
    "body_kind": "json",
    "cache": "cache",
    "decode": "decode",
    "each": "each",
    "follow": "follow",
    "full": "reply",
    "guard": "guard",
    "hedge": "hedge",
    "keeps": "status",
    "pages": "pages",
    "retry": "retry",
    "select": "path",
    "statuses": "status",
    "when": "when",
}


def check_stream(view: View, values: Mapping[str, Any]) -> None:
    """Refuse what a stream cannot have, and what only a stream can.

    Args:
        values: what is declared of the view.

    Raises:
        ConfigError: see above.
    """
    if not view.stream:
        for name in values.keys() & {"keep_alive", "max_age"}:
            raise wrong(
                "key-conflict", view.place, f"only a stream has `{name}`", "`stream: events`"
            )
        return
    if view.method != "GET":
        raise wrong("key-conflict", view.place, "a stream is a get")
    for key in _declared(view, _OF_ANSWERS):
        raise wrong(
            "key-conflict", view.place, f"a stream is passed on as it comes: it has no `{key}`"
        )
    if len(view.calls) != 1:
        message = f"a stream is that of one call, and here are {len(view.calls)}"
        raise wrong("key-conflict", view.place, message, "`call: {get: orders:/events}`")
    call: Call = view.calls[0]
    if call.method != "GET":
        raise wrong(
            "key-conflict", call.place, f"a stream is a get, and this is a {call.method}", "`get:`"
        )
    for key in _declared(call, _OF_REPLIES):
        raise wrong(
            "key-conflict",
            call.place,
            f"a stream is passed on as it comes: its call has no `{key}`",
        )
    if call.rung != "required":
        hint = "clients come again by themselves"
        raise wrong(
            "key-conflict",
            call.place,
            f"nothing can be `{call.rung}` where a stream does not come",
            hint,
        )


def _declared(value: View | Call, names: Mapping[str, str]) -> Iterator[str]:
    """The keys of those fields that are not as they are where nothing is said."""
    for field in fields(value):
        usual = field.default if field.default_factory is MISSING else field.default_factory()
        if field.name in names and getattr(value, field.name) != usual:
            yield names[field.name]
