"""Finds the recorded exchange that answers a request, or the nearest ones and how they differ."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from heapq import nsmallest
from itertools import takewhile, zip_longest
from operator import attrgetter, itemgetter
from typing import Self
from urllib.parse import parse_qsl, quote, unquote, urlencode

from bff.dev.recordings.recording import Entry, Pairs
from bff.dev.redaction.addresses import FORM
from bff.dev.redaction.multipart import boundary_of, put_together, take_apart
from bff.dev.redaction.pseudonyms import PSEUDONYM
from bff.model.json_text import decode_json, encode_json

# How much each kind of difference counts when the nearest entries are ranked.
_METHOD, _SEGMENT, _PAIR, _BODY = 3, 4, 1, 1


@dataclass(frozen=True, slots=True)
class Asked:
    """What counts of a request: not its host, not its headers.

    The order of a query or form counts only among the values of one name: `sort=a&sort=b`.
    """

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
        return cls(method.upper(), "/".join(segments), in_order(query), _by_value(body))

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

    What is asked is looked for as it is, then without what has a pseudonym in recordings, and then
    with anything at all where a pseudonym stands: a replay may not know the secret.

    Args:
        loosen: takes what does not count out of requests, asked and recorded alike.
        hide: takes out what is secret by its name, too.
    """

    def __init__(
        self,
        entries: Iterable[Entry],
        loosen: Callable[[Asked], Asked] = lambda asked: asked,
        hide: Callable[[Asked], Asked] = lambda asked: asked,
    ) -> None:
        self._loosen, self._hide = loosen, hide
        exact: dict[Asked, list[Entry]] = {}
        hidden: dict[Asked, list[Entry]] = {}
        for entry in entries:
            asked = loosen(Asked.of(entry.method, entry.path, entry.query, entry.body))
            exact.setdefault(asked, []).append(entry)
            hidden.setdefault(hide(asked), []).append(entry)
        self._exact = {asked: _answering(found) for asked, found in exact.items()}
        self._hidden = {asked: _answering(found) for asked, found in hidden.items()}
        self._open = [(_pattern(asked), asked) for asked in self._hidden if _has_pseudonym(asked)]

    def find(self, asked: Asked) -> Entry | None:
        """The first entry that was recorded for this, if there is one."""
        return next(iter(self.sequence(asked)), None)

    def sequence(self, asked: Asked) -> Sequence[Entry]:
        """All that was recorded for this, in the order in which it came."""
        asked = self._loosen(asked)
        if asked in self._exact:
            return self._exact[asked]
        asked = self._hide(asked)
        if asked in self._hidden:
            return self._hidden[asked]
        text = _flat(asked) if self._open else ""
        found = (recorded for pattern, recorded in self._open if pattern.fullmatch(text))
        return self._hidden.get(next(found, asked), ())

    def answers(self) -> set[int]:
        """The numbers of the entries that can ever be an answer."""
        return {entry.number for entries in self._hidden.values() for entry in entries}

    def nearest(self, asked: Asked, n: int = 3) -> list[Near]:
        """The `n` entries that differ least, nearest first."""
        asked = self._hide(self._loosen(asked))

        def rank(recorded: Asked) -> tuple[int, int, int]:
            unlike = -_common_start(asked.path, recorded.path)
            return _distance(asked, recorded), unlike, self._hidden[recorded][0].number

        return [
            Near(self._hidden[recorded][0], tuple(_differences(asked, recorded)))
            for recorded in nsmallest(n, self._hidden, key=rank)
        ]


def in_order(pairs: Iterable[tuple[str, str]]) -> Pairs:
    """The parameters of a query or form by name; those of one name in the order they have."""
    return tuple(sorted(pairs, key=itemgetter(0)))


def _answering(found: list[Entry]) -> list[Entry]:
    """What a cache has answered, nobody asks for."""
    return [each for each in found if not each.kept] or found[:1]


def _flat(asked: Asked) -> str:
    pairs = "\0".join(f"{name}\1{value}" for name, value in asked.query)
    return "\n".join((asked.method, asked.path, pairs, asked.body.decode(errors="replace")))


def _has_pseudonym(asked: Asked) -> bool:
    return bool(PSEUDONYM.search(_flat(asked)))


def _pattern(asked: Asked) -> re.Pattern[str]:
    """What fits a recorded request with anything at all in the place of each pseudonym."""
    path, body = asked.path, asked.body.decode(errors="replace")
    head = f"{asked.method}\n{path}\n"
    pairs = "\0".join(f"{name}\1{value}" for name, value in asked.query)
    anything = r"[^/\n]+", r"[^\0\1\n]*", r'(?:[^"&<>\\\n]|\\.)*'
    return re.compile(
        _opened(head, anything[0]) + _opened(pairs + "\n", anything[1]) + _opened(body, anything[2])
    )


def _opened(text: str, anything: str) -> str:
    """A text as a pattern; a pseudonym in a path or query is encoded as it was."""
    coded = text.replace("%40example.invalid", "@example.invalid")
    return anything.join(map(re.escape, PSEUDONYM.split(coded)))


def _by_value(body: bytes) -> bytes:
    """A body in the one form in which bodies are compared: JSON, a form, multipart, or text."""
    try:
        return encode_json(decode_json(body, halves=True), sort=True)
    except ValueError:
        text = body.decode(errors="replace")  # HAR has text, and nothing else
    boundary = boundary_of("", body)
    if boundary:
        return _parts(text.encode(), boundary)
    if FORM.fullmatch(text):
        return urlencode(in_order(parse_qsl(text, keep_blank_values=True))).encode()
    return text.encode()


def _parts(body: bytes, boundary: str) -> bytes:
    """A multipart body with its parts by name, and a boundary that says nothing."""
    try:
        parts = sorted(take_apart(body, boundary), key=attrgetter("name"))
    except ValueError:
        return body
    return put_together(parts, "parts")


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
