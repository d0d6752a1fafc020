"""Merges newly recorded pages into the existing ones: unchanged pages stay as they are.

A visit is one page with its parts in the files of several services. A visit that is recorded again
with the same replies stays as it is in the files, with its times.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from bff.dev.recorded_exchange import RecordedExchange
from bff.dev.recordings.har import entry_of
from bff.dev.recordings.pages import HarPage

Visit = dict[str, HarPage]  # a page's parts, by service


def visits_of(exchanges: Iterable[RecordedExchange]) -> list[Visit]:
    """The visits of the exchanges: one for each client request, in order."""
    visits: dict[Any, Visit] = {}
    begun: dict[Any, str] = {}
    for each in sorted(exchanges, key=lambda one: one.started):
        origin = each.request.origin
        visit = origin.id if origin else object()  # background requests have no client request
        started = begun.setdefault(visit, each.started.isoformat(timespec="milliseconds"))
        title, name = (origin.target, f"{origin.frontend}.{origin.view}") if origin else ("", "")
        parts = visits.setdefault(visit, {})
        page = parts.setdefault(each.request.service, HarPage(title, name, started))
        page.entries.append(entry_of(each, None))
    return list(visits.values())


def reunited(files: Mapping[str, list[HarPage]]) -> list[Visit]:
    """Visits put together from the parts in the files of all services."""
    visits: dict[tuple[str, str], Visit] = {}
    loose: list[Visit] = []
    for service, pages in files.items():
        for page in pages:
            if page.name:  # with the title: other tools reuse page ids
                visits.setdefault((page.name, page.title), {})[service] = page
            else:
                loose.append({service: page})
    return [*visits.values(), *loose]


def merged(
    before: Mapping[str, list[HarPage]], visits: Iterable[Visit], *, keeps: bool
) -> dict[str, list[HarPage]]:
    """The pages of each service that was called.

    A visit equal to the last similar one is not added a second time.

    Args:
        before: the pages in the files.
        keeps: whether pages stay that were not requested again.
    """
    old: dict[str, list[Visit]] = {}
    for visit in reunited(before):
        old.setdefault(_title(visit), []).append(visit)
    taken = {page.name for pages in before.values() for page in pages}
    last: dict[Any, Any] = {}
    gone: set[int] = set()
    made: dict[str, list[HarPage]] = {}
    for visit in visits:
        asked = _title(visit), tuple(sorted((name, each.requests) for name, each in visit.items()))
        answered = {name: page.replies for name, page in visit.items()}
        if last.get(asked) == answered:
            continue  # the same request, the same replies
        last[asked] = answered
        earlier = _earlier(visit, old.get(_title(visit), []))
        for service, page in _placed(visit, earlier, taken).items():
            made.setdefault(service, []).append(page)
            gone |= {id(earlier[service])} if service in earlier else set()
    for service, pages in made.items():
        pages += [each for each in before.get(service, ()) if keeps and id(each) not in gone]
    return made


def _earlier(visit: Visit, old: list[Visit]) -> Visit:
    """The old visit that a visit repeats, removed from the candidates; empty if it is new."""
    found = max(old, key=lambda each: _likeness(visit, each), default=None)
    if found is None or _likeness(visit, found) < 0:
        return {}
    old[:] = [each for each in old if each is not found]
    return found


def _likeness(visit: Visit, earlier: Visit) -> int:
    """The number of parts with equal requests; 0 if one extends the other, else negative."""
    both = visit.keys() & earlier.keys()
    alike = sum(visit[each].requests == earlier[each].requests for each in both)
    return alike or (-1 if both or not _title(visit) else 0)


def _placed(visit: Visit, earlier: Visit, taken: set[str]) -> Visit:
    """The parts of a visit under its page id; unchanged parts are those of the earlier visit."""
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
