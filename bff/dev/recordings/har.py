"""Writes exchanges as HAR 1.2: entries, pages, files, and large bodies beside them."""

import json
from base64 import b64encode
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from bff.dev.recorded_exchange import RecordedExchange
from bff.dev.recordings import bodies
from bff.model.exchange import Headers
from bff.upstream.connection_events import Timings

Json = dict[str, Any]


def entry_of(exchanged: RecordedExchange, page: str | None) -> Json:
    """One exchange as a HAR entry; `page` is the id of its page."""
    request, reply = exchanged.request, exchanged.reply
    url = exchanged.base + request.target
    timings = _timings(exchanged.timings)
    kind = _as_text(reply.header("content-type") or "application/octet-stream")
    made: Json = {"pageref": page} if page else {}
    made |= {
        "startedDateTime": exchanged.started.isoformat(timespec="milliseconds"),
        "time": round(sum(max(0.0, timings[name]) for name in timings if name != "ssl"), 1),
        "request": {
            "method": request.method,
            "url": url,
            "httpVersion": "HTTP/1.1",
            "cookies": _cookies(request.headers, "cookie"),
            "headers": _named(request.headers),
            "queryString": _named(parse_qsl(urlsplit(url).query, keep_blank_values=True)),
            **_posted(request.headers, request.body),
            "headersSize": -1,
            "bodySize": len(request.body),
        },
        "response": {
            "status": reply.status,
            "statusText": _phrase(reply.status),
            "httpVersion": "HTTP/1.1",
            "cookies": _cookies(reply.headers, "set-cookie"),
            "headers": _named(reply.headers),
            "content": {"size": len(reply.body), "mimeType": kind, **text_of(reply.body)},
            "redirectURL": _as_text(reply.header("location") or ""),
            "headersSize": -1,
            "bodySize": -1,
        },
        "cache": _cache(exchanged),
        "timings": timings,
    }
    return made


def page_of(name: str, title: str, started: str) -> Json:
    """A HAR page: one request of a client to a view."""
    return {
        "startedDateTime": started,
        "id": name,
        "title": title,
        "pageTimings": {"onContentLoad": -1, "onLoad": -1},
    }


def document(pages: list[Json], entries: list[Json]) -> Json:
    """A HAR document."""
    creator = {"name": "bff", "version": version("bff-proxy")}
    return {"log": {"version": "1.2", "creator": creator, "pages": pages, "entries": entries}}


def written(found: Json) -> str:
    """A document as JSON text with readable diffs."""
    return json.dumps(found, ensure_ascii=False, indent=1) + "\n"


def write(file: Path, found: Json) -> None:
    """Write a file with its large bodies beside it, and delete body files no longer referenced."""
    contents = [entry["response"]["content"] for entry in found["log"]["entries"]]
    kept = {bodies.put_beside(file, each) for each in contents}
    aside = file.with_suffix(".har.new")
    aside.write_text(written(found), encoding="utf-8")
    aside.replace(file)
    for path in bodies.bodies_of(file):
        if path.name not in kept:
            path.unlink()


def _timings(taken: Timings) -> Json:
    def ms(seconds: float | None) -> float:
        return -1 if seconds is None else round(max(0.0, seconds) * 1000, 1)

    return {
        "blocked": ms(taken.blocked),
        "dns": -1,  # part of connect
        "connect": ms(taken.connect),
        "ssl": ms(taken.tls),
        "send": ms(taken.send),
        "wait": ms(taken.wait),
        "receive": ms(taken.receive),
    }


def _cache(exchanged: RecordedExchange) -> Json:
    if exchanged.fresh_until is None:
        return {}
    before = {
        "expires": exchanged.fresh_until.isoformat(timespec="milliseconds"),
        "lastAccess": exchanged.started.isoformat(timespec="milliseconds"),
        "eTag": _as_text(exchanged.reply.header("etag") or ""),
        "hitCount": 1,
    }
    return {
        "beforeRequest": before,
        "comment": "answered from the cache, without a request to the service",
    }


def _posted(headers: Headers, body: bytes) -> Json:
    if not body:
        return {}
    kind = next((value for name, value in headers if name.lower() == "content-type"), "")
    return {"postData": {"mimeType": _as_text(kind), "text": body.decode(errors="replace")}}


def text_of(body: bytes) -> Json:
    """A body as the `text` and `encoding` fields of `content`."""
    try:
        return {"text": body.decode()}
    except UnicodeDecodeError:
        return {"text": b64encode(body).decode(), "encoding": "base64"}


def _named(pairs: Any) -> list[Json]:
    return [{"name": name, "value": _as_text(value)} for name, value in pairs]


def _as_text(value: str) -> str:
    """A value that JSON can represent: bytes of a header that are not UTF-8 are replaced."""
    return value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _cookies(headers: Headers, header: str) -> list[Json]:
    found: list[Json] = []
    for name, value in headers:
        if name.lower() == header:
            try:
                found += _named((key, each.value) for key, each in SimpleCookie(value).items())
            except CookieError:
                continue
    return found


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
