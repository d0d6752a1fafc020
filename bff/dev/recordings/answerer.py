"""Answers stub requests from recordings; without a match, with a 501 and the nearest entries."""

import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random

from bff.dev.recordings.live import live
from bff.dev.recordings.match import Candidate, RequestKey
from bff.dev.recordings.message import Answerer, StubReply, StubRequest
from bff.dev.recordings.normalize import mask_target
from bff.dev.recordings.recording import RecordedEntry, Recording
from bff.dev.recordings.replay_cursor import ReplayCursor, replay_cursors

# HAR stores bodies decoded, so these headers no longer apply (RFC 9110, 7.6.1; RFC 9112, 6.1).
_NOT_REPLAYED = {
    "connection",
    "content-encoding",
    "content-length",
    "keep-alive",
    "trailer",
    "transfer-encoding",
    "upgrade",
}

Latency = Callable[[RecordedEntry], float]
"""Seconds until the reply of an entry is sent."""


def replay_all(directory: Path, latency: Latency) -> Mapping[str, Answerer]:
    """An answerer for each service of a directory. Raises RecordingError."""
    return answerers_of(directory, replay_cursors(directory), latency)


def answerers_of(
    directory: Path, cursors: Mapping[str, ReplayCursor], latency: Latency
) -> Mapping[str, Answerer]:
    """An answerer for each service, from recordings that are already read."""
    return live(
        directory, {service: replay(cursor, latency) for service, cursor in cursors.items()}
    )


def replay(cursor: ReplayCursor, latency: Latency) -> Answerer:
    """An answerer that replays a recording; unmatched requests are answered with 501 and logged."""
    recording = cursor.recording

    def answer(request: StubRequest) -> StubReply:
        target = request.path + ("?" + request.query if request.query else "")
        asked = RequestKey.target(request.method, target, request.body)
        entry = cursor.next(asked)
        if entry is None:
            return _unmatched(request, recording, cursor.nearest(asked))
        headers = [(name, value) for name, value in entry.headers if is_replayed(name)]
        return StubReply(entry.status, headers, entry.content, latency(entry))

    return answer


def read_latency(text: str, random: Random | None = None) -> Latency:
    """Read `recorded`, `50ms` or `20ms-80ms` (evenly spread). Raises ValueError."""
    dice = random or Random()  # noqa: S311 - spreads latencies, no secret
    if text == "recorded":
        return lambda entry: entry.time / 1000
    found = re.fullmatch(r"(\d{1,6})ms(?:-(\d{1,6})ms)?", text)
    if found is None:
        raise ValueError(f"{text!r} should be `recorded`, `50ms` or `20ms-80ms`")
    least = int(found[1]) / 1000
    most = int(found[2]) / 1000 if found[2] else least
    if most < least:
        raise ValueError(f"{text!r} should name the shorter time first")
    return (lambda _: least) if least == most else (lambda _: dice.uniform(least, most))


def is_replayed(name: str) -> bool:
    """True if a recorded header is part of the replayed reply."""
    # HTTP/2 recordings carry pseudo-headers such as `:status`.
    return name.lower() not in _NOT_REPLAYED and not name.startswith(":")


def _unmatched(request: StubRequest, recording: Recording, nearest: list[Candidate]) -> StubReply:
    target = mask_target(request.target)
    asked = f"{request.method} {target}"
    print(  # noqa: T201 - for the developer who watches the stub
        f"{recording.file}: no recorded reply for {asked}{_hint(nearest)}",
        file=sys.stderr,
        flush=True,
    )
    return StubReply.problem(
        501,
        "No recorded reply for this request",
        detail=f"{recording.file} has no entry for {asked}.",
        service=recording.service,
        method=request.method,
        target=target,
        recording=str(recording.file),
        nearest=[
            {
                "entry": f"log.entries[{candidate.entry.number}]",
                "request": f"{candidate.entry.method} {candidate.entry.target}",
                "differs": list(candidate.differences),
            }
            for candidate in nearest
        ],
    )


def _hint(nearest: list[Candidate]) -> str:
    if not nearest:
        return ", nor for any other request"
    first = nearest[0]
    return f"; nearest is log.entries[{first.entry.number}]: {'; '.join(first.differences)}"
