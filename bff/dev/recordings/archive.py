"""Writes recorded exchanges into the files of a folder, with a minimal diff.

A page groups the calls of one request to a view. A page that is recorded again with the same
replies stays as it is in the file, with its times; with other replies it replaces the old one.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import orjson

from bff.dev.har_files import har_files
from bff.dev.recorded_exchange import RecordedExchange
from bff.dev.recordings.har import Json, document, page_of, write
from bff.dev.recordings.page_merge import merged, visits_of
from bff.dev.recordings.pages import HarPage, read_pages
from bff.dev.recordings.progress import Progress, no_progress
from bff.dev.redaction.declared import NOTHING, DeclaredSecrets
from bff.dev.redaction.pseudonyms import Pseudonyms
from bff.dev.redaction.redact import Redactor
from bff.dev.redaction.scan import Finding, findings, unreadable
from bff.dev.rules import RedactionRules

Mode = Literal["once", "new", "all", "none"]


@dataclass(frozen=True, slots=True)
class SaveResult:
    """The result of a save.

    Args:
        entries: the number of entries in the file of each service.
        written: the services whose file has changed.
        refused: by file that was not written, the suspected secrets.
    """

    entries: Mapping[str, int]
    written: tuple[str, ...]
    refused: Mapping[str, list[Finding]]


class Archive:
    """The recordings of a folder, to which exchanges are added.

    Args:
        key: the key of the pseudonyms.
        mode: `all` drops earlier entries of the services that are called now.
        secrets: the secrets that the configuration declares.

    Raises:
        RecordingError: an existing recording cannot be read.
    """

    def __init__(
        self, folder: Path, key: bytes, mode: Mode, secrets: DeclaredSecrets = NOTHING
    ) -> None:
        self._folder, self._key, self._mode, self._secrets = folder, key, mode, secrets
        self._before = {file.stem: read_pages(file) for file in har_files(folder)}
        self._last: dict[str, bytes] = {}

    def save(
        self,
        exchanges: Sequence[RecordedExchange],
        rules: RedactionRules,
        watch: Progress = no_progress,
    ) -> SaveResult:
        """Write all exchanges recorded since it was opened; it can be called repeatedly.

        A file with a suspected secret is not written at all: part of a recording would be replayed
        as if it were complete.
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
        return SaveResult(entries, tuple(written), refused)

    def redactor(self, rules: RedactionRules) -> Redactor:
        """A redactor that knows only the declared secrets."""
        return Redactor(rules, self._key, self._secrets.values, self._secrets.headers)


def causes(found: Iterable[Finding]) -> list[list[Finding]]:
    """Findings grouped by cause, in the order of the first finding of each."""
    by_cause: dict[str, list[Finding]] = {}
    for each in found:
        by_cause.setdefault(each.cause, []).append(each)
    return list(by_cause.values())


def _suspicious(
    whole: Json, rules: RedactionRules, known: Pseudonyms, watch: Progress
) -> list[Finding]:
    numbered = list(enumerate(whole["log"]["entries"]))
    titles = {page["id"]: page["title"] for page in whole["log"]["pages"]}
    found = []
    for number, entry in watch(numbered, "looking for what is left of them", len(numbered)):
        title = titles.get(entry.get("pageref"), "")
        found += findings(entry, number, title, rules.allow, known)
    return found


def _document(pages: Iterable[HarPage]) -> Json:
    """A HAR document of pages, sorted by time, then by name."""
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


def _page_order(page: HarPage) -> tuple[str, str, int]:
    name, _, number = page.name.rpartition("-")
    return page.started, name, int(number) if number.isdecimal() else 0


def _without_page(entry: Json) -> Json:
    return {name: value for name, value in entry.items() if name != "pageref"}
