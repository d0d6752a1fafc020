"""Finds the recorded exchange that answers a request, or the nearest ones and how they differ."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from heapq import nsmallest
from itertools import takewhile, zip_longest
from typing import Self
from urllib.parse import parse_qsl, quote, unquote

import orjson

from bff.dev.recording import Entry, Pairs

# How much each kind of difference counts when the nearest entries are ranked.
_METHOD, _SEGMENT, _PAIR, _BODY = 3, 4, 1, 1


@dataclass(frozen=True, slots=True)
class Asked:
    """What counts of a request: not its host, not its headers, not the order of its query."""

    method: str
    path: str
    query: Pairs
    body: bytes

    @classmethod
    def of(cls, method: str, path: str, query: Iterable[tuple[str, str]], body: bytes) -> Self:
        """Put a request into the one form in which requests are compared.

        Paths compare by their decoded segments, so that `%2F` is not `/`; JSON bodies by value.
        """
        segments = [quote(unquote(segment), safe="") for segment in path.split("/")]
        return cls(method.upper(), "/".join(segments), tuple(sorted(query)), _by_value(body))

    @classmethod
    def target(cls, method: str, target: str, body: bytes = b"") -> Self:
        """The same from a request target (RFC 9112, 3.2.1), such as `/orders?customer=ada`."""
        path, _, query = target.partition("?")
        return cls.of(method, path, parse_qsl(query, keep_blank_values=True), body)


@dataclass(frozen=True, slots=True)
class Near:
    """An entry that is not quite what was asked, and each thing that differs."""

    entry: Entry
    differences: tuple[str, ...]


class Index:
    """Recorded entries by what was asked.

    Args:
        loosen: takes what does not count out of requests, asked and recorded alike.
    """

    def __init__(
        self, entries: Iterable[Entry], loosen: Callable[[Asked], Asked] = lambda asked: asked
    ) -> None:
        self._loosen = loosen
        self._all: dict[Asked, list[Entry]] = {}
        for entry in entries:
            asked = Asked.of(entry.method, entry.path, entry.query, entry.body)
            self._all.setdefault(loosen(asked), []).append(entry)
        for asked, found in self._all.items():  # what a cache has answered, nobody asks for
            self._all[asked] = [each for each in found if not each.kept] or found[:1]
        self._entries = {asked: entries[0] for asked, entries in self._all.items()}

    def find(self, asked: Asked) -> Entry | None:
        """The first entry that was recorded for this, if there is one."""
        return self._entries.get(self._loosen(asked))

    def sequence(self, asked: Asked) -> Sequence[Entry]:
        """All that was recorded for this, in the order in which it came."""
        return self._all.get(self._loosen(asked), ())

    def answers(self) -> set[int]:
        """The numbers of the entries that can ever be an answer."""
        return {entry.number for entries in self._all.values() for entry in entries}

    def nearest(self, asked: Asked, n: int = 3) -> list[Near]:
        """The `n` entries that differ least, nearest first."""
        asked = self._loosen(asked)

        def rank(recorded: Asked) -> tuple[int, int, int]:
            unlike = -_common_start(asked.path, recorded.path)
            return _distance(asked, recorded), unlike, self._entries[recorded].number

        return [
            Near(self._entries[recorded], tuple(_differences(asked, recorded)))
            for recorded in nsmallest(n, self._entries, key=rank)
        ]


def _by_value(body: bytes) -> bytes:
    try:
        return orjson.dumps(orjson.loads(body), option=orjson.OPT_SORT_KEYS)
    except orjson.JSONDecodeError:
        return body.decode(errors="replace").encode()  # HAR has text, and nothing else


def _common_start(one: str, other: str) -> int:
    alike = takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False))
    return sum(1 for _ in alike)


def _distance(asked: Asked, recorded: Asked) -> int:
    segments = zip_longest(asked.path.split("/"), recorded.path.split("/"))
    ours, theirs = Counter(asked.query), Counter(recorded.query)
    pairs = sum(((ours - theirs) + (theirs - ours)).values())
    return (
        _METHOD * (asked.method != recorded.method)
        + _SEGMENT * sum(1 for mine, other in segments if mine != other)
        + _PAIR * pairs
        + _BODY * (asked.body != recorded.body)
    )


def _differences(asked: Asked, recorded: Asked) -> Iterable[str]:
    if asked.method != recorded.method:
        yield f"method: asked {asked.method}, recorded {recorded.method}"
    if asked.path != recorded.path:
        yield f"path: asked {asked.path}, recorded {recorded.path}"
    ours, theirs = Counter(asked.query), Counter(recorded.query)
    for name in sorted({name for name, _ in (ours - theirs) + (theirs - ours)}):
        yield f"query: asked {_shown(name, asked.query)}, recorded {_shown(name, recorded.query)}"
    if asked.body != recorded.body:
        yield f"body: asked {_cut(asked.body)}, recorded {_cut(recorded.body)}"


def _shown(name: str, query: Pairs) -> str:
    return "&".join(f"{key}={value}" for key, value in query if key == name) or f"no {name}"


def _cut(body: bytes, most: int = 60) -> str:
    text = body.decode(errors="replace") or "none"
    return text if len(text) <= most else text[:most] + "…"
