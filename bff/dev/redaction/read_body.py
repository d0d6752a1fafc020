"""Rewrites bodies by type: JSON, forms, multipart, CSV, XML, HTML, text and media.

A body of another type is unreadable: it might contain secrets.
"""

import codecs
import csv
import re
from collections.abc import Callable
from functools import partial
from io import StringIO
from typing import Final

from bff.dev.redaction.addresses import FORM
from bff.dev.redaction.markup import is_html, is_xml, rewrite_markup
from bff.dev.redaction.multipart import Part, boundary_of, put_together, take_apart
from bff.dev.redaction.rewrite import NestingTooDeep, Rewriter

_CHARSET: Final = re.compile(r"charset=\"?([\w.:-]+)", re.IGNORECASE)
_TEXTS: Final = re.compile(
    r"ascii|utf-(8|16|32)(-\w+)*|iso8859-\d+|cp\d+|koi8-\w|big5\w*|gb\w+|shift_jis\w*|euc_\w+"
)
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f]")
# File signatures of media, whose content is not searched.
_MEDIA: Final = re.compile(
    rb"\x89PNG|\xff\xd8\xff|GIF8[79]a"
    rb"|RIFF.{4}(?:WEBP|WAVE|AVI )|BM.{4}\x00{4}|\x00\x00[\x01\x02]\x00"
    rb"|.{4}ftyp|\x1aE\xdf\xa3|OggS|fLaC|ID3|\xff[\xfb\xf3\xf2\xf1\xf9]|wOF[F2]|OTTO|\x00\x01\x00\x00"
    rb"|true|\xff\x0a|\x00\x00\x00\x0cJXL|II\*\x00|MM\x00\*",
    re.DOTALL,
)
_TABLES: Final = frozenset({"text/csv", "application/csv", "text/tab-separated-values"})
_LINES: Final = ("ndjson", "jsonl", "json-seq", "jsonlines")


class Unreadable(ValueError):
    """A body that cannot be searched for secrets; the message gives the reason."""


def media_type(kind: str) -> str:
    """The media type of a Content-Type, in lower case and without parameters."""
    return kind.partition(";")[0].strip().lower()


def is_media(body: bytes, kind: str) -> bool:
    """True if a body is the image, sound, film or font that its type declares."""
    family = media_type(kind).partition("/")[0]
    return family in {"image", "audio", "video", "font"} and starts_as_media(body)


def starts_as_media(body: bytes) -> bool:
    """True if a body begins with the signature of an image, sound, film or font."""
    return bool(_MEDIA.match(body))


def text_of(body: bytes, kind: str) -> str:
    """The decoded text of a body.

    Raises:
        Unreadable: it is not text, or its character set is unknown.
    """
    charset = _charset(kind)
    try:
        text = body.decode(charset)
    except ValueError:
        raise Unreadable(f"not text in {charset}") from None
    if _CONTROL.search(text.removeprefix("\ufeff")) and "json-seq" not in kind:
        raise Unreadable("not text: it has control characters")
    return text


def rewrite_body(body: bytes, kind: str, rewriter: Rewriter) -> tuple[bytes, str]:
    """Rewrite the secrets of a body; returns the body and its Content-Type.

    Raises:
        Unreadable: it cannot be searched.
    """
    if not body or is_media(body, kind):
        return body, kind
    kinds = media_type(kind)
    if kinds.startswith("multipart/"):
        return _multipart(body, kind, rewriter)
    text = text_of(body, kind)
    try:
        made = _reader(text, kinds, rewriter)(text)
    except NestingTooDeep as error:
        raise Unreadable(str(error)) from None
    if made == text:
        return body, kind
    return made.encode(_charset(kind), "replace"), kind


