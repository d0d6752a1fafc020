"""Reads recordings: HAR 1.2 files, one for each service."""

import base64
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from operator import itemgetter
from pathlib import Path
from typing import Final, TypeVar
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit

import orjson

from bff.dev.har_files import RecordingError, har_files, read_json_file
from bff.dev.recordings import bodies
from bff.dev.recordings.header_values import sendable
from bff.dev.recordings.progress import Progress, no_progress

Json = dict[str, object]
Pairs = tuple[tuple[str, str], ...]
T = TypeVar("T")
_MOST_BYTES: Final = 512 * 1024 * 1024
# Status codes of final responses (RFC 9110, section 15).
_FIRST_FINAL, _LAST = 200, 599
_NO_CONTENT: Final = frozenset({204, 205, 304})
_WITH_CONTENT: Final = "export it with content"


@dataclass(frozen=True, slots=True)
class RecordedEntry:
    """One recorded exchange.

    Args:
        number: its index in `log.entries`, from 0.
        time: milliseconds until the reply was complete.
        from_cache: whether the reply came from the cache, without a request to the service.
    """

    number: int
    method: str
    path: str
    query: Pairs
    body: bytes
    status: int
    headers: Pairs
    content: bytes
    time: float
    from_cache: bool = False

    @property
    def target(self) -> str:
        """The path and query, for messages."""
        return self.path + ("?" + urlencode(self.query, safe=",/:") if self.query else "")


@dataclass(frozen=True, slots=True)
class Recording:
    """The entries of one service, in the order of their requests.

    Args:
        bodiless: the number of entries left out because the file lacks their body.
    """

    service: str
    file: Path
    entries: tuple[RecordedEntry, ...]
    bodiless: int = 0


def read_recording(file: Path, watch: Progress = no_progress) -> Recording:
    """Read one HAR file; the service is named by the file's stem.

    Hosts are ignored, so that a recording of production can answer for a stub on loopback. So are
    custom fields, which begin with `_` (HAR 1.2).

    Raises:
        RecordingError: the file is missing, is not JSON or is not HAR.
    """
    try:
        if file.stat().st_size > _MOST_BYTES:
            raise RecordingError(f"{file}: is larger than {_MOST_BYTES >> 20} MB: split it")
        document = read_json_file(file)
    except OSError as error:
        raise RecordingError(f"{file}: cannot be read: {error.strerror}") from error
    except orjson.JSONDecodeError as error:
        raise RecordingError(f"{file}: is not JSON, perhaps cut short: {error}") from error
    try:
        log = _field(_typed(document, dict, "the file"), "log", dict, "")
        _check_pages(log)
        entries = _field(log, "entries", list, "log.")
        watched = watch(entries, f"reading {file.name}", len(entries))
        found = list(_entries(watched, file.parent))
    except _InvalidHar as wrong:
        raise RecordingError(f"{file}: {wrong}") from None
    whole = [entry for _, entry in sorted(found, key=itemgetter(0)) if entry]
    bodiless = len(found) - len(whole)
    if bodiless and not whole:
        raise RecordingError(f"{file}: no entry has its body; {_WITH_CONTENT}")
    return Recording(file.stem, file, tuple(whole), bodiless)


def warning_of(recording: Recording) -> str:
    """A warning that entries were left out; empty if there are none."""
    if not recording.bodiless:
        return ""
    of = recording.bodiless + len(recording.entries)
    left_out = f"{recording.bodiless} of {of} entries lack a body and are left out"
    return f"{recording.file}: {left_out}; {_WITH_CONTENT}"


def read_recordings(directory: Path, watch: Progress = no_progress) -> dict[str, Recording]:
    """Read every `{service}.har` of a directory, by service, in alphabetical order.

    Raises:
        RecordingError: there is no such file, or one of them cannot be read.
    """
    return {name: read_recording(file, watch) for name, file in recordings_of(directory).items()}


def recordings_of(directory: Path) -> dict[str, Path]:
    """The HAR files of a directory, by service. Raises RecordingError where there is none."""
    files = har_files(directory)
    if not files:
        raise RecordingError(f"{directory}: no .har file in this folder")
    return {file.stem: file for file in files}


def _check_pages(log: Json) -> None:
    for number, page in enumerate(_optional(log, "pages", list, "log.") or ()):
        where = f"log.pages[{number}]"
        for name in ("id", "title", "startedDateTime"):
            _optional(_typed(page, dict, where), name, str, where + ".")


class _InvalidHar(Exception):
    """The place in a file, and what is invalid there."""


def _entries(
    entries: Iterable[object], folder: Path
) -> Iterator[tuple[datetime, RecordedEntry | None]]:
    """The start of each entry, and the entry; None where the file lacks its body."""
    begun = datetime.min.replace(tzinfo=UTC)
    for number, given in enumerate(entries):
        where = f"log.entries[{number}]"
        entry = _typed(given, dict, where)
        read = _entry(number, entry, where + ".", folder)
        begun = (
            _time(entry.get("startedDateTime")) or begun
        )  # without one: that of the entry before
        if _FIRST_FINAL <= read.status <= _LAST:  # browsers write 0 where there was no reply
            yield begun, None if _is_bodiless(entry, read) else read


