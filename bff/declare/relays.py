"""Reader of relays, the files of `relays/`, and checks against services, frontends and views."""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, Final

from bff.auth.session.cookies import is_own_cookie
from bff.declare.credentials import CREDENTIALS
from bff.declare.load import Node
from bff.declare.read import (
    DURATION,
    SIZE,
    Key,
    Reader,
    Schema,
    integer,
    list_of,
    one_of,
    source,
    table,
    text,
    wrong,
)
from bff.declare.readers import FORWARDED_HEADER, FRONTEND_NAME, REPLY_HEADER
from bff.declare.requirement import ACCESS_KEYS
from bff.model.config import Config
from bff.model.problem import Problem, did_you_mean
from bff.model.relay import Relay, StandIn
from bff.model.service import OF_THE_CALLER, Bearing
from bff.model.source import Place, Source
from bff.model.view import View

_METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")
_LINE: Final = re.compile(r"(/\S*)\s+->\s+([a-z][a-z0-9_]*):(/\S*)")
_SEGMENT: Final = re.compile(r"\{[A-Za-z_][A-Za-z0-9_]*(?:\.\.\.)?\}|[A-Za-z0-9._~-]+")
_TIMEOUT, _KEEP_ALIVE, _MAX_AGE = 15.0, 15.0, 900.0
_OF_STREAMS: Final = frozenset({"keep_alive", "max_age"})


def _line(node: Node) -> tuple[str, str, str, Source]:
    written: Source = source("a relay").read(node)
    found = _LINE.fullmatch(written.text.strip())
    if not found:
        hint = "such as `/files/{path...} -> files:/{path...}`"
        raise wrong("target", node.place, f"`{written.shown}` is not a relay", hint)
    path, service, target = found.groups()
    given, wanted = _segments(node, path), _segments(node, target)
    taken = {segment.replace("...", "") for segment in given if segment.startswith("{")}
    unknown = [
        segment
        for segment in wanted
        if segment.startswith("{") and segment.replace("...", "") not in taken
    ]
    if unknown:
        raise wrong("route", node.place, f"`{unknown[0]}` is not in the path of the relay")
    wildcards = {
        segment.replace("...", ""): segment for segment in given if segment.endswith("...}")
    }
    expanded = "/".join(wildcards.get(segment, segment) for segment in wanted)
    return path, service, f"/{expanded}", written


def _segments(node: Node, path: str) -> list[str]:
    """The segments of a path: texts, names in braces, and at the end a wildcard `{path...}`.

    Raises:
        ConfigError: the path has another form, or dot segments (RFC 3986, section 3.3).
    """
    segments = path[1:].split("/")
    if not all(map(_SEGMENT.fullmatch, segments)) and segments != [""]:
        hint = "each segment is text, a name in braces, or at the end `{path...}`"
        raise wrong("route", node.place, f"`{path}` is not the path of a relay", hint)
    if {".", ".."} & set(segments):
        raise wrong("route", node.place, f"the path `{path}` has a dot segment")
    if any(segment.endswith("...}") for segment in segments[:-1]):
        raise wrong("route", node.place, f"in `{path}` the wildcard is not the last segment")
    return segments


def _cookie(node: Node) -> str:
    name: str = text(r"[A-Za-z0-9_.-]+", "a cookie's name").read(node)
    if is_own_cookie(name):
        raise wrong(
            "wrong-value",
            node.place,
            f"the cookie `{name}` is a session cookie of bff: it is never forwarded",
        )
    return name


STAND_IN: Final = table(
    lambda _, values: StandIn(**values),
    {
        "status": Key(integer(200, 599), "The status of the fallback response.", required=True),
        "text": Key(text(), "Its body.", required=True),
        "type": Key(text(), "Its Content-Type; default text/plain."),
    },
    "a fallback",
    StandIn,
)
_ABSENT: Final = ("stream", "keep_alive", "max_age")
RELAY_KEYS: Final = {
    "relay": Key(
        Reader(_line, {"type": "string"}),
        "Its route and its target: `/files/{path...} -> files:/{path...}`.",
        required=True,
    ),
    "frontends": Key(list_of(FRONTEND_NAME), "Frontends that serve it; all by default."),
    "methods": Key(list_of(one_of(*_METHODS)), "Methods that are passed on; default GET."),
    **ACCESS_KEYS,
    "credentials": Key(
        CREDENTIALS, "Credentials of its requests; by default those of the service."
    ),
    "forward": Key(
        list_of(FORWARDED_HEADER), "Request headers that are passed on, besides the standard ones."
    ),
    "respond": Key(
        list_of(REPLY_HEADER), "Response headers that are passed on, besides the standard ones."
    ),
    "cookies": Key(
        list_of(Reader(_cookie, {"type": "string"})),
        "Cookies of the client that are passed to the service.",
    ),
    "timeout": Key(DURATION, "Idle timeout, in either direction; default 15s."),
    "max_body": Key(SIZE, "Maximum size of a request body; default 1MB."),
    "fallback": Key(STAND_IN, "The response to a read while the service is unavailable."),
    "stream": Key(
        one_of("events", "websocket"), "Passes server-sent events through, or WebSockets by nginx."
    ),
    "keep_alive": Key(
        DURATION, "Silence after which a keep-alive comment is sent on a stream; default 15s."
    ),
    "max_age": Key(
        DURATION, "Time after which a stream is closed, so that the client reconnects; default 15m."
    ),
}


