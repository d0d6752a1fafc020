"""Services and frontends, as `bff.yaml` declares them."""

from typing import Any, Final

from bff.declare.read import DURATION, SIZE, Key, integer, list_of, one_of, table, text, wrong
from bff.declare.words import ADDRESS, HEADERS, REPLY_HEADER, REQUEST_HEADER
from bff.model.service import Service
from bff.model.source import Place
from bff.model.view import Frontend

_TIMEOUT: Final = 2.0
_MAX_REPLY: Final = 8 * 1024 * 1024

SERVICE_KEYS: Final = {
    "url": Key(ADDRESS, "The address all its paths stand under.", required=True),
    "timeout": Key(DURATION, "How long one request may take; 2s if not said.", _TIMEOUT),
    "limit": Key(integer(1, 10_000), "Requests in flight per process; half the pool if not said."),
    "max_reply": Key(
        SIZE, "How large one reply may be, decompressed; 8MB if not said.", _MAX_REPLY
    ),
    "credentials": Key(one_of("none", "session"), "Whose credentials its requests carry.", "none"),
    "headers": Key(HEADERS, "Templates of headers sent with every request.", ()),
    "forward": Key(list_of(REQUEST_HEADER), "Headers of the client that are passed on.", ()),
    "respond": Key(list_of(REPLY_HEADER), "Reply headers that are passed to the client.", ()),
}


def _service(place: Place, values: dict[str, Any]) -> Service:
    values["forward"] = frozenset(values["forward"])
    values["respond"] = frozenset(values["respond"])
    return Service(name="", place=place, **values)


SERVICE: Final = table(_service, SERVICE_KEYS, "a service")

_WAYS: Final = one_of("session", "bearer", "none")
_LANGUAGE: Final = text(
    "[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*", "a language tag", "such as en or de-CH"
)
_ORIGIN: Final = text(
    r"https?://[a-z0-9.-]+(:\d+)?", "an exact origin", 'such as "https://shop.example"'
)

FRONTEND_KEYS: Final = {
    "access": Key(
        list_of(_WAYS, or_one=True),
        "The ways to sign in that it accepts, or `none`.",
        required=True,
    ),
    "origins": Key(list_of(_ORIGIN), "Exact origins of its pages.", ()),
    "languages": Key(list_of(_LANGUAGE), "Languages it speaks, the default first.", ()),
}


def _frontend(place: Place, values: dict[str, Any]) -> Frontend:
    if "none" in values["access"]:
        if len(values["access"]) > 1:
            raise wrong(place, "`access: none` stands alone")
        values["access"] = ()
    return Frontend(name="", place=place, **values)


FRONTEND: Final = table(_frontend, FRONTEND_KEYS, "a frontend")
