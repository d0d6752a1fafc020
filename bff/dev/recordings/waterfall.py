"""The recordings of all services as one HAR file, in which a page has all of its calls.

Files are kept by service. A viewer that is to draw what one view asked, and when, needs one file.
"""

from datetime import UTC, datetime
from pathlib import Path

from bff.dev.recordings.bodies import file_of
from bff.dev.recordings.har import Json, document, page_of, text_of
from bff.dev.recordings.page_merge import Visit, reunited
from bff.dev.recordings.pages import Page, read_pages
from bff.dev.recordings.progress import Watch, unwatched
from bff.dev.recordings.recording import recordings_of


def together(folder: Path, watch: Watch = unwatched) -> Json:
    """One HAR document of a folder's files, with large bodies in it, and no custom fields.

    A part of a page that was recorded again stands where it stood in its own page, so that the
    times of one page fit together. Each entry has its service as `comment`.

    Raises:
        RecordingError: there are none, or one of them cannot be read.
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
    """The id of a page; other tools call every first page the same."""
    service, page = next(iter(visit.items()))
    return f"{page.name}-{service}" if page.name in taken else page.name


def _entries(folder: Path, service: str, page: Page, named: str, start: str) -> list[Json]:
    made = []
    for entry in page.entries:
        own = {name: each for name, each in entry.items() if name[0] != "_" and name != "pageref"}
        response = {**own["response"], "content": _whole(folder, own["response"]["content"])}
        begun = _moved(own.get("startedDateTime") or "", page.started, start)
        again = {"comment": service, **own, "startedDateTime": begun, "response": response}
        made.append({**({"pageref": named} if named else {}), **again})
    return made


def _whole(folder: Path, content: Json) -> Json:
    """Content with its body in it."""
    file = file_of(content)
    if file is None:
        return content
    kept = {name: each for name, each in content.items() if name not in {"comment", "_file"}}
    return {**kept, **text_of((folder / file).read_bytes())}


def _moved(begun: str, page: str, start: str) -> str:
    """When an entry began, had its page begun at `start`; in UTC, so that times sort as texts."""
    try:
        at = datetime.fromisoformat(begun) + (_at(start) - _at(page))
    except (ValueError, TypeError):
        return begun  # another tool's, which is no time of ISO 8601
    return at.astimezone(UTC).isoformat(timespec="milliseconds")


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text)
