"""Matches requests with recorded entries; without a match, finds the most similar ones."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from heapq import nsmallest
from itertools import takewhile, zip_longest
from operator import attrgetter, itemgetter
from typing import Self
from urllib.parse import parse_qsl, quote, unquote, urlencode

from bff.dev.recordings.recording import Pairs, RecordedEntry
from bff.dev.redaction.addresses import FORM
from bff.dev.redaction.multipart import boundary_of, put_together, take_apart
from bff.dev.redaction.pseudonyms import PSEUDONYM
from bff.model.json_text import decode_json, encode_json

# Weights of each kind of difference when the nearest entries are ranked.
_METHOD, _SEGMENT, _PAIR, _BODY = 3, 4, 1, 1


@dataclass(frozen=True, slots=True)
class RequestKey:
    """The parts of a request by which it is matched: without its host and headers.

    The order of parameters counts only among those of one name: `sort=a&sort=b`.
    """

    method: str
    path: str
    query: Pairs
    body: bytes

    @classmethod
    def of(cls, method: str, path: str, query: Iterable[tuple[str, str]], body: bytes) -> Self:
        """Normalize a request.

        Paths are compared by decoded segments, so `%2F` differs from `/`; JSON bodies by value.
        """
        segments = [quote(unquote(segment), safe="") for segment in path.split("/")]
        return cls(method.upper(), "/".join(segments), in_order(query), _canonical_body(body))

    @classmethod
    def target(cls, method: str, target: str, body: bytes = b"") -> Self:
        """The key of a request target (RFC 9112, section 3.2.1), such as `/orders?customer=ada`."""
        path, _, query = target.partition("?")
        return cls.of(method, path, parse_qsl(query, keep_blank_values=True), body)


@dataclass(frozen=True, slots=True)
class Candidate:
    """An entry similar to an unmatched request, and each difference."""

    entry: RecordedEntry
    differences: tuple[str, ...]


class EntryIndex:
    """An index of recorded entries by request.

    A request is looked up in three steps: (1) as it is; (2) with secrets masked, as recordings have
    pseudonyms in their place; (3) with a wildcard for each pseudonym, as the secret may be unknown.

    Args:
        normalize: removes what is not compared, from requests and entries alike.
        mask: masks values that are secret by their name.
    """

    def __init__(
        self,
        entries: Iterable[RecordedEntry],
        normalize: Callable[[RequestKey], RequestKey] = lambda key: key,
        mask: Callable[[RequestKey], RequestKey] = lambda key: key,
    ) -> None:
        self._normalize, self._mask = normalize, mask
        exact: dict[RequestKey, list[RecordedEntry]] = {}
        masked: dict[RequestKey, list[RecordedEntry]] = {}
        for entry in entries:
            key = normalize(RequestKey.of(entry.method, entry.path, entry.query, entry.body))
            exact.setdefault(key, []).append(entry)
            masked.setdefault(mask(key), []).append(entry)
        self._exact = {key: _without_cached(found) for key, found in exact.items()}
        self._masked = {key: _without_cached(found) for key, found in masked.items()}
        self._patterns = [(_pattern(key), key) for key in self._masked if _has_pseudonym(key)]

    def find(self, key: RequestKey) -> RecordedEntry | None:
        """The first entry recorded for a request; None where there is none."""
        return next(iter(self.sequence(key)), None)

    def sequence(self, key: RequestKey) -> Sequence[RecordedEntry]:
        """All entries recorded for a request, in the order of recording."""
        key = self._normalize(key)
        if key in self._exact:
            return self._exact[key]
        key = self._mask(key)
        if key in self._masked:
            return self._masked[key]
        text = _flat(key) if self._patterns else ""
        found = (recorded for pattern, recorded in self._patterns if pattern.fullmatch(text))
        return self._masked.get(next(found, key), ())

    def answers(self) -> set[int]:
        """The numbers of the entries that can answer a request."""
        return {entry.number for entries in self._masked.values() for entry in entries}

    def nearest(self, key: RequestKey, n: int = 3) -> list[Candidate]:
        """The `n` entries with the fewest differences, the most similar first."""
        key = self._mask(self._normalize(key))

        def rank(recorded: RequestKey) -> tuple[int, int, int]:
            unlike = -_common_start(key.path, recorded.path)
            return _distance(key, recorded), unlike, self._masked[recorded][0].number

        return [
            Candidate(self._masked[recorded][0], tuple(_differences(key, recorded)))
            for recorded in nsmallest(n, self._masked, key=rank)
        ]


def in_order(pairs: Iterable[tuple[str, str]]) -> Pairs:
    """The parameters of a query or form sorted by name; those of one name stay in order."""
    return tuple(sorted(pairs, key=itemgetter(0)))


def _without_cached(found: list[RecordedEntry]) -> list[RecordedEntry]:
    """The entries that a service answered: a cached reply never reached the exchange."""
    return [each for each in found if not each.from_cache] or found[:1]


def _flat(key: RequestKey) -> str:
    pairs = "\0".join(f"{name}\1{value}" for name, value in key.query)
    return "\n".join((key.method, key.path, pairs, key.body.decode(errors="replace")))


def _has_pseudonym(key: RequestKey) -> bool:
    return bool(PSEUDONYM.search(_flat(key)))


def _pattern(key: RequestKey) -> re.Pattern[str]:
    """A regular expression for a recorded request, with a wildcard for each pseudonym."""
    path, body = key.path, key.body.decode(errors="replace")
    head = f"{key.method}\n{path}\n"
    pairs = "\0".join(f"{name}\1{value}" for name, value in key.query)
    anything = r"[^/\n]+", r"[^\0\1\n]*", r'(?:[^"&<>\\\n]|\\.)*'
    return re.compile(
        _with_wildcards(head, anything[0])
        + _with_wildcards(pairs + "\n", anything[1])
        + _with_wildcards(body, anything[2])
    )


def _with_wildcards(text: str, anything: str) -> str:
    """A text as a pattern; pseudonyms in paths and queries are percent-encoded."""
    coded = text.replace("%40example.invalid", "@example.invalid")
    return anything.join(map(re.escape, PSEUDONYM.split(coded)))


def _canonical_body(body: bytes) -> bytes:
    """The canonical form in which bodies are compared: JSON, a form, multipart, or text."""
    try:
        return encode_json(decode_json(body, halves=True), sort=True)
    except ValueError:
        text = body.decode(errors="replace")  # HAR stores request bodies as text
    boundary = boundary_of("", body)
    if boundary:
        return _parts(text.encode(), boundary)
    if FORM.fullmatch(text):
        return urlencode(in_order(parse_qsl(text, keep_blank_values=True))).encode()
    return text.encode()


def _parts(body: bytes, boundary: str) -> bytes:
    """A multipart body with its parts sorted by name, and a fixed boundary."""
    try:
        parts = sorted(take_apart(body, boundary), key=attrgetter("name"))
    except ValueError:
        return body
    return put_together(parts, "parts")


def _common_start(one: str, other: str) -> int:
    alike = takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False))
    return sum(1 for _ in alike)


def _distance(key: RequestKey, recorded: RequestKey) -> int:
    segments = zip_longest(key.path.split("/"), recorded.path.split("/"))
    given, stored = Counter(key.query), Counter(recorded.query)
    pairs = sum(((given - stored) + (stored - given)).values())
    return (
        _METHOD * (key.method != recorded.method)
        + _SEGMENT * sum(1 for mine, other in segments if mine != other)
        + _PAIR * pairs
        + _BODY * (key.body != recorded.body)
    )


def _differences(key: RequestKey, recorded: RequestKey) -> Iterable[str]:
    if key.method != recorded.method:
        yield f"method: asked {key.method}, recorded {recorded.method}"
    if key.path != recorded.path:
        yield f"path: asked {key.path}, recorded {recorded.path}"
    given, stored = Counter(key.query), Counter(recorded.query)
    for name in sorted({name for name, _ in (given - stored) + (stored - given)}):
        yield f"query: asked {_shown(name, key.query)}, recorded {_shown(name, recorded.query)}"
    if key.body != recorded.body:
        yield f"body: asked {_cut(key.body)}, recorded {_cut(recorded.body)}"


def _shown(name: str, query: Pairs) -> str:
    return "&".join(f"{key}={value}" for key, value in query if key == name) or f"no {name}"


def _cut(body: bytes, most: int = 60) -> str:
    text = body.decode(errors="replace") or "none"
    return text if len(text) <= most else text[:most] + "…"