def _time(text: object) -> datetime | None:
    try:
        at = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _is_bodiless(entry: Json, read: RecordedEntry) -> bool:
    """True if a body was sent or received that is missing in the file: many tools omit bodies."""
    request, response = entry["request"], entry["response"]
    size = _size(request, "bodySize") if isinstance(request, dict) else 0
    if size > 0 and not read.body:
        return True
    if read.content or read.status in _NO_CONTENT or read.method == "HEAD":
        return False
    content = response.get("content") if isinstance(response, dict) else None
    if not isinstance(content, dict) or content.get("text") is not None or bodies.file_of(content):
        return False
    lengths = [value for name, value in read.headers if name.lower() == "content-length"]
    return _size(content, "size") > 0 or any(each.isdecimal() and int(each) > 0 for each in lengths)


def _size(holder: Json, name: str) -> float:
    size = holder.get(name)
    return size if isinstance(size, int | float) else 0


def _entry(number: int, entry: Json, where: str, folder: Path) -> RecordedEntry:
    request = _field(entry, "request", dict, where)
    response = _field(entry, "response", dict, where)
    url = _url(_field(request, "url", str, where + "request."), where + "request.url")
    for name in ("pageref", "startedDateTime"):
        _optional(entry, name, str, where)
    _pairs(request, "headers", where + "request.")
    took = max(0.0, float(_typed(entry.get("time", 0), (int, float), where + "time")))
    cache = _optional(entry, "cache", dict, where) or {}
    return RecordedEntry(
        number=number,
        method=_field(request, "method", str, where + "request.").upper(),
        path=url.path or "/",
        query=_query(url.query, request, where + "request."),
        body=_posted(request, where + "request."),
        status=_field(response, "status", int, where + "response."),
        headers=tuple(sendable(_pairs(response, "headers", where + "response."))),
        content=_content(response, where + "response.", folder),
        time=took,
        from_cache=not took and bool(cache.get("beforeRequest")),
    )


def _url(text: str, where: str) -> SplitResult:
    try:
        return urlsplit(text)
    except ValueError as error:
        raise _InvalidHar(f"{where}: is not a URL: {error}") from None


def _query(in_url: str, request: Json, where: str) -> Pairs:
    # HAR has the query twice; some tools omit one. The URL is authoritative.
    if in_url or not request.get("queryString"):
        return tuple(parse_qsl(in_url, keep_blank_values=True))
    return _pairs(request, "queryString", where)


def _posted(request: Json, where: str) -> bytes:
    if request.get("postData") is None:
        return b""
    data = _field(request, "postData", dict, where)
    text = _optional(data, "text", str, where + "postData.") or ""
    params = _pairs(data, "params", where + "postData.")
    if not text and params:
        text = urlencode(params)
    return text.encode()


def _content(response: Json, where: str, folder: Path) -> bytes:
    content = _field(response, "content", dict, where)
    file = bodies.file_of(content)
    if file is not None:
        return _beside(folder, _typed(file, str, where + "content._file"), where)
    text = _optional(content, "text", str, where + "content.") or ""
    _optional(content, "mimeType", str, where + "content.")
    if content.get("encoding") != "base64":
        return text.encode()
    try:
        return base64.b64decode(text, validate=True)
    except ValueError as error:  # includes text that is not ASCII
        raise _InvalidHar(f"{where}content.text: is not base64: {error}") from None


def _beside(folder: Path, name: str, where: str) -> bytes:
    """A body stored in a separate file (`_file`, also written by Playwright)."""
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise _InvalidHar(f"{where}content: {name} is outside the folder")
    try:
        return path.read_bytes()
    except OSError as error:
        raise _InvalidHar(f"{where}content: {name} cannot be read: {error.strerror}") from None


def _pairs(holder: Json, name: str, where: str) -> Pairs:
    pairs = []
    for index, pair in enumerate(_optional(holder, name, list, where) or ()):
        at = f"{where}{name}[{index}]"
        named = _typed(pair, dict, at)
        value = _optional(named, "value", str, at + ".") or ""
        pairs.append((_field(named, "name", str, at + "."), value))
    return tuple(pairs)


def _field(holder: Json, name: str, kind: type[T], where: str) -> T:
    if name not in holder:
        raise _InvalidHar(f"{where}{name}: is missing")
    return _typed(holder[name], kind, where + name)


def _optional(holder: Json, name: str, kind: type[T], where: str) -> T | None:
    value = holder.get(name)
    return None if value is None else _typed(value, kind, where + name)


_WORDS = {dict: "an object", list: "a list", str: "a string", int: "an integer"}


def _typed(value: object, kind: type[T] | tuple[type[T], ...], where: str) -> T:
    if isinstance(value, bool) or not isinstance(value, kind):
        word = "a number" if isinstance(kind, tuple) else _WORDS[kind]
        raise _InvalidHar(
            f"{where}: should be {word}, not {str(orjson.dumps(value)[:40], 'utf-8', 'replace')}"
        )
    return value
