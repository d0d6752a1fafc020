"""Answers from recordings: the recorded reply, or a 501 that says what came nearest."""

import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random

from bff.dev.recordings.live import live
from bff.dev.recordings.loosen import hide_target
from bff.dev.recordings.match import Asked, Near
from bff.dev.recordings.message import Answerer, StubReply, StubRequest
from bff.dev.recordings.recording import Entry, Recording
from bff.dev.recordings.tape import Tape, tapes_of

# HAR keeps bodies decoded and whole, so these no longer hold (RFC 9110, 7.6.1; RFC 9112, 6.1).
_NOT_REPLAYED = {
    "connection",
    "content-encoding",
    "content-length",
    "keep-alive",
    "trailer",
    "transfer-encoding",
    "upgrade",
}

Latency = Callable[[Entry], float]
"""How long the reply of an entry takes, in seconds."""


def replay_all(directory: Path, latency: Latency) -> Mapping[str, Answerer]:
    """What answers for each service of a directory. Raises RecordingError."""
    return answerers_of(directory, tapes_of(directory), latency)


def answerers_of(
    directory: Path, tapes: Mapping[str, Tape], latency: Latency
) -> Mapping[str, Answerer]:
    """The same, of tapes that are read already."""
    return live(directory, {service: replay(tape, latency) for service, tape in tapes.items()})


def replay(tape: Tape, latency: Latency) -> Answerer:
    """Answer what is recorded; what is not, with 501 and a line on stderr."""
    recording = tape.recording

    def answer(request: StubRequest) -> StubReply:
        target = request.path + ("?" + request.query if request.query else "")
        asked = Asked.target(request.method, target, request.body)
        entry = tape.next(asked)
        if entry is None:
            return _unmatched(request, recording, tape.nearest(asked))
        kept = [(name, value) for name, value in entry.headers if is_replayed(name)]
        return StubReply(entry.status, kept, entry.content, latency(entry))

    return answer


def read_latency(text: str, random: Random | None = None) -> Latency:
    """Read `recorded`, `50ms` or `20ms-80ms` (evenly spread). Raises ValueError."""
    dice = random or Random()  # noqa: S311 - it spreads what one waits
    if text == "recorded":
        return lambda entry: entry.time / 1000
    found = re.fullmatch(r"(\d{1,6})ms(?:-(\d{1,6})ms)?", text)
    if found is None:
        raise ValueError(f"{text!r} should be recorded, or as 50ms, or as 20ms-80ms")
    least = int(found[1]) / 1000
    most = int(found[2]) / 1000 if found[2] else least
    if most < least:
        raise ValueError(f"{text!r} should name the shorter time first")
    return (lambda _: least) if least == most else (lambda _: dice.uniform(least, most))


def is_replayed(name: str) -> bool:
    """Whether a recorded header still holds of the reply that is replayed."""
    # HTTP/2 recordings carry pseudo-headers such as `:status`.
    return name.lower() not in _NOT_REPLAYED and not name.startswith(":")


def _unmatched(request: StubRequest, recording: Recording, nearest: list[Near]) -> StubReply:
    target = hide_target(request.target)
    asked = f"{request.method} {target}"
    print(  # noqa: T201 - for the developer who watches the stub
        f"{recording.file}: nothing is recorded for {asked}{_hint(nearest)}",
        file=sys.stderr,
        flush=True,
    )
    return StubReply.problem(
        501,
        "Nothing is recorded for this request",
        detail=f"{recording.file} has no entry for {asked}.",
        service=recording.service,
        method=request.method,
        target=target,
        recording=str(recording.file),
        nearest=[
            {
                "entry": f"log.entries[{near.entry.number}]",
                "request": f"{near.entry.method} {near.entry.target}",
                "differs": list(near.differences),
            }
            for near in nearest
        ],
    )


def _hint(nearest: list[Near]) -> str:
    if not nearest:
        return ", nor for any other request"
    first = nearest[0]
    return f"; nearest is log.entries[{first.entry.number}]: {'; '.join(first.differences)}"
