"""Writes what was recorded into the files of a folder, so that they differ only where it does.

A page is what one client asked of one view. A page that is recorded again, and is the same, stays
as it is written, with its times; one that is not takes the place of the one before it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import orjson

from bff.dev.exchanged import Exchanged
from bff.dev.har_files import har_files
from bff.dev.recordings.har import Json, document, page_of, write
from bff.dev.recordings.page_merge import merged, visits_of
from bff.dev.recordings.pages import Page, read_pages
from bff.dev.recordings.progress import Watch, unwatched
from bff.dev.redaction.declared import NOTHING, Declared
from bff.dev.redaction.pseudonyms import Pseudonyms
from bff.dev.redaction.redact import Redactor
from bff.dev.redaction.scan import Finding, findings, unreadable
from bff.dev.rules import Redaction

Mode = Literal["once", "new", "all", "none"]


@dataclass(frozen=True, slots=True)
class Saved:
    """What saving came to.

    Args:
        entries: by service, how many its file now has.
        written: the services whose file has changed.
        refused: why files are as they were before: what looks like a secret in them, by file.
    """

    entries: Mapping[str, int]
    written: tuple[str, ...]
    refused: Mapping[str, list[Finding]]


class Archive:
    """A folder of recordings as it was, and as it becomes.

    Args:
        key: of the pseudonyms.
        mode: `all` drops what was recorded before of the services that are asked now.
        secrets: what the configuration calls secret.

    Raises:
        RecordingError: what is there cannot be read.
    """

    def __init__(self, folder: Path, key: bytes, mode: Mode, secrets: Declared = NOTHING) -> None:
        self._folder, self._key, self._mode, self._secrets = folder, key, mode, secrets
        self._before = {file.stem: read_pages(file) for file in har_files(folder)}
        self._last: dict[str, bytes] = {}

    def save(
        self, exchanges: Sequence[Exchanged], rules: Redaction, watch: Watch = unwatched
    ) -> Saved:
        """Write all that was recorded since it was opened; as often as one likes.

        A file in which anything looks like a secret is not written: half a recording would be
        replayed as if it were all of it.
        """
        redactor = self.redactor(rules)
        for each in watch(exchanges, "looking for secrets", len(exchanges)):
            redactor.learn(each)
        clean = [
            redactor.redacted(each)
            for each in watch(exchanges, "taking out secrets", len(exchanges))
        ]
        made = merged(self._before, visits_of(clean), keeps=self._mode != "all")
        self._folder.mkdir(parents=True, exist_ok=True)
        entries, written, refused = {}, [], {}
        for service, pages in sorted(made.items()):
            file, whole = self._folder / f"{service}.har", _document(pages)
            own = (each for each in clean if each.request.service == service)
            known = redactor.pseudonyms
            found = [one for each in own for one in unreadable(each, rules.allow, known)]
            found += _suspicious(whole, rules, known, watch)
            if found:
                refused[str(file)] = found
                continue
            entries[service] = len(whole["log"]["entries"])
            content = orjson.dumps(whole)
            if content != self._last.get(service):
                self._last[service] = content
                write(file, whole)
                written.append(service)
        return Saved(entries, tuple(written), refused)

    def redactor(self, rules: Redaction) -> Redactor:
        """What takes secrets out, and has learnt none but those that are declared."""
        return Redactor(rules, self._key, self._secrets.values, self._secrets.headers)


def causes(found: Iterable[Finding]) -> list[list[Finding]]:
    """Findings by their cause, each cause where it is found first."""
    by_cause: dict[str, list[Finding]] = {}
    for each in found:
        by_cause.setdefault(each.cause, []).append(each)
    return list(by_cause.values())


def _suspicious(whole: Json, rules: Redaction, known: Pseudonyms, watch: Watch) -> list[Finding]:
    numbered = list(enumerate(whole["log"]["entries"]))
    titles = {page["id"]: page["title"] for page in whole["log"]["pages"]}
    found = []
    for number, entry in watch(numbered, "looking for what is left of them", len(numbered)):
        title = titles.get(entry.get("pageref"), "")
        found += findings(entry, number, title, rules.allow, known)
    return found


def _document(pages: Iterable[Page]) -> Json:
    """A file of pages in the order of their times; of one time, in that of their names."""
    whole = [page for page in pages if page.entries]
    named = sorted((page for page in whole if page.name), key=_page_order)
    order = {page.name: number for number, page in enumerate(named)}
    entries = [
        {**({"pageref": page.name} if page.name else {}), **_without_page(entry)}
        for page in whole
        for entry in page.entries
    ]

    def entry_order(entry: Json) -> tuple[str, int, str]:
        page = order.get(entry.get("pageref") or "", -1)
        return entry.get("startedDateTime") or "", page, entry["request"]["url"]

    entries.sort(key=entry_order)
    return document([page_of(each.name, each.title, each.started) for each in named], entries)


def _page_order(page: Page) -> tuple[str, str, int]:
    name, _, number = page.name.rpartition("-")
    return page.started, name, int(number) if number.isdecimal() else 0


def _without_page(entry: Json) -> Json:
    return {name: value for name, value in entry.items() if name != "pageref"}