def relay_reader(frontends: Mapping[str, Any]) -> Callable[[str, Node], Relay]:
    """A function that decodes a relay from its name and node."""

    def read(name: str, node: Node) -> Relay:
        def make(place: Place, values: dict[str, Any]) -> Relay:
            return _relay(name, place, values, tuple(frontends))

        relay: Relay = table(make, RELAY_KEYS, "a relay", Relay, absent=_ABSENT).read(node)
        return relay

    return read


def relay_schema() -> Schema:
    """The JSON Schema of a relay."""
    schema: Schema = table(lambda _, values: values, RELAY_KEYS, "a relay").schema
    return schema


def _relay(name: str, place: Place, values: dict[str, Any], frontends: tuple[str, ...]) -> Relay:
    path, service, target, _ = values.pop("relay")
    stream = values.get("stream", "")
    if not stream and _OF_STREAMS & values.keys():
        raise wrong(
            "key-conflict",
            place.of("keep_alive", "max_age"),
            "only a stream has `keep_alive` and `max_age`",
            "`stream: events`",
        )
    if stream and values["methods"] != ("GET",):
        raise wrong("key-conflict", place.of("methods"), "a stream is a GET")
    if stream and "fallback" in values:
        raise wrong(
            "key-conflict",
            place.of("fallback"),
            "a stream has no fallback: clients reconnect by themselves",
        )
    if stream == "websocket" and path.partition("{")[1]:
        raise wrong(
            "key-conflict",
            place.of("relay"),
            "a relay of WebSockets is one path, without names in braces",
        )
    if stream == "websocket" and "credentials" in values:
        raise wrong(
            "key-conflict",
            place.of("credentials"),
            "a relay of WebSockets has no `credentials`: nginx connects to the service",
        )
    if stream == "websocket" and (values["cookies"] or values["respond"]):
        hint = "`forward` lists the request headers that the service gets"
        raise wrong(
            "key-conflict",
            place.of("cookies", "respond"),
            "a relay of WebSockets has neither `cookies` nor `respond`",
            hint,
        )
    if "credentials" in values:
        values["credentials"] = Bearing(**values["credentials"])
    return Relay(
        name=name,
        place=place,
        path=path,
        service=service,
        target=target,
        **{
            "frontends": frontends,
            **values,
            "forward": frozenset(values["forward"]),
            "respond": frozenset(values["respond"]),
        },
    )


def relay_problems(config: Config, views: Collection[View]) -> Iterator[Problem]:
    """Problems between relays and the services, frontends and views that are declared."""
    seen: list[tuple[str, str, str]] = [
        (frontend, view.route, f"the view `{view.name}`")
        for view in views
        for frontend in view.frontends
    ]
    for relay in config.relays:
        if relay.service not in config.services:
            hint = did_you_mean(relay.service, config.services)
            yield Problem(
                "unknown-service", relay.place.of("relay"), f"no service `{relay.service}`", hint
            )
        yield from _credentials(config, relay)
        for name in relay.frontends:
            frontend = config.frontends.get(name)
            if frontend is None:
                hint = did_you_mean(name, config.frontends)
                yield Problem(
                    "unknown-frontend", relay.place.of("frontends"), f"no frontend `{name}`", hint
                )
                continue
            signs_in = bool(frontend.access) and relay.access_at(frontend) != "public"
            if not signs_in and (relay.require or relay.access == "signed_in"):
                message = f"`{name}` has no sign-in for the relay, which requires a signed-in user"
                yield Problem(
                    "access-impossible",
                    relay.place.of("require", "access"),
                    message,
                    f"see `access` of {frontend.place}",
                )
            own = relay.credentials
            if own and own.credentials in OF_THE_CALLER and not signs_in:
                message = f"`{name}` has no sign-in for the relay: users have no credentials there"
                hint = "credentials of this application: `none`, `basic`, `api_key` or `client`"
                yield Problem("access-impossible", relay.place.of("credentials"), message, hint)
            for other, route, what in seen:
                if other == name and _overlap(relay.path, route):
                    message = f"the relay `/{name}{relay.path}` and {what} have paths in common"
                    yield Problem("route-clash", relay.place.of("relay"), message)
            seen.append((name, relay.path, f"the relay `{relay.name}`"))


def _credentials(config: Config, relay: Relay) -> Iterator[Problem]:
    """The problem of a relay whose tokens no declared provider issues."""
    own = relay.credentials
    if own is None or own.credentials not in {"exchange", "client"}:
        return
    name = own.grant.provider
    if name and name not in config.providers:
        hint = did_you_mean(name, config.providers)
        yield Problem(
            "unknown-provider",
            relay.place.of("credentials"),
            f"`{relay.name}` requests tokens from an unknown provider `{name}`",
            hint,
        )
    elif not config.providers:
        message = f"`{relay.name}` needs tokens, and no provider is declared"
        yield Problem(
            "sign-in-impossible", relay.place.of("credentials"), message, "`providers` in bff.yaml"
        )


def _overlap(first: str, second: str) -> bool:
    """True if there is a path that matches both routes."""
    left, right = first[1:].split("/"), second[1:].split("/")
    for one, other in zip(left, right, strict=False):
        if "...}" in one or "...}" in other:
            return True
        if one != other and not one.startswith("{") and not other.startswith("{"):
            return False
    return len(left) == len(right)
