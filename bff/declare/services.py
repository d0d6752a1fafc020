"""Readers of services and frontends in `bff.yaml`."""

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
            "`key` needs `cert`: it is the key of a client certificate",
        )
    return Tls(**values)


TLS: Final = table(
    _tls,
    {
        "ca": Key(text(), "PEM file of the trusted certificate authorities."),
        "cert": Key(text(), "PEM file of the client certificate."),
        "key": Key(text(), "PEM file of the key of the client certificate."),
    },
    "tls",
)
LINKS: Final = table(
    lambda _, values: Links(**values),
    {
        "origins": Key(list_of(ORIGIN), "Origins in links that mean this service."),
        "under": Key(
            text(r"/[A-Za-z0-9._~/-]*", "a path"),
            "The path that followed links must be at or below.",
        ),
    },
    "links",
    Links,
)

SERVICE_KEYS: Final = {
    "url": Key(
        list_of(ADDRESS, or_one=True), "Its base URL, or several of equal instances.", required=True
    ),
    "timeout": Key(DURATION, "Timeout of one request; default 2s."),
    **POLICY_KEYS,
    "renew": Key(DURATION, "Maximum age of a pooled connection; default 1m."),
    "deadline": Key(
        REQUEST_HEADER, "Request header that carries the remaining milliseconds of the deadline."
    ),
    "max_reply": Key(SIZE, "Maximum size of one reply, decompressed; default 8MB."),
    "credentials": Key(CREDENTIALS, "Credentials of its requests; none by default."),
    "tls": Key(TLS, "A private certificate authority, and a client certificate."),
    "links": Key(LINKS, "Which links in its replies may be followed."),
    "redirects": Key(
        one_of("refuse", "follow"), "Whether redirects are followed; refused by default.", "refuse"
    ),
    "headers": Key(HEADERS, "Templates of headers of every request."),
    "forward": Key(list_of(FORWARDED_HEADER), "Request headers of the client that are passed on."),
    "respond": Key(list_of(REPLY_HEADER), "Response headers that are passed to the client."),
}


def _others(place: Place, urls: tuple[str, ...]) -> tuple[str, ...]:
    """The addresses of a service without the first; all may differ in host and port only.

    Raises:
        ConfigError: there is none, or they differ otherwise.
    """
    if not urls:
        raise wrong("missing-key", place.of("url"), "a service needs at least one address")
    if len(set(urls)) < len(urls):
        raise wrong("wrong-value", place.of("url"), "duplicate address")
    parts = [urlsplit(url) for url in urls]
    if len({(part.scheme, part.path) for part in parts}) > 1:
        raise wrong(
            "wrong-value",
            place.of("url"),
            "the addresses of a service may differ in host and port only",
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
            "`tls` has no effect on a service with an http address",
        )
    if values["redirects"] == "follow" and "links" not in values:
        raise wrong(
            "key-conflict",
            place.of("redirects"),
            "`redirects: follow` needs `links`",
            "`links: {under: /}`, where redirects may lead",
        )
    values["redirects"] = values["redirects"] == "follow"
    values["forward"] = frozenset(values["forward"])
    values["respond"] = frozenset(values["respond"])
    return Service(name="", place=place, **values)


SERVICE: Final = table(
    _service, SERVICE_KEYS, "a service", Service, absent=("credentials", "redirects")
)

_AUTHENTICATION: Final = one_of("session", "bearer", "none")
_LANGUAGE: Final = text(
    "[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*", "a language tag", "such as en or de-CH"
)

FRONTEND_KEYS: Final = {
    "access": Key(
        list_of(_AUTHENTICATION, or_one=True),
        "How its users authenticate: session, bearer or both; or `none`.",
        required=True,
    ),
    "origins": Key(list_of(ORIGIN), "Origins of its pages, for CORS and CSRF checks."),
    "languages": Key(list_of(_LANGUAGE), "Supported languages, the default first."),
    "batch": Key(
        integer(2, 50),
        "Maximum number of views of one batch request; by default there are no batches.",
    ),
    "trust_traceparent": Key(
        FLAG, "Continue the trace of the `traceparent` of requests (W3C Trace Context)."
    ),
}


def _frontend(place: Place, values: dict[str, Any]) -> Frontend:
    if "none" in values["access"]:
        if len(values["access"]) > 1:
            raise wrong("key-conflict", place.of("access"), "`access: none` excludes other values")
        values["access"] = ()
    return Frontend(name="", place=place, **values)


FRONTEND: Final = table(_frontend, FRONTEND_KEYS, "a frontend", Frontend)