def _charset(kind: str) -> str:
    """The character set of a Content-Type. Raises Unreadable where it is unknown."""
    declared = _CHARSET.search(kind)
    charset = declared[1] if declared else "utf-8"
    try:
        known = _TEXTS.fullmatch(codecs.lookup(charset).name)
    except LookupError:
        known = None
    if known is None:
        raise Unreadable(f"a text in {charset}, which is an unknown character set")
    return charset


def _reader(text: str, kind: str, rewriter: Rewriter) -> Callable[[str], str]:
    if any(each in kind for each in _LINES):
        return partial(_lines, rewriter)
    if kind.endswith(("/json", "+json")):
        return partial(_json, rewriter)
    if is_html(text) or kind == "text/html":
        return partial(rewrite_markup, leaf=rewriter.leaf)
    if kind.endswith(("/xml", "+xml")):
        return partial(_xml, rewriter)
    if kind in _TABLES:
        return partial(_table, rewriter)
    form = kind == "application/x-www-form-urlencoded" or (not kind and FORM.fullmatch(text))
    return rewriter.form if form else rewriter.text


def _json(rewriter: Rewriter, text: str) -> str:
    bare = text.removeprefix("\ufeff")
    if not bare.strip():
        return text
    try:
        made = rewriter.json(bare)
    except NestingTooDeep:
        raise
    except ValueError:
        raise Unreadable("not JSON as its type declares, perhaps truncated") from None
    return text if made == bare else made


def _lines(rewriter: Rewriter, text: str) -> str:
    """Rewrite JSON lines, optionally with record separators (RFC 7464)."""
    made = []
    for line in text.split("\n"):
        mark = line[: len(line) - len(line.lstrip("\x1e"))]
        made.append(mark + _json(rewriter, line.removeprefix(mark)))
    return "\n".join(made)


def _table(rewriter: Rewriter, text: str) -> str:
    """Rewrite CSV (RFC 4180), or with another delimiter; its first line has the names."""
    mark = max(",;\t|", key=text.partition("\n")[0].count)
    try:
        rows = list(csv.reader(StringIO(text.removeprefix("\ufeff"), newline=""), delimiter=mark))
    except csv.Error:
        raise Unreadable("not CSV as its type declares") from None
    names = rows[0] if rows else []
    made = [[rewriter.text(name) for name in names]]
    for row in rows[1:]:
        named = [*names, *[""] * len(row)]
        made.append([rewriter.pair(*each) for each in zip(named, row, strict=False)])
    if made == rows or not rows:
        return text
    out = StringIO()
    csv.writer(out, delimiter=mark, lineterminator="\r\n" if "\r\n" in text else "\n").writerows(
        made
    )
    return out.getvalue()


def _xml(rewriter: Rewriter, text: str) -> str:
    if not text.strip():
        return text
    if not is_xml(text):
        raise Unreadable("not XML as its type declares, or with a DTD")
    return rewrite_markup(text, rewriter.leaf)


def _multipart(body: bytes, kind: str, rewriter: Rewriter) -> tuple[bytes, str]:
    boundary = boundary_of(kind, body)
    try:
        parts = take_apart(body, boundary)
    except ValueError as error:
        raise Unreadable(str(error)) from None
    made = [_part(part, rewriter) for part in parts]
    if made == parts:
        return body, kind
    # A boundary may be derived from the content, and could verify a guessed secret.
    other = f"bff-{rewriter.stands_for(boundary)}"
    return put_together(made, other), kind.replace(boundary, other)


def _part(part: Part, rewriter: Rewriter) -> Part:
    if part.is_coded:
        raise Unreadable("multipart with a transfer encoding in a part")
    headers = rewriter.text(part.headers)
    kind = part.header("content-type")
    if not kind:
        text = text_of(part.body, "")
        return Part(headers, rewriter.pair(part.name, text).encode())
    inner, _ = rewrite_body(part.body, kind, rewriter)
    if inner == part.body and not is_media(part.body, kind):
        inner = rewriter.pair(part.name, text_of(part.body, kind)).encode()
    return Part(headers, inner)
