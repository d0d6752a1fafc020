"""Writes what was recorded into the files of a folder, so that they differ only where it does.

A page is what one client asked of one view. A page that is recorded again, and is the same, stays
as it is written, with its times; one that is not takes the place of the one before it.
"""

from codecs import BOM_UTF8
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import urlsplit

import orjson

from bff.dev.exchanged import Exchanged
from bff.dev.har import Json, document, entry_of, page_of, write
from bff.dev.recording import read_recording
from bff.dev.redact import Redactor
from bff.dev.rules import Rules
from bff.dev.scan import Finding, findings

Mode = Literal["once", "new", "all", "none"]
# They differ each time, and say nothing of what was answered.
_VOLATILE: Final = frozenset(
    {"date", "age", "expires", "server-timing", "x-request-id", "traceparent", "connection"}
    | {"x-runtime", "x-response-time", "keep-alive", "set-cookie", "via", "x-trace-id"}
)
Chain = tuple[str, tuple[str, ...]]  # a page's title, and what was asked for it


@dataclass(frozen=True, slots=True)
class Saved:
    """What saving came to.

    Args:
        entries: by service, how many its file now has.
        written: the services whose file has changed.
        refused: what looks like a secret, by file; these entries are not in it.
    """

    entries: Mapping[str, int]
    written: tuple[str, ...]
    refused: Mapping[str, list[Finding]]


@dataclass(slots=True)
class _Page:
    """A page in one file."""

    title: str
    name: str
    started: str
    entries: list[Json] = field(default_factory=list)

    @property
    def chain(self) -> Chain:
        """What makes two pages the same page at two times."""
        return self.title, tuple(sorted(map(_request_key, self.entries)))

    @property
    def replies(self) -> list[str]:
        """What tells whether anything was answered otherwise."""
        return sorted(_request_key(each) + _reply_key(each) for each in self.entries)


class Archive:
    """A folder of recordings as it was, and as it becomes.

    Args:
        key: of the pseudonyms.
        mode: `all` drops what was recorded before of the services that are asked now.

    Raises:
        RecordingError: what is there cannot be read.
    """

    def __init__(self, folder: Path, rules: Rules, key: bytes, mode: Mode) -> None:
        self._folder, self._rules, self._key, self._mode = folder, rules, key, mode
        self._before = {file.stem: _pages(file) for file in sorted(folder.glob("*.har"))}
        self._last: dict[str, bytes] = {}

    def save(self, exchanges: Sequence[Exchanged]) -> Saved:
        """Write all that was recorded since it was opened; as often as one likes."""
        redactor = Redactor(self._rules.redact, self._key)
        for each in exchanges:
            redactor.learn(each)
        visits = _visits([redactor.redacted(each) for each in exchanges])
        self._name(visits)
        self._folder.mkdir(parents=True, exist_ok=True)
        entries, written, refused = {}, [], {}
        for service in sorted({each.request.service for each in exchanges}):
            file = self._folder / f"{service}.har"
            made = _merged(self._before.get(service, []), visits, service, self._mode)
            found = self._clean(made)
            if found:
                refused[str(file)] = found
            whole = _document(made)
            entries[service] = len(whole["log"]["entries"])
            content = orjson.dumps(whole)
            if content != self._last.get(service):
                self._last[service] = content
                write(file, whole)
                written.append(service)
        return Saved(entries, tuple(written), refused)

    def _clean(self, pages: list[_Page]) -> list[Finding]:
        """Take out the entries in which something looks like a secret."""
        refused: list[Finding] = []
        for page in pages:
            kept = []
            for entry in page.entries:
                where = f"{entry['request']['method']} {entry['request']['url'].partition('?')[0]}"
                found = findings(entry, where, self._rules.redact.allow)
                refused += found
                kept += [] if found else [entry]
            page.entries = kept
        return refused

    def _name(self, visits: list[dict[str, _Page]]) -> None:
        """Give each new page a name that no page of any file has, and that is the same in all."""
        taken = {page.name for pages in self._before.values() for page in pages}
        for visit in visits:
            base = next(iter(visit.values())).name
            if base:
                number = 1
                while f"{base}-{number}" in taken:
                    number += 1
                taken.add(f"{base}-{number}")
                for page in visit.values():
                    page.name = f"{base}-{number}"


