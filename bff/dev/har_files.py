"""HAR files of a folder, and tolerant reading of their JSON."""

import re
from codecs import BOM_UTF8
from pathlib import Path
from typing import Any, Final

import orjson

_ESCAPES: Final = re.compile(
    rb"\\[^u]"
    rb"|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    rb"|(?P<half>\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
)


class RecordingError(ValueError):
    """A file is not valid HAR 1.2; the message names the file and the place in it."""


def har_files(directory: Path) -> list[Path]:
    """The HAR files of a directory, without hidden ones, which editors write."""
    return sorted(each for each in directory.glob("*.har") if not each.name.startswith("."))


def read_json_file(file: Path) -> Any:
    """The value of a JSON file, with or without a byte order mark.

    An unpaired surrogate, which JavaScript tools write where they cut a text, becomes U+FFFD, as in
    a browser that sends the text (WHATWG Encoding, section 7.2).

    Raises:
        OSError: the file cannot be read.
        orjson.JSONDecodeError: it is not JSON.
    """
    raw = file.read_bytes().removeprefix(BOM_UTF8)
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        whole = _ESCAPES.sub(_without_half, raw)
        if whole == raw:
            raise
        return orjson.loads(whole)


def _without_half(found: re.Match[bytes]) -> bytes:
    return rb"\ufffd" if found["half"] else found[0]
