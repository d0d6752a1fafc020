"""What a stub service is asked and what it answers: values only."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

import orjson

Fault = Literal["reset", "empty", "truncated", "dribble_headers", "dribble_body", "hang"]


@dataclass(frozen=True, slots=True)
class StubRequest:
    """A request as it came: `target` raw, `query` raw and without its `?`, `body` de-chunked."""

    service: str
    method: str
    target: str
    path: str
    query: str
    headers: Sequence[tuple[str, str]] = ()
    body: bytes = b""

    def header(self, name: str) -> str | None:
        """The first header of that name, whatever its case."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key.lower() == wanted), None)

    def json(self) -> Any:
        """The body, decoded. Raises ValueError where it is not JSON."""
        return orjson.loads(self.body)


@dataclass(frozen=True, slots=True)
class StubReply:
    """A reply to send, `delay` seconds later, or the fault to play instead.

    Content-Length is added unless `headers` have it or Transfer-Encoding: what they say is sent
    as it is, wrong or not.

    Faults: `reset` closes with a RST, `empty` without a reply; `truncated` promises the whole body
    and closes half-way; `dribble_headers` and `dribble_body` send a byte now and then, for ever;
    `hang` never answers. The last three end when the client or the stub does.
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
        """Answer `value` as JSON, `delay` seconds later."""
        typed = [("Content-Type", "application/json"), *headers]
        return cls(status, typed, orjson.dumps(value), delay)

    @classmethod
    def problem(cls, status: int, title: str, **members: object) -> Self:
        """Answer a problem of RFC 9457, with `members` beside its title and status."""
        body = orjson.dumps({"title": title, "status": status, **members})
        return cls(status, [("Content-Type", "application/problem+json")], body)


Answerer = Callable[[StubRequest], StubReply]
