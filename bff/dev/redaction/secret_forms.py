"""The encodings of a secret: percent-encoding, base64, escapes and hexadecimal.

A secret learned in one place is found in any of these encodings elsewhere.
"""

import html
import json
import re
from base64 import b64decode, b64encode, urlsafe_b64encode
from collections.abc import Iterable, Iterator
from typing import Final
from urllib.parse import quote, quote_plus, unquote

_RUN: Final = re.compile(r"[A-Za-z0-9+/_-]{16,}={0,2}")
_LEAST_CODED: Final = 6  # minimum characters of a secret that is searched within other base64


def forms_of(secret: str) -> frozenset[str]:
    """The secret, and each encoding that differs from it."""
    return frozenset(each for each in _forms(secret) if each)


def readings_of(texts: Iterable[str]) -> Iterator[str]:
    """These texts with percent-encoding and base64 decoded."""
    for text in texts:
        inner = list(filter(None, map(printable_base64, _RUN.findall(text))))
        if "%" in text or "+" in text:
            inner.append(unquote(text).replace("+", " "))
        again = [each for each in inner if each != text]
        yield from again
        yield from readings_of(again)


def printable_base64(text: str) -> str | None:
    """The text encoded as base64; None where it is not base64 of a text."""
    coded = text.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        plain = b64decode(coded + "=" * (-len(coded) % 4), validate=True).decode()
    except ValueError:
        return None
    fits = plain and all(each.isprintable() or each in "\r\n\t" for each in plain)
    return plain if fits else None


def _forms(secret: str) -> Iterator[str]:
    plain = {secret, *_escaped(secret)}
    for each in plain:
        yield each
        yield from _percent(each)
    yield from _percent(quote(secret, "", errors="ignore"))
    for encoding in ("utf-8", "latin-1", "utf-16-le"):
        try:
            raw = secret.encode(encoding)
        except UnicodeEncodeError:
            continue
        yield from _base64(raw)
        if encoding != "utf-16-le":
            yield raw.hex()
            yield raw.hex().upper()


def _escaped(secret: str) -> Iterator[str]:
    for ascii_only in (True, False):
        once = json.dumps(secret, ensure_ascii=ascii_only)[1:-1]
        yield once
        yield once.replace("/", r"\/")
        yield json.dumps(once, ensure_ascii=ascii_only)[1:-1]
    yield html.escape(secret, quote=False)
    yield html.escape(secret)
    yield html.escape(secret).replace("&#x27;", "&#39;")
    yield html.escape(secret).replace("&#x27;", "&apos;")


def _percent(text: str) -> Iterator[str]:
    for safe in ("", "/", "-._~!$&'()*+,;=:@/?"):
        for encoding in ("utf-8", "latin-1"):
            coded = quote(text, safe, encoding, "ignore")
            yield coded
            yield _lower_percent(coded)
    plus = quote_plus(text, errors="ignore")  # an unpaired surrogate has no encoding
    yield plus
    yield _lower_percent(plus)


def _lower_percent(text: str) -> str:
    first, *rest = text.split("%")
    return "%".join([first, *(each[:2].lower() + each[2:] for each in rest)])


def _base64(raw: bytes) -> Iterator[str]:
    """Its base64, alone and within that of a longer text (RFC 4648)."""
    for encode in (b64encode, urlsafe_b64encode):
        whole = encode(raw).decode()
        yield whole
        yield whole.rstrip("=")
        if len(raw) < _LEAST_CODED:
            continue
        for before in range(3):  # 6 bits per character: it has three possible alignments
            coded = encode(b"\0" * before + raw).decode().rstrip("=")
            start, bits = (0, 2, 3)[before], (before + len(raw)) * 8
            yield coded[start : bits // 6]
