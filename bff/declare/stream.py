"""`stream: events`, a view that passes server-sent events through: its keys and its checks."""

from collections.abc import Iterator, Mapping
from dataclasses import MISSING, fields
from typing import Any, Final

from bff.declare.read import DURATION, Key, one_of, wrong
from bff.model.view import Call, View

OF_STREAMS: Final = {
    "stream": Key(one_of("events"), "Passes the server-sent events of its only call through."),
    "keep_alive": Key(
        DURATION, "Silence after which a keep-alive comment is sent on a stream; default 15s."
    ),
    "max_age": Key(
        DURATION, "Time after which a stream is closed, so that the client reconnects; default 15m."
    ),
}
# Fields that a stream cannot have, with the keys that declare them: those of a view that makes an
# answer of replies, and those of a call whose reply is decoded to a value.
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
    """Reject keys that a stream cannot have, and keys of streams in other views.

    Args:
        values: the keys of the view.

    Raises:
        ConfigError: for the first of them.
    """
    if not view.stream:
        for name in values.keys() & {"keep_alive", "max_age"}:
            raise wrong(
                "key-conflict", view.place, f"only a stream has `{name}`", "`stream: events`"
            )
        return
    if view.method != "GET":
        raise wrong("key-conflict", view.place, "a stream is a `get`")
    for key in _declared(view, _OF_ANSWERS):
        raise wrong(
            "key-conflict", view.place, f"a stream is passed through: it cannot have `{key}`"
        )
    if len(view.calls) != 1:
        message = f"a stream needs exactly one call, this view has {len(view.calls)}"
        raise wrong("key-conflict", view.place, message, "`call: {get: orders:/events}`")
    call: Call = view.calls[0]
    if call.method != "GET":
        raise wrong(
            "key-conflict",
            call.place,
            f"a stream is a `get`, and this is a {call.method}",
            "`get:`",
        )
    for key in _declared(call, _OF_REPLIES):
        raise wrong(
            "key-conflict",
            call.place,
            f"a stream is passed through: its call cannot have `{key}`",
        )
    if call.rung != "required":
        hint = "clients reconnect by themselves"
        raise wrong(
            "key-conflict",
            call.place,
            f"the call of a stream cannot be `{call.rung}`",
            hint,
        )


def _declared(value: View | Call, names: Mapping[str, str]) -> Iterator[str]:
    """The keys of those fields that do not have their default."""
    for field in fields(value):
        usual = field.default if field.default_factory is MISSING else field.default_factory()
        if field.name in names and getattr(value, field.name) != usual:
            yield names[field.name]
