"""The trace context of a request, and how it is propagated (W3C Trace Context, level 2)."""

import re
from dataclasses import dataclass, replace
from random import getrandbits  # ids need be unique, not secret: no system call
from typing import Final

_PARENT: Final = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(?P<more>-.*)?"
)
_FIRST_VERSION: Final = "00"
_SAMPLED: Final = 1
_MOST_STATE: Final = 512  # characters that must be passed on (section 3.3.1.5)


@dataclass(frozen=True, slots=True)
class Trace:
    """The trace context of one request.

    Args:
        id: of the whole trace, in lower-case hexadecimal digits, as all ids are.
        span: of this request.
        parent: the span of the caller; empty where the trace begins here.
        sampled: whether spans of it are recorded.
        state: the `tracestate` of other systems, passed on unchanged.
    """

    id: str
    span: str
    parent: str = ""
    sampled: bool = False
    state: str = ""

    def below(self) -> "Trace":
        """The context of a child span."""
        return replace(self, span=new_span(), parent=self.span)

    def headers(self, span: str) -> tuple[tuple[str, str], ...]:
        """The headers of a request to a service that is sent in `span` (sections 3.2 and 3.3)."""
        parent = ("traceparent", f"00-{self.id}-{span}-{self.sampled:02x}")
        return (parent, ("tracestate", self.state)) if self.state else (parent,)


def new_span() -> str:
    """A new, random span id."""
    return f"{getrandbits(64):016x}"


def begun() -> Trace:
    """A trace that begins here."""
    return Trace(f"{getrandbits(128):032x}", new_span())


def continued(parent: str, state: str) -> Trace:
    """Continue the trace of a caller; begin a new one where its headers are not valid.

    Args:
        parent: the value of `traceparent`.
        state: the value of `tracestate`.
    """
    found = _PARENT.fullmatch(parent)
    if not found or (found["more"] and parent.startswith(_FIRST_VERSION)):
        return begun()
    passed_on = (
        state if len(state) <= _MOST_STATE and state.isascii() and state.isprintable() else ""
    )
    sampled = bool(int(found[3], 16) & _SAMPLED)
    return Trace(found[1], new_span(), found[2], sampled=sampled, state=passed_on)
