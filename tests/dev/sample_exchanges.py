"""A recording of everything that a recording can have, made by the recorder itself."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from bff.dev.recorded_exchange import RecordedExchange
from bff.dev.recordings.archive import Archive
from bff.dev.rules import RedactionRules
from bff.model.exchange import Headers, Origin, Reply, Request
from bff.model.source import Place
from bff.upstream.connection_events import Timings

BEGUN = datetime(2026, 11, 2, 9, 0, 0, tzinfo=UTC)
JSON = ("content-type", "application/json")
TIMINGS = Timings(0.001, 0.002, 0.001, 0.001, 0.02, 0.003)


def exchanged(
    service: str,
    target: str,
    body: bytes,
    *,
    after: float = 0.0,
    visit: str = "1",
    title: str = "/web/home",
    headers: Headers = (JSON,),
    posted: bytes = b"",
    kept: bool = False,
) -> RecordedExchange:
    """One exchange, so many seconds after the first."""
    at = BEGUN + timedelta(seconds=after)
    origin = Origin(visit, title, "web", "home", "a", Place("home.yaml", 1, 1)) if visit else None
    sent = (("content-type", "application/json"), ("cookie", "sid=secret-of-ada")) if posted else ()
    return RecordedExchange(
        Request(
            service,
            "POST" if posted else "GET",
            target,
            headers=sent,
            body=posted,
            origin=origin,
        ),
        Reply(200, headers, body),
        f"http://{service}.internal",
        at,
        **({"fresh_until": at + timedelta(seconds=60)} if kept else {"timings": TIMINGS}),
    )


def record_everything(folder: Path) -> Path:
    """Calls beside and after each other, cookies, a cache hit, a body, an image, long text."""
    image = b"\x89PNG\xff" * 20_000
    cookie = ("set-cookie", "seen=1; Path=/; Max-Age=60")
    made = [
        exchanged("users", "/users/7?a=1&a=2", b'{"id": 7}', headers=(JSON, cookie)),
        exchanged("orders", "/orders", b'{"items": []}', after=0.03, posted=b'{"of": 7}'),
        exchanged("users", "/users/7?a=1&a=2", b'{"id": 7}', after=0.05, kept=True),
        exchanged("files", "/a.png", image, after=0.06, headers=(("content-type", "image/png"),)),
        exchanged("files", "/a.txt", b"words " * 20_000, after=0.07, headers=()),
        exchanged("orders", "/orders", b"[]", after=5.0, visit="2", title="/web/orders"),
        exchanged("orders", "/background", b"[]", after=6.0, visit=""),
    ]
    folder = folder / "recordings"
    saved = Archive(folder, b"a key", "all").save(made, RedactionRules())
    assert not saved.refused
    return folder
