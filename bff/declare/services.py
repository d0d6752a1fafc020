"""Services and frontends, as `bff.yaml` declares them."""

from typing import Any, Final
from urllib.parse import urlsplit

from bff.declare.credentials import CREDENTIALS
from bff.declare.policy import POLICY_KEYS
from bff.declare.read import (
    DURATION,
    FLAG,
    SIZE,
    Key,
    integer,
    list_of,
    one_of,
    table,
    text,
    wrong,
)
from bff.declare.readers import (
    ADDRESS,
    FORWARDED_HEADER,
    HEADERS,
    ORIGIN,
    REPLY_HEADER,
    REQUEST_HEADER,
)
from bff.model.frontend import Frontend
from bff.model.service import Links, Service, Tls
from bff.model.source import Place


def _tls(place: Place, values: dict[str, Any]) -> Tls:
    if "key" in values and "cert" not in values:
        raise wrong(
            "key-conflict",
            place.of("key", "cert"),
            "a `key` of our own is of no use without its `cert`",
        )
    return Tls(**values)


TLS: Final = table(
    _tls,
    {
        "ca": Key(text(), "A PEM file of the authorities that are trusted."),
        "cert": Key(text(), "A PEM file of our certificate."),
        "key": Key(text(), "A PEM file of its key."),
    },
    "tls",
)
LINKS: Final = table(
    lambda _, values: Links(**values),
    {
        "origins": Key(list_of(ORIGIN), "Origins that stand for the service in its links."),
        "under": Key(text(r"/[A-Za-z0-9._~/-]*", "a path"), "What links are at or below."),
    },
    "links",
    Links,
)

SERVICE_KEYS: Final = {
    "url": Key(
        list_of(ADDRESS, or_one=True), "The address all its paths stand under.", required=True
    ),
    "timeout": Key(DURATION, "How long one request may take; 2s if not said."),
    **POLICY_KEYS,
    "renew": Key(DURATION, "After what time a connection is used no more; 1m if not said."),
    "deadline": Key(REQUEST_HEADER, "The header that says how many milliseconds are left."),
    "max_reply": Key(SIZE, "How large one reply may be, decompressed; 8MB if not said."),
    "credentials": Key(CREDENTIALS, "Whose credentials its requests carry; none if not said."),
    "tls": Key(TLS, "A private authority, and a certificate of our own."),
    "links": Key(LINKS, "Where links of its replies may lead."),
    "redirects": Key(
        one_of("refuse", "follow"), "What a redirect is; refused if not said.", "refuse"
    ),
    "headers": Key(HEADERS, "Templates of headers sent with every request."),
    "forward": Key(list_of(FORWARDED_HEADER), "Headers of the client that are passed on."),
    "respond": Key(list_of(REPLY_HEADER), "Reply headers that are passed to the client."),
}


def _others(place: Place, urls: tuple[str, ...]) -> tuple[str, ...]:
    """All but the first of the addresses of a service, which must be alike."""
    if not urls:
        raise wrong("missing-key", place.of("url"), "a service has an address")
    if len(set(urls)) < len(urls):
        raise wrong("wrong-value", place.of("url"), "an address stands twice")
    parts = [urlsplit(url) for url in urls]
    if len({(each.scheme, each.path) for each in parts}) > 1:
        raise wrong(
            "wrong-value",
            place.of("url"),
            "the addresses of a service differ in host and port alone",
        )
    return urls[1:]


def _service(place: Place, values: dict[str, Any]) -> Service:
    values |= values.pop("credentials", {})
    urls = values.pop("url")
    values["others"] = _others(place, urls)
    values["url"] = urls[0]
    values |= values.pop("limit", {})
    if "tls" in values and not values["url"].startswith("https:"):
        raise wrong(
            "key-conflict",
            place.of("tls"),
            "`tls` is of no use to a service that is asked over plain http",
        )
    if values["redirects"] == "follow" and "links" not in values:
        raise wrong(
            "key-conflict",
            place.of("redirects"),
            "redirects are followed only within `links`",
            "say where they may lead",
        )
    values["redirects"] = values["redirects"] == "follow"
    values["forward"] = frozenset(values["forward"])
    values["respond"] = frozenset(values["respond"])
    return Service(name="", place=place, **values)


SERVICE: Final = table(
    _service, SERVICE_KEYS, "a service", Service, absent=("credentials", "redirects")
)

_WAYS: Final = one_of("session", "bearer", "none")
_LANGUAGE: Final = text(
    "[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*", "a language tag", "such as en or de-CH"
)

FRONTEND_KEYS: Final = {
    "access": Key(
        list_of(_WAYS, or_one=True),
        "The ways to sign in that it accepts, or `none`.",
        required=True,
    ),
    "origins": Key(list_of(ORIGIN), "Exact origins of its pages."),
    "languages": Key(list_of(_LANGUAGE), "Languages it speaks, the default first."),
    "batch": Key(integer(2, 50), "How many views one batch may ask for; none if not said."),
    "trust_traceparent": Key(
        FLAG, "Whether the trace that a request says it belongs to is continued."
    ),
}


def _frontend(place: Place, values: dict[str, Any]) -> Frontend:
    if "none" in values["access"]:
        if len(values["access"]) > 1:
            raise wrong("key-conflict", place.of("access"), "`access: none` stands alone")
        values["access"] = ()
    return Frontend(name="", place=place, **values)


FRONTEND: Final = table(_frontend, FRONTEND_KEYS, "a frontend", Frontend)
