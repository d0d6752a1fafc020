"""The recordings of all services as one HAR file, in which a page has all of its calls.

Recordings are stored by service; a waterfall viewer needs the calls of a page in one file.
"""

from datetime import UTC, datetime
from pathlib import Path

from bff.dev.recordings.bodies import file_of
from bff.dev.recordings.har import Json, document, page_of, text_of
from bff.dev.recordings.page_merge import Visit, reunited
from bff.dev.recordings.pages import HarPage, read_pages
from bff.dev.recordings.progress import Progress, no_progress
from bff.dev.recordings.recording import recordings_of


def together(folder: Path, watch: Progress = no_progress) -> Json:
    """One HAR document of a folder's files, with large bodies inline, and without custom fields.

    Entries of a page that was recorded again are moved to the page's start, so that the times of
    one page fit together. Each entry has its service as `comment`.

    Raises:
        RecordingError: there is no recording, or one of them cannot be read.
    """
    parts = {name: read_pages(file, watch) for name, file in recordings_of(folder).items()}
    pages: list[Json] = []
    entries: list[Json] = []
    visits = reunited(parts)
    for visit in watch(visits, "putting together", len(visits)):
        start = min(page.started for page in visit.values())
        named = _named(visit, {each["id"] for each in pages})
        if named:
            pages.append(page_of(named, next(iter(visit.values())).title, start))
        for service, page in visit.items():
            entries += _entries(folder, service, page, named, start)
    for found in (pages, entries):
        found.sort(key=lambda each: each.get("startedDateTime", ""))
    return document(pages, entries)


def _named(visit: Visit, taken: set[str]) -> str:
    """A unique id of a page: other tools reuse page ids."""
    service, page = next(iter(visit.items()))
    return f"{page.name}-{service}" if page.name in taken else page.name


def _entries(folder: Path, service: str, page: HarPage, named: str, start: str) -> list[Json]:
    made = []
    for entry in page.entries:
        own = {name: each for name, each in entry.items() if name[0] != "_" and name != "pageref"}
        response = {**own["response"], "content": _whole(folder, own["response"]["content"])}
        begun = _moved(own.get("startedDateTime") or "", page.started, start)
        again = {"comment": service, **own, "startedDateTime": begun, "response": response}
        made.append({**({"pageref": named} if named else {}), **again})
    return made


def _whole(folder: Path, content: Json) -> Json:
    """Content with its body inline."""
    file = file_of(content)
    if file is None:
        return content
    standard = {name: each for name, each in content.items() if name not in {"comment", "_file"}}
    return {**standard, **text_of((folder / file).read_bytes())}


def _moved(begun: str, page: str, start: str) -> str:
    """The start of an entry if its page began at `start`; in UTC, so that texts sort by time."""
    try:
        at = datetime.fromisoformat(begun) + (_at(start) - _at(page))
    except (ValueError, TypeError):
        return begun  # not ISO 8601, from another tool
    return at.astimezone(UTC).isoformat(timespec="milliseconds")


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text)
