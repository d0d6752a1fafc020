"""Large bodies of a recording, stored in separate files beside it.

HAR 1.2 has no field for them. The file's name is in `content.comment`, which is standard, and in
`_file`, which Playwright reads: tools that drop custom fields lose nothing.
"""

import re
from base64 import b64decode
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

LARGE: Final = 64 * 1024  # bytes from which a body is stored separately
FOLDER: Final = "bodies"
_DIGITS: Final = 16  # of the hash in a file's name
_NAMED: Final = re.compile(rf"{FOLDER}/[\w.-]+")
_SUFFIXES: Final = {"json": ".json", "html": ".html", "xml": ".xml", "csv": ".csv", "text": ".txt"}


def file_of(content: Mapping[str, Any]) -> Any:
    """The name of the file with a body that is not in `content`; None where there is none."""
    if content.get("text") is not None:
        return None
    comment = content.get("comment")
    named = isinstance(comment, str) and _NAMED.fullmatch(comment)
    return content.get("_file") or (comment if named else None)


def digest_of(content: Mapping[str, Any]) -> str:
    """A digest of a body, wherever it is stored."""
    file = file_of(content)
    return Path(file).stem.rpartition("-")[2] if file else _digest(_inline(content))


def put_beside(recording: Path, content: dict[str, Any]) -> str:
    """Move a large body into a separate file; returns the file's name, empty if it is not large."""
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
    """The body files of one recording."""
    name = re.compile(rf"{re.escape(recording.stem)}-[0-9a-f]{{{_DIGITS}}}\.\w+")
    folder = recording.parent / FOLDER
    return [path for path in folder.glob("*") if name.fullmatch(path.name)]


def _inline(content: Mapping[str, Any]) -> bytes:
    text: str = content.get("text") or ""
    return b64decode(text) if content.get("encoding") == "base64" else text.encode()


def _digest(body: bytes) -> str:
    return sha256(body).hexdigest()[:_DIGITS]
