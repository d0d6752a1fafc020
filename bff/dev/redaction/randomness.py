"""Distinguishes random keys from words, ids, paths and numbers by their entropy."""

import math
import re
from base64 import b64decode
from collections import Counter
from typing import Final

from bff.dev.redaction.read_body import starts_as_media
from bff.dev.redaction.secret_forms import printable_base64
from bff.dev.redaction.secret_names import words_of
from bff.dev.redaction.token_shapes import TYPED_ID, token_in

_LONG: Final = 28  # minimum characters of a key
_RUN: Final = re.compile(rf"[A-Za-z0-9+/_=-]{{{_LONG},}}")
_DISORDER: Final = 4.0  # entropy in bits per character; less in words and numbers, 4 in hexadecimal
_HEX: Final = re.compile(r"(?<![\w-])(?:[0-9a-f]{32,}|[0-9A-F]{32,})(?![\w-]|\.[a-z])")
_HEX_KEY: Final = re.compile(r"(?:[0-9a-f]{20,}|[0-9A-F]{20,})")
_SHA1: Final = 40  # hexadecimal digits of a commit id
# UUIDs without hyphens (RFC 9562): random ones, and those that begin with a current timestamp.
_UUID: Final = re.compile(r"(?:[0-9a-f]{12}4|01[89a][0-9a-f]{9}7)[0-9a-f]{3}[89ab][0-9a-f]{15}")
_DISTINCT: Final = 9  # distinct digits; a random number of 32 digits has more
_MOST_MEDIA: Final = 64  # characters of base64 that are decoded to detect media


def looks_random(text: str, name: str = "", *, in_path: bool = False) -> str:
    """The kind of random key that a text seems to contain; empty for none.

    Args:
        name: the name of the value.
        in_path: whether it is part of a path, where hexadecimal is usually a file name.
    """
    runs = [piece for run in _RUN.findall(text) for piece in (run, *run.split("/"))]
    if any(map(_is_random, runs)):
        return "a random key"
    if not in_path and any(map(_is_hex_key, _HEX.findall(text))):
        return "a key in hexadecimal"
    keyed = words_of(name)[-1:] in {("key",), ("license",), ("licence",)}
    return "a key in hexadecimal" if keyed and _HEX_KEY.fullmatch(text.strip()) else ""


def _is_hex_key(run: str) -> bool:
    digits = run.lower()
    return (
        len(run) != _SHA1
        and not run.isdecimal()
        and len(set(digits)) >= _DISTINCT
        and not _UUID.fullmatch(digits)
    )


def _is_random(run: str) -> bool:
    """True if a run of characters mixes cases and digits and has high entropy."""
    if (
        len(run) < _LONG
        or run.count("/") > len(run) / 12
        or run.count("-") > len(run) / 8
        or TYPED_ID.fullmatch(run)
    ):
        return False  # a path, words or an id
    mixed = all(any(test(each) for each in run) for test in (str.isupper, str.islower, str.isdigit))
    counts = Counter(run).values()
    bits = -sum(count / len(run) * math.log2(count / len(run)) for count in counts)
    return mixed and bits >= _DISORDER and not _is_readable(run)


def _is_readable(run: str) -> bool:
    """True if it is the base64 of a text without a token, or of an image."""
    plain = printable_base64(run)
    if plain is not None:
        return not token_in(plain)
    start = run[:_MOST_MEDIA].replace("-", "+").replace("_", "/").rstrip("=")
    try:
        return starts_as_media(b64decode(start[: len(start) // 4 * 4], validate=True))
    except ValueError:
        return False
