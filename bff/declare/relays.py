"""Relays, one a file below `relays/`, and what may be wrong between them and all else."""

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
        raise wrong("target", node.place, f"`{written.shown}` is no relay", hint)
    path, service, target = found.groups()
    given, wanted = _segments(node, path), _segments(node, target)
    taken = {each.replace("...", "") for each in given if each.startswith("{")}
    unknown = [
        each for each in wanted if each.startswith("{") and each.replace("...", "") not in taken
    ]
    if unknown:
        raise wrong("route", node.place, f"`{unknown[0]}` is not in the relay's own path")
    trees = {each.replace("...", ""): each for each in given if each.endswith("...}")}
    whole = "/".join(trees.get(each, each) for each in wanted)
    return path, service, f"/{whole}", written


def _segments(node: Node, path: str) -> list[str]:
    """The segments of a path; a tree may only stand at its end."""
    segments = path[1:].split("/")
    if not all(map(_SEGMENT.fullmatch, segments)) and segments != [""]:
        hint = "each segment is text, a name in braces, or at the end `{path...}`"
        raise wrong("route", node.place, f"`{path}` is no path of a relay", hint)
    if {".", ".."} & set(segments):
        raise wrong("route", node.place, f"the path `{path}` has a dot segment")
    if any(each.endswith("...}") for each in segments[:-1]):
        raise wrong("route", node.place, f"in `{path}` something follows a whole tree")
    return segments


def _cookie(node: Node) -> str:
    name: str = text(r"[A-Za-z0-9_.-]+", "a cookie's name").read(node)
    if is_own_cookie(name):
        raise wrong(
            "wrong-value", node.place, f"the cookie `{name}` is ours: it goes to no service"
        )
    return name


STAND_IN: Final = table(
    lambda _, values: StandIn(**values),
    {
        "status": Key(integer(200, 599), "The status of the answer.", required=True),
        "text": Key(text(), "What it says.", required=True),
        "type": Key(text(), "Its Content-Type; plain text if not said."),
    },
    "a fallback",
    StandIn,
)
_ABSENT: Final = ("stream", "keep_alive", "max_age")
RELAY_KEYS: Final = {
    "relay": Key(
        Reader(_line, {"type": "string"}),
        "Where it is and where it leads: `/files/{path...} -> files:/{path...}`.",
        required=True,
    ),
    "frontends": Key(list_of(FRONTEND_NAME), "Who has it; every frontend if not said."),
    "methods": Key(list_of(one_of(*_METHODS)), "What is passed on; GET if not said."),
    **ACCESS_KEYS,
    "credentials": Key(CREDENTIALS, "Whose credentials it brings; the service's if not said."),
    "forward": Key(list_of(FORWARDED_HEADER), "Headers of the client, besides the usual."),
    "respond": Key(list_of(REPLY_HEADER), "Headers of the reply, besides the usual."),
    "cookies": Key(
        list_of(Reader(_cookie, {"type": "string"})), "Cookies of the client that go up."
    ),
    "timeout": Key(DURATION, "For how long nothing may move; 15s if not said."),
    "max_body": Key(SIZE, "How large a request body may be; 1MB if not said."),
    "fallback": Key(STAND_IN, "What a read is answered where the service is not well."),
    "stream": Key(
        one_of("events", "websocket"), "Server-sent events, or WebSockets, which nginx relays."
    ),
    "keep_alive": Key(DURATION, "After how long a silent stream is kept alive; 15s."),
    "max_age": Key(DURATION, "After how long a stream is closed, to come again; 15m."),
}


def relay_reader(frontends: Mapping[str, Any]) -> Callable[[str, Node], Relay]:
    """A function of a relay's name and node."""

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
            "a stream has no fallback: clients come again by themselves",
        )
    if stream == "websocket" and path.partition("{")[1]:
        raise wrong(
            "key-conflict", place.of("relay"), "a relay of WebSockets is one path, without names"
        )
    if stream == "websocket" and "credentials" in values:
        raise wrong(
            "key-conflict",
            place.of("credentials"),
            "nginx carries WebSockets, and it has no credentials for a service",
        )
    if stream == "websocket" and (values["cookies"] or values["respond"]):
        hint = "what the service is told of a client is in `forward`"
        raise wrong(
            "key-conflict",
            place.of("cookies", "respond"),
            "WebSockets pass no cookies on, and no headers of a reply",
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
    """What is wrong between relays, services, frontends and views."""
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
            asks = bool(frontend.access) and relay.access_at(frontend) != "public"
            if not asks and (relay.require or relay.access == "signed_in"):
                message = f"nobody is asked who they are at `{name}`, and the relay wants to know"
                yield Problem(
                    "access-impossible",
                    relay.place.of("require", "access"),
                    message,
                    f"see `access` of {frontend.place}",
                )
            own = relay.credentials
            if own and own.credentials in OF_THE_CALLER and not asks:
                message = f"nobody is asked who they are at `{name}`: there are no credentials of"
                hint = "credentials of our own: `none`, `basic`, `api_key` or `client`"
                yield Problem(
                    "access-impossible", relay.place.of("credentials"), f"{message} theirs", hint
                )
            for other, route, what in seen:
                if other == name and _meet(relay.path, route):
                    message = f"the relay `/{name}{relay.path}` and {what} have paths in common"
                    yield Problem("route-clash", relay.place.of("relay"), message)
            seen.append((name, relay.path, f"the relay `{relay.name}`"))


def _credentials(config: Config, relay: Relay) -> Iterator[Problem]:
    """Tokens are made by providers that are declared."""
    own = relay.credentials
    if own is None or own.credentials not in {"exchange", "client"}:
        return
    name = own.grant.provider
    if name and name not in config.providers:
        hint = did_you_mean(name, config.providers)
        yield Problem(
            "unknown-provider",
            relay.place.of("credentials"),
            f"`{relay.name}` asks an unknown provider `{name}`",
            hint,
        )
    elif not config.providers:
        message = f"`{relay.name}` asks for a token, and no provider is declared that makes one"
        yield Problem(
            "sign-in-impossible", relay.place.of("credentials"), message, "`providers` in bff.yaml"
        )


def _meet(one: str, other: str) -> bool:
    """Whether some path belongs to both of two routes."""
    ours, theirs = one[1:].split("/"), other[1:].split("/")
    for mine, its in zip(ours, theirs, strict=False):
        if "...}" in mine or "...}" in its:
            return True
        if mine != its and not mine.startswith("{") and not its.startswith("{"):
            return False
    return len(ours) == len(theirs)