def _visits(exchanges: Iterable[Exchanged]) -> list[dict[str, _Page]]:
    """What each request of a client led to, by service."""
    visits: dict[str, dict[str, _Page]] = {}
    for each in sorted(exchanges, key=lambda one: one.started):
        origin = each.request.origin
        title = f"{origin.target}" if origin else ""
        name = f"{origin.frontend}.{origin.view}" if origin else ""
        visit = visits.setdefault(origin.id if origin else "", {})
        started = each.started.isoformat(timespec="milliseconds")
        page = visit.setdefault(each.request.service, _Page(title, name, started))
        page.entries.append(entry_of(each, None))
    return list(visits.values())


def _merged(
    before: list[_Page], visits: list[dict[str, _Page]], service: str, mode: Mode
) -> list[_Page]:
    """The pages of a file: those of before that still hold, and those that are new."""
    old: dict[Chain, list[_Page]] = {}
    for page in before:
        old.setdefault(page.chain, []).append(page)
    made: list[_Page] = []
    again: dict[Chain, list[_Page]] = {}
    for page in [visit[service] for visit in visits if service in visit]:
        chain = again.setdefault(page.chain, [])
        if chain and chain[-1].replies == page.replies:
            continue  # asked once more, answered the same
        earlier = old.get(page.chain, [])
        same = earlier[len(chain)] if len(chain) < len(earlier) else None
        kept = page
        if same and same.replies == page.replies:
            kept = same
        elif same:
            kept = _Page(page.title, same.name, page.started, page.entries)
        chain.append(kept)
        made.append(kept)
    if mode != "all":
        gone = {page.name for chain in again.values() for page in chain if page.name}
        made += [page for page in before if page.name not in gone or not page.name]
    return [_Page(each.title, each.name, each.started, list(each.entries)) for each in made]


def _document(pages: list[_Page]) -> Json:
    named = sorted((page for page in pages if page.name and page.entries), key=_when)
    entries = [
        {**({"pageref": page.name} if page.name else {}), **_without_page(entry)}
        for page in pages
        for entry in page.entries
    ]
    entries.sort(key=lambda entry: (entry.get("startedDateTime", ""), entry["request"]["url"]))
    return document([page_of(each.name, each.title, each.started) for each in named], entries)


def _pages(file: Path) -> list[_Page]:
    read_recording(file)  # says what is wrong with it
    log = orjson.loads(file.read_bytes().removeprefix(BOM_UTF8))["log"]
    pages = {
        each["id"]: _Page(each.get("title", ""), each["id"], each.get("startedDateTime", ""))
        for each in log.get("pages") or []
        if "id" in each
    }
    loose: list[_Page] = []
    for entry in log["entries"]:
        page = pages.get(entry.get("pageref", ""))
        if page:
            page.entries.append(entry)
        else:
            loose.append(_Page("", "", entry.get("startedDateTime", ""), [entry]))
    return [*pages.values(), *loose]


def _request_key(entry: Json) -> str:
    request = entry["request"]
    url = urlsplit(request["url"])
    body = (request.get("postData") or {}).get("text", "")
    return _digest([request["method"], url.path, url.query, body])


def _reply_key(entry: Json) -> str:
    response = entry["response"]
    content = response["content"]
    body = Path(content["_file"]).stem.rpartition("-")[2] if "_file" in content else ""
    body = body or sha256(content.get("text", "").encode()).hexdigest()[:16]
    headers = sorted(
        (each["name"].lower(), each["value"])
        for each in response.get("headers", ())
        if each["name"].lower() not in _VOLATILE
    )
    return _digest([response["status"], headers, body, bool(entry.get("cache"))])


def _digest(what: Any) -> str:
    return sha256(orjson.dumps(what)).hexdigest()[:16]


def _without_page(entry: Json) -> Json:
    return {name: value for name, value in entry.items() if name != "pageref"}


def _when(page: _Page) -> str:
    return page.started
