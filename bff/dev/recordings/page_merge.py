"""Puts what was just recorded in the place of what it is the same as, and leaves the rest alone.

A visit is one page with the parts that it has in the files of several services. One that is
recorded again, and is the same, stays as it is written, with its times.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from bff.dev.exchanged import Exchanged
from bff.dev.recordings.har import entry_of
from bff.dev.recordings.pages import Page

Visit = dict[str, Page]  # a page's parts, by service


def visits_of(exchanges: Iterable[Exchanged]) -> list[Visit]:
    """What each request of a client led to, in the order in which they came."""
    visits: dict[Any, Visit] = {}
    begun: dict[Any, str] = {}
    for each in sorted(exchanges, key=lambda one: one.started):
        origin = each.request.origin
        visit = origin.id if origin else object()  # what no client waits for stands alone
        started = begun.setdefault(visit, each.started.isoformat(timespec="milliseconds"))
        title, name = (origin.target, f"{origin.frontend}.{origin.view}") if origin else ("", "")
        parts = visits.setdefault(visit, {})
        page = parts.setdefault(each.request.service, Page(title, name, started))
        page.entries.append(entry_of(each, None))
    return list(visits.values())


def reunited(files: Mapping[str, list[Page]]) -> list[Visit]:
    """The parts of each page together, from the files of all services."""
    visits: dict[tuple[str, str], Visit] = {}
    loose: list[Visit] = []
    for service, pages in files.items():
        for page in pages:
            if page.name:  # and the title, as other tools call every first page the same
                visits.setdefault((page.name, page.title), {})[service] = page
            else:
                loose.append({service: page})
    return [*visits.values(), *loose]


def merged(
    before: Mapping[str, list[Page]], visits: Iterable[Visit], *, keeps: bool
) -> dict[str, list[Page]]:
    """The pages of each service that was asked.

    A visit that is the same as the last one like it is not there a second time.

    Args:
        before: what the files have.
        keeps: whether what was not asked for again stays.
    """
    old: dict[str, list[Visit]] = {}
    for visit in reunited(before):
        old.setdefault(_title(visit), []).append(visit)
    taken = {page.name for pages in before.values() for page in pages}
    last: dict[Any, Any] = {}
    gone: set[int] = set()
    made: dict[str, list[Page]] = {}
    for visit in visits:
        asked = _title(visit), tuple(sorted((name, each.requests) for name, each in visit.items()))
        answered = {name: page.replies for name, page in visit.items()}
        if last.get(asked) == answered:
            continue  # asked once more, answered the same
        last[asked] = answered
        earlier = _earlier(visit, old.get(_title(visit), []))
        for service, page in _placed(visit, earlier, taken).items():
            made.setdefault(service, []).append(page)
            gone |= {id(earlier[service])} if service in earlier else set()
    for service, pages in made.items():
        pages += [each for each in before.get(service, ()) if keeps and id(each) not in gone]
    return made


def _earlier(visit: Visit, old: list[Visit]) -> Visit:
    """The old page that a visit is again, taken out of those that are left; empty if it is new."""
    found = max(old, key=lambda each: _likeness(visit, each), default=None)
    if found is None or _likeness(visit, found) < 0:
        return {}
    old[:] = [each for each in old if each is not found]
    return found


def _likeness(visit: Visit, earlier: Visit) -> int:
    """How many parts are of the same requests; 0 where one adds to the other, else below 0."""
    both = visit.keys() & earlier.keys()
    alike = sum(visit[each].requests == earlier[each].requests for each in both)
    return alike or (-1 if both or not _title(visit) else 0)


def _placed(visit: Visit, earlier: Visit, taken: set[str]) -> Visit:
    """The parts of a visit with its name; those that are the same as before, as they were."""
    name = next((page.name for page in earlier.values()), None)
    if name is None:
        name = _unused(_name(visit), taken)
        taken.add(name)
    placed = {}
    for service, page in visit.items():
        same = earlier.get(service)
        again = same is not None and same.replies == page.replies
        placed[service] = same if same and again else replace(page, name=name)
    return placed


def _unused(base: str, taken: set[str]) -> str:
    number = 1
    while f"{base}-{number}" in taken:
        number += 1
    return f"{base}-{number}" if base else ""


def _title(visit: Visit) -> str:
    return next(iter(visit.values())).title


def _name(visit: Visit) -> str:
    return next(iter(visit.values())).name
