"""Readers of the target of a call: `service:/path`, or a link in an earlier reply."""

import re
from dataclasses import replace
from typing import Final

from bff.declare.load import Node
from bff.declare.read import Reader, source, wrong
from bff.model.source import Source

_TARGET: Final = re.compile(r"([a-z][a-z0-9_]*):(/(?!/).*)", re.DOTALL)  # not `http://…`
_FOLLOW: Final = re.compile(r"([a-z][a-z0-9_]*):\s*(.+)", re.DOTALL)


def _target(node: Node) -> tuple[str, Source]:
    written: Source = source("a target").read(node)
    found = _TARGET.fullmatch(written.text)
    if not found:
        raise wrong(
            "target", node.place, f"`{written.shown}` is not a target", _target_hint(written.text)
        )
    return found[1], replace(written, text=found[2], written=_after_service(written))


def _target_hint(text: str) -> str:
    """The hint for a text that is not `service:/path`."""
    if re.match(r"https?://", text):
        service = "declare the service in bff.yaml, `users: {url: http://users.internal:8000}`"
        return f"{service}, and name it: `users:/users`"
    if text.startswith("/"):
        return f"the service comes first: `users:{text}`"
    if found := re.fullmatch(r"([a-z][a-z0-9_]*):([^/\s].*)", text):
        return f"the path begins with a slash: `{found[1]}:/{found[2]}`"
    if found := re.fullmatch(r"([A-Za-z]+)\s+(\S.*)", text):
        return f"the method is the key: `{found[1].lower()}: {found[2]}`"
    return "a service and a path on it: `users:/users/{session.sub}`"


def _after_service(written: Source) -> str:
    return written.shown.partition(":")[2].strip()


def follow_of(written: Source) -> tuple[str, Source]:
    """The service and the expression of `service: expression`.

    Raises:
        ConfigError: the text has another form.
    """
    found = _FOLLOW.fullmatch(written.text)
    if not found:
        hint = "a service and an expression: `users: customer._links.addresses.href`"
        raise wrong(
            "target", written.place, f"`{written.shown}` is not a service with an expression", hint
        )
    return found[1], replace(written, text=found[2], written=_after_service(written))


TARGET: Final = Reader(_target, {"type": "string"})
