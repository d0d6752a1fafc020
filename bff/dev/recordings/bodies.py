"""Large bodies of a recording, in files of their own beside it.

HAR 1.2 has no field for that. Where a body is stands in `content.comment`, which is the standard's,
and in `_file`, which Playwright reads: so whatever drops custom fields loses nothing.
"""

import re
from base64 import b64decode
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

LARGE: Final = 64 * 1024  # bytes of a body that is written beside
FOLDER: Final = "bodies"
_DIGITS: Final = 16  # of the hash in a file's name
_NAMED: Final = re.compile(rf"{FOLDER}/[\w.-]+")
_SUFFIXES: Final = {"json": ".json", "html": ".html", "xml": ".xml", "csv": ".csv", "text": ".txt"}


def file_of(content: Mapping[str, Any]) -> Any:
    """The file in which a body is that `content` itself has not; None where it names none."""
    if content.get("text") is not None:
        return None
    comment = content.get("comment")
    named = isinstance(comment, str) and _NAMED.fullmatch(comment)
    return content.get("_file") or (comment if named else None)


def digest_of(content: Mapping[str, Any]) -> str:
    """What tells two bodies apart, wherever they are."""
    file = file_of(content)
    return Path(file).stem.rpartition("-")[2] if file else _digest(_inline(content))


def put_beside(recording: Path, content: dict[str, Any]) -> str:
    """Move a body into a file of its own if it is large; the file's name, empty if it is not."""
    file = file_of(content)
    if file:
        return Path(file).name
    body = _inline(content)
    if len(body) < LARGE:
        return ""
    subtype = (content.get("mimeType") or "").partition(";")[0]
    suffix = next((end for word, end in _SUFFIXES.items() if word in subtype), ".bin")
    name = f"{recording.stem}-{_digest(body)}{suffix}"
    (recording.parent / FOLDER).mkdir(exist_ok=True)
    (recording.parent / FOLDER / name).write_bytes(body)
    for field in ("text", "encoding"):
        content.pop(field, None)
    content["comment"] = content["_file"] = f"{FOLDER}/{name}"
    return name


def bodies_of(recording: Path) -> list[Path]:
    """The files beside a recording that were written for it, and for no other service's."""
    name = re.compile(rf"{re.escape(recording.stem)}-[0-9a-f]{{{_DIGITS}}}\.\w+")
    folder = recording.parent / FOLDER
    return [path for path in folder.glob("*") if name.fullmatch(path.name)]


def _inline(content: Mapping[str, Any]) -> bytes:
    text: str = content.get("text") or ""
    return b64decode(text) if content.get("encoding") == "base64" else text.encode()


def _digest(body: bytes) -> str:
    return sha256(body).hexdigest()[:_DIGITS]
