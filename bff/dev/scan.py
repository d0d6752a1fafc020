"""Looks in what is about to be written for what still looks like a secret."""

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

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
_RUN: Final = re.compile(r"[A-Za-z0-9+/_=-]{28,}")
_DISORDER: Final = 4.0  # bits a character; words and numbers have less, hexadecimal at most this


@dataclass(frozen=True, slots=True)
class Finding:
    """What looks like a secret, and where; the secret itself is not told."""

    where: str
    what: str


def findings(entry: dict[str, Any], where: str, allow: Iterable[re.Pattern[str]]) -> list[Finding]:
    """What in a HAR entry still looks like a secret.

    Args:
        where: the entry, as `log.entries[3]`.
        allow: patterns of what may look like one.
    """
    patterns = tuple(allow)
    request, response = entry["request"], entry["response"]
    texts = [("request.url", request["url"])]
    for part, message in (("request", request), ("response", response)):
        texts += [(f"{part}.headers.{each['name']}", each["value"]) for each in message["headers"]]
    texts += _inside("request.postData.text", request.get("postData", {}).get("text", ""))
    content = response["content"]
    if content.get("encoding") != "base64":
        texts += _inside("response.content.text", content.get("text", ""))
    found = ((place, _looks_like(text, patterns)) for place, text in texts)
    return [Finding(f"{where}.{place}", what) for place, what in found if what]


def _looks_like(text: str, allow: tuple[re.Pattern[str], ...]) -> str:
    for pattern in allow:
        text = pattern.sub(" ", text)
    for kind, pattern in _KINDS.items():
        if pattern.search(text):
            return kind
    return next(("a random key" for run in _RUN.findall(text) if _is_random(run)), "")


def _is_random(run: str) -> bool:
    """Whether a run of characters has letters of both cases, digits, and little order."""
    if PREFIX in run or run.count("/") > len(run) / 12 or run.count("-") > len(run) / 8:
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
