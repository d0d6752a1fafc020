"""Looks in what is about to be written for what still looks like a secret."""

import math
import re
from base64 import b64decode
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import orjson

from bff.dev.redact import PREFIX

_KINDS: Final = {
    "a JSON Web Token": re.compile(r"eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*"),
    "a private key": re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
    "credentials": re.compile(rf"(?i)\b(?:bearer|basic) +(?!{PREFIX})[\w+/=.~-]{{16,}}"),
    "credentials in an address": re.compile(r"\w+://[^/\s:@]+:[^/\s@]+@"),
    "a key of a cloud provider": re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b|\bAIza[\w-]{35}"),
    "a token of a code host": re.compile(r"\bgh[pousr]_\w{30,}|\bglpat-[\w-]{20,}"),
    "a token of a chat": re.compile(r"\bxox[abprs]-[\w-]{10,}"),
    "a key of a payment provider": re.compile(r"\b[sr]k_(?:live|test)_\w{16,}"),
}
_LONG: Final = 28  # characters of a key
_RUN: Final = re.compile(rf"[A-Za-z0-9+/_=-]{{{_LONG},}}")
_DISORDER: Final = 4.0  # bits a character; words and numbers have less, hexadecimal at most this


@dataclass(frozen=True, slots=True)
class Finding:
    """What looks like a secret, and where; the secret itself is not told."""

    where: str
    what: str


def findings(
    entry: dict[str, Any], number: int, title: str, allow: Iterable[re.Pattern[str]]
) -> list[Finding]:
    """What in a HAR entry still looks like a secret.

    Args:
        number: the entry's, from 0.
        title: of its page.
        allow: patterns of what may look like one.
    """
    patterns = tuple(allow)
    request, response = entry["request"], entry["response"]
    texts = [("page's title", title), ("request.url", request["url"])]
    for part, message in (("request", request), ("response", response)):
        texts += _named(f"{part}.headers", message.get("headers"))
    posted = request.get("postData") or {}
    texts += _named("request.postData.params", posted.get("params"))
    texts += _inside("request.postData.text", posted.get("text") or "")
    texts += _inside("response.content.text", _plain(response["content"]))
    found = [(place, what) for place, text in texts if (what := _looks_like(text, patterns))]
    where = f"log.entries[{number}] {_shown(request, patterns)}"
    return [Finding(f"{where}: {place}", what) for place, what in found]


def _named(where: str, pairs: list[dict[str, str]] | None) -> list[tuple[str, str]]:
    return [(f"{where}.{each['name']}", each.get("value") or "") for each in pairs or ()]


def _shown(request: dict[str, Any], patterns: tuple[re.Pattern[str], ...]) -> str:
    """The method and path, for people; not a path that looks like a secret itself."""
    path = urlsplit(request["url"]).path
    return f"{request['method']} {'…' if _looks_like(path, patterns) else path}"


def _plain(content: dict[str, Any]) -> str:
    """The text of a body; empty where it is none, such as of an image."""
    text: str = content.get("text") or ""
    if content.get("encoding") != "base64":
        return text
    try:
        return b64decode(text).decode()
    except ValueError:
        return ""


def _looks_like(text: str, allow: tuple[re.Pattern[str], ...]) -> str:
    for pattern in allow:
        text = pattern.sub(" ", text)
    for kind, pattern in _KINDS.items():
        if pattern.search(text):
            return kind
    runs = [piece for run in _RUN.findall(text) for piece in (run, *run.split("/"))]
    return "a random key" if any(map(_is_random, runs)) else ""


def _is_random(run: str) -> bool:
    """Whether a run of characters has letters of both cases, digits, and little order."""
    if (
        len(run) < _LONG
        or PREFIX in run
        or run.count("/") > len(run) / 12
        or run.count("-") > len(run) / 8
    ):
        return False  # ours, or a path, or words
    mixed = all(any(test(each) for each in run) for test in (str.isupper, str.islower, str.isdigit))
    counts = Counter(run).values()
    bits = -sum(count / len(run) * math.log2(count / len(run)) for count in counts)
    return mixed and bits >= _DISORDER


def _inside(where: str, text: str) -> Iterator[tuple[str, str]]:
    """The texts of a body: of JSON each value with its path, else all of it."""
    try:
        tree = orjson.loads(text)
    except orjson.JSONDecodeError:
        yield where, text
        return
    yield from _leaves(f"{where} at ", tree)


def _leaves(where: str, tree: Any) -> Iterator[tuple[str, str]]:
    if isinstance(tree, dict):
        for name, each in tree.items():
            yield where + name, name
            yield from _leaves(f"{where}{name}.", each)
    elif isinstance(tree, list):
        for at, each in enumerate(tree):
            yield from _leaves(f"{where.removesuffix('.')}[{at}].", each)
    elif isinstance(tree, str):
        yield where.removesuffix("."), tree
