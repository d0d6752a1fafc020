"""Builds HAR 1.2 files, with all required fields and no custom ones."""

from collections.abc import Mapping
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import orjson

from bff.dev.shop.dice import Dice
from bff.dev.shop.orders import TODAY

Json = dict[str, Any]
Query = Mapping[str, str | int | list[str] | None]

# The minimum and usual maximum latency of each service, in tenths of a millisecond.
_LATENCY = {
    "users": (60, 180),
    "orders": (240, 600),
    "catalog": (120, 400),
    "recommendations": (500, 1300),
    "reviews": (140, 380),
    "notifications": (50, 150),
}


class HarBuilder:
    """Collects the exchanges of one service; a repeated read is recorded once."""

    def __init__(self, service: str) -> None:
        self._service = service
        self._entries: dict[str, Json] = {}

    def get(
        self, path: str, query: Query | None = None, *, body: object, status: int = 200
    ) -> None:
        """Record a GET and its JSON reply. None in the query is omitted, a list is repeated."""
        asked = {key: value for key, value in (query or {}).items() if value is not None}
        encoded = urlencode(asked, doseq=True, safe=",")
        target = path + ("?" + encoded if encoded else "")
        if target not in self._entries:
            self._entries[target] = self._entry("GET", target, asked, body, status)

    def again(self, path: str, *, body: object) -> None:
        """Record another reply to a GET, after those recorded before."""
        key = f"{path} {len(self._entries)}"
        self._entries[key] = self._entry("GET", path, {}, body, 200)

    def write(self, method: str, path: str, sent: object, *, body: object, status: int) -> None:
        """Record a write and its JSON reply; None, as either, is an empty body."""
        text = None if sent is None else orjson.dumps(sent).decode()
        key = f"{method} {path} {text}"
        self._entries[key] = self._entry(method, path, {}, body, status, text)

    def missing(self, path: str, query: Query | None = None, *, detail: str) -> None:
        """Record a GET that is answered with 404."""
        self.get(path, query, body={"title": "Not Found", "detail": detail}, status=404)

    def save(self, directory: Path) -> None:
        """Write `{service}.har`, in the order in which the exchanges were recorded."""
        creator = {"name": "bff.dev.shop", "version": "1"}
        log = {"version": "1.2", "creator": creator, "entries": list(self._entries.values())}
        shown = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
        (directory / f"{self._service}.har").write_bytes(orjson.dumps({"log": log}, option=shown))

    def _entry(
        self,
        method: str,
        target: str,
        asked: Query,
        body: object,
        status: int,
        sent: str | None = None,
    ) -> Json:
        text = "" if body is None else orjson.dumps(body).decode()
        timings = self._timings(target)
        started = TODAY + timedelta(milliseconds=150 * len(self._entries))
        return {
            "startedDateTime": started.isoformat(timespec="milliseconds"),
            "time": round(sum(timings.values()), 1),
            "request": {
                "method": method,
                "url": f"http://{self._service}.shop.internal{target}",
                "httpVersion": "HTTP/1.1",
                "cookies": [],
                "headers": [],
                "queryString": [
                    {"name": key, "value": str(one)}
                    for key, value in asked.items()
                    for one in (value if isinstance(value, list) else [value])
                ],
                **({"postData": {"mimeType": "application/json", "text": sent}} if sent else {}),
                "headersSize": -1,
                "bodySize": len((sent or "").encode()),
            },
            "response": self._response(text, status),
            "cache": {},
            "timings": timings,
        }

    def _response(self, text: str, status: int) -> Json:
        kind = "application/json" if status < 400 else "application/problem+json"  # noqa: PLR2004
        headers = [{"name": "Content-Type", "value": kind}]
        if self._service == "catalog":
            headers.append({"name": "X-Catalog-Version", "value": "2026-11-02.1"})
        size = len(text.encode())
        return {
            "status": status,
            "statusText": HTTPStatus(status).phrase,
            "httpVersion": "HTTP/1.1",
            "cookies": [],
            "headers": headers,
            "content": {"size": size, "mimeType": kind, "text": text},
            "redirectURL": "",
            "headersSize": -1,
            "bodySize": size,
        }

    def _timings(self, target: str) -> Json:
        dice = Dice("latency", self._service, target)
        least, most = _LATENCY[self._service]
        wait = dice.between(least, dice.between(least, most))  # most replies are fast
        if dice.chance(0.02):
            wait *= 2
        return {"send": 0.1, "wait": wait / 10, "receive": dice.between(2, 9) / 10}
