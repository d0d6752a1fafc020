"""Pages of recordings: one request to a view, and the replies of each service."""

from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import orjson

from bff.dev.har_files import read_json_file
from bff.dev.recordings.bodies import digest_of
from bff.dev.recordings.har import Json
from bff.dev.recordings.progress import Progress, no_progress
from bff.dev.recordings.recording import read_recording

# Headers that differ each time and are not compared.
_VOLATILE: Final = frozenset(
    {"date", "age", "expires", "server-timing", "x-request-id", "traceparent", "connection"}
    | {"x-runtime", "x-response-time", "keep-alive", "set-cookie", "via", "x-trace-id"}
)


@dataclass
class HarPage:
    """The part of a page in the file of one service.

    Args:
        title: the request target of the client; empty for entries without a page.
        name: the page's id, equal in all files; empty where it has none yet.
        started: the time of the client's request, equal in all files.
    """

    title: str
    name: str
    started: str
    entries: list[Json] = field(default_factory=list)

    @cached_property
    def requests(self) -> tuple[str, ...]:
        """Keys of its requests, which identify the same page in two recordings."""
        return tuple(sorted(map(_request_key, self.entries)))

    @cached_property
    def replies(self) -> tuple[str, ...]:
        """Digests of its replies, which differ where a service answered differently."""
        return tuple(sorted(_request_key(each) + _reply_key(each) for each in self.entries))


def read_pages(file: Path, watch: Progress = no_progress) -> list[HarPage]:
    """The pages of one file, unchanged; each entry without a page is one of its own.

    Raises:
        RecordingError: the file cannot be read.
    """
    read_recording(file, watch)  # validates the file
    log = read_json_file(file)["log"]
    pages = {
        each["id"]: HarPage(each.get("title") or "", each["id"], each.get("startedDateTime") or "")
        for each in log.get("pages") or []
        if each.get("id")
    }
    loose: list[HarPage] = []
    for entry in log["entries"]:
        page = pages.get(entry.get("pageref") or "")
        if page:
            page.entries.append(entry)
        else:
            loose.append(HarPage("", "", entry.get("startedDateTime") or "", [entry]))
    return [*pages.values(), *loose]


def _request_key(entry: Json) -> str:
    request = entry["request"]
    url = urlsplit(request["url"])
    body = (request.get("postData") or {}).get("text") or ""
    return _digest([request["method"], url.path, url.query, body])


def _reply_key(entry: Json) -> str:
    response = entry["response"]
    headers = sorted(
        (each["name"].lower(), each.get("value") or "")
        for each in response.get("headers") or ()
        if each["name"].lower() not in _VOLATILE
    )
    body = digest_of(response["content"])
    return _digest([response["status"], headers, body, bool(entry.get("cache"))])


def _digest(what: Any) -> str:
    return sha256(orjson.dumps(what)).hexdigest()[:16]
