"""Requests to a stub service and its replies, as values."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

import orjson

Fault = Literal["reset", "empty", "truncated", "dribble_headers", "dribble_body", "hang"]


@dataclass(frozen=True, slots=True)
class StubRequest:
    """A received request: `target` and `query` (without `?`) are raw, `body` is de-chunked."""

    service: str
    method: str
    target: str
    path: str
    query: str
    headers: Sequence[tuple[str, str]] = ()
    body: bytes = b""

    def header(self, name: str) -> str | None:
        """The first header of that name (case-insensitive); None where there is none."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key.lower() == wanted), None)

    def json(self) -> Any:
        """The body decoded from JSON. Raises ValueError where it is not JSON."""
        return orjson.loads(self.body)


@dataclass(frozen=True, slots=True)
class StubReply:
    """A reply, sent after `delay` seconds, or a fault in place of it.

    Content-Length is added unless `headers` has it or Transfer-Encoding, which are sent as given,
    even if wrong.

    Faults: `reset` closes with a TCP RST, `empty` without a reply; `truncated` announces the whole
    body and closes half-way; `dribble_headers` and `dribble_body` send one byte at a time without
    end; `hang` never answers. The last three end when the client disconnects or the stub stops.
    """

    status: int = 200
    headers: Sequence[tuple[str, str]] = ()
    body: bytes = b""
    delay: float = 0.0
    fault: Fault | None = None

    @classmethod
    def json(
        cls,
        value: object,
        status: int = 200,
        *,
        headers: Sequence[tuple[str, str]] = (),
        delay: float = 0.0,
    ) -> Self:
        """A reply with `value` as JSON, sent after `delay` seconds."""
        typed = [("Content-Type", "application/json"), *headers]
        return cls(status, typed, orjson.dumps(value), delay)

    @classmethod
    def problem(cls, status: int, title: str, **members: object) -> Self:
        """A problem (RFC 9457) with `members` beside its title and status."""
        body = orjson.dumps({"title": title, "status": status, **members})
        return cls(status, [("Content-Type", "application/problem+json")], body)


Answerer = Callable[[StubRequest], StubReply]
