"""Golden files become cases: strictly read, with the pieces of the configuration as written.

`tests/golden/README.md` says what may stand in one.
"""

import base64
import gzip
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from textwrap import dedent
from typing import Any

import yaml

from bff.declare.load import core_scalar
from bff.dev.recordings.message import StubReply
from bff.errors import (
    BffError,
    GrantEnded,
    LoginRequired,
    NoCredentials,
    ProviderAway,
    ProviderMisconfigured,
    StoreAway,
)
from bff.model.exchange import Headers
from bff.model.principal import NOBODY, Principal
from bff.upstream.exchange import Credentials

KEYS = {
    "about",
    "environ",
    "files",
    "hosts",
    "frontends",
    "services",
    "credentials_after",
    "tokens",
    "session",
    "view",
    "views",
    "calls",
    "relays",
    "upstreams",
    "request",
    "expect",
}
EXPECT_KEYS = {
    "status",
    "headers",
    "body",
    "sent",
    "sent_in_order",
    "started",
    "within",
    "warnings",
    "problems",
}
REPLY_KEYS = {
    "status",
    "json",
    "text",
    "base64",
    "type",
    "headers",
    "after",
    "fault",
    "gzip_bomb",
    "nested",
}
METHODS = ("get", "head", "post", "put", "patch", "delete")
NO_TOKEN: Mapping[str, Callable[[str], BffError]] = {
    "sign in": LoginRequired,
    "ended": GrantEnded,
    "provider away": ProviderAway,
    "provider misconfigured": ProviderMisconfigured,
    "exchange refused": partial(NoCredentials, status=401),
    "store away": StoreAway,
}
_SERVICE = re.compile(r"\b([a-z][a-z0-9_]*):/(?!/)")
_MEASURE = re.compile(r"(\d+)(ms|s|B|KB|MB)")
_UNITS = {"ms": 0.001, "s": 1, "B": 1, "KB": 1024, "MB": 1024 * 1024}


def measure(text: str) -> float:
    found = _MEASURE.fullmatch(text)
    assert found, f"`{text}` is neither a duration such as 20ms nor a size such as 64KB"
    return float(found[1]) * _UNITS[found[2]]


@dataclass(frozen=True, slots=True)
class Upstream:
    """A request that is expected, and the reply to it."""

    method: str
    service: str
    target: str
    headers: Mapping[str, str | None]
    json: Any
    text: str | None
    replies: tuple[StubReply, ...]

    def unlike(self, asked: "SentRequest") -> list[str]:
        """How a request to the same method and target differs from the one expected."""
        wrong = [
            f"{name} is {asked.headers.get(name.lower())!r}, not {wanted!r}"
            for name, wanted in self.headers.items()
            if not like(wanted, asked.headers.get(name.lower()))
        ]
        if self.json is not ... and (not asked.body or json.loads(asked.body) != self.json):
            wrong.append(f"its body is {asked.body!r}")
        if self.text is not None and not like(self.text, asked.body.decode()):
            wrong.append(f"its body is {asked.body!r}")
        return wrong


@dataclass(frozen=True, slots=True)
class SentRequest:
    """A request as it reached a service."""

    service: str
    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    def __str__(self) -> str:
        return f"{self.method} {self.service}:{self.target}"


@dataclass(frozen=True, slots=True)
class Asked:
    """What the client asks."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Case:
    """One golden file."""

    about: str
    files: Mapping[str, str]
    services: frozenset[str]
    environ: Mapping[str, str]
    principal: Principal
    credentials_after: float
    tokens: tuple[str, ...]
    upstreams: tuple[Upstream, ...]
    asked: Asked | None
    expect: Mapping[str, Any] = field(default_factory=dict)

    def write(self, folder: Path) -> None:
        for name, text in self.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")

    def credentials(self, effect: Credentials) -> Headers:
        """The next token after the one that was rejected, or the error in its place."""
        if not self.tokens:
            return ()
        rejected = [value.removeprefix("Bearer ") for _, value in effect.rejected]
        token = self.tokens[self.tokens.index(rejected[0]) + 1 if rejected else 0]
        if token in NO_TOKEN:
            raise NO_TOKEN[token](token)
        return (("authorization", f"Bearer {token}"),)

    def upstream_of(self, asked: SentRequest) -> Upstream | str:
        """The upstream that answers a request, or why the file has none for it."""
        reasons = []
        for each in self.upstreams:
            if (each.method, each.service, each.target) == (
                asked.method,
                asked.service,
                asked.target,
            ):
                unlike = each.unlike(asked)
                if not unlike:
                    return each
                reasons += unlike
        return f"no upstream for {asked}" + "".join(f"; {reason}" for reason in reasons)


def like(wanted: str | None, found: str | None) -> bool:
    """Whether a text is as wanted: the same, or what an expression between slashes describes."""
    if wanted is not None and found is not None and re.fullmatch("/.+/", wanted, re.DOTALL):
        return re.fullmatch(wanted[1:-1], found, re.DOTALL) is not None
    return wanted == found


def read_case(path: Path) -> Case:
    """Read a golden file; a key that is not known is a mistake."""
    text = path.read_text(encoding="utf-8")
    root = yaml.compose(text, Loader=yaml.BaseLoader)
    assert isinstance(root, yaml.MappingNode), f"{path.name} is a mapping"
    given = _plain(root)
    nodes = {key.value: value for key, value in root.value}
    _known(given, KEYS, path.name)
    assert given["about"].endswith("."), "`about` is a sentence"
    expect = given["expect"]
    _known(expect, EXPECT_KEYS, "expect")
    assert not [name for name in expect.get("headers", {}) if "=" in name], "a value needs quotes"
    files = dict(given.get("files", {}))
    if "view" in nodes:
        files["views/page.yaml"] = _as_written(text, nodes["view"])
    for folder in ("views", "calls", "relays"):
        for key, value in nodes[folder].value if folder in nodes else ():
            files[f"{folder}/{key.value}.yaml"] = _as_written(text, value)
    services = dict.fromkeys(_services(files, given)) | given.get("services", {})
    if "bff.yaml" not in files:
        files["bff.yaml"] = _root(given, services)
    return Case(
        about=given["about"],
        files=files,
        services=frozenset(services),
        environ=given.get("environ", {}),
        principal=_principal(given.get("session")),
        credentials_after=measure(given.get("credentials_after", "0ms")),
        tokens=tuple(given.get("tokens", ())),
        upstreams=tuple(_upstream(each) for each in given.get("upstreams", [])),
        asked=_asked(given["request"]) if "request" in given else None,
        expect=expect,
    )


def _known(given: Mapping[str, Any], keys: set[str], what: str) -> None:
    assert not given.keys() - keys, f"{what} has unknown keys: {sorted(given.keys() - keys)}"


def _plain(node: yaml.Node) -> Any:
    """A value, its scalars read by the same rules as the language's own."""
    if isinstance(node, yaml.MappingNode):
        content = {str(key.value): _plain(value) for key, value in node.value}
        assert len(content) == len(node.value), f"a key stands twice in {node.start_mark}"
        return content
    if isinstance(node, yaml.SequenceNode):
        return [_plain(each) for each in node.value]
    return node.value if node.style else core_scalar(node.value)


def _as_written(text: str, node: yaml.Node) -> str:
    """The text of a node, moved to the left edge: its first line is line 1."""
    start, end = node.start_mark, node.end_mark
    if isinstance(node, yaml.ScalarNode):
        return str(node.value)
    return dedent(" " * start.column + text[start.index : end.index])


def _services(files: Mapping[str, str], given: Mapping[str, Any]) -> list[str]:
    texts = [text for name, text in files.items() if name != "bff.yaml"]
    texts += [each[key] for each in given.get("upstreams", []) for key in each if key in METHODS]
    return sorted({name for text in texts for name in _SERVICE.findall(text)})


def _root(given: Mapping[str, Any], services: Mapping[str, Any]) -> str:
    frontends = {"web": {"access": "session" if "session" in given else "none"}}
    content = {
        "version": 1,
        **({"hosts": given["hosts"]} if "hosts" in given else {}),
        "frontends": given.get("frontends", frontends),
        "services": {
            name: {"url": f"${{{name.upper()}_URL}}", **(declared or {})}
            for name, declared in services.items()
        },
    }
    return json.dumps(content, indent=1)


def _principal(session: Mapping[str, Any] | None) -> Principal:
    if session is None:
        return NOBODY
    return Principal(
        issuer="https://issuer.test", subject=session["sub"], claims=session.get("claims", {})
    )


def _upstream(given: Mapping[str, Any]) -> Upstream:
    method = next(key for key in given if key in METHODS)
    _known(given, {method, "headers", "json", "text", "reply"}, "an upstream")
    service, _, target = given[method].partition(":")
    wanted = given.get("json", ...)
    replies = given["reply"] if isinstance(given["reply"], list) else [given["reply"]]
    headers, text = given.get("headers", {}), given.get("text")
    played = tuple(_reply(each) for each in replies)
    return Upstream(method.upper(), service, target, headers, wanted, text, played)


def _reply(given: Mapping[str, Any]) -> StubReply:
    _known(given, REPLY_KEYS, "a reply")
    body, extra = b"", []
    if "json" in given:
        body = json.dumps(given["json"]).encode()
    elif "text" in given:
        body = given["text"].encode()
    elif "base64" in given:
        body = base64.b64decode(given["base64"])
    elif "gzip_bomb" in given:
        body = gzip.compress(b" " * int(measure(given["gzip_bomb"])))
        extra = [("Content-Encoding", "gzip")]
    elif "nested" in given:
        body = b"[" * given["nested"] + b"]" * given["nested"]
    kind = given.get("type", "application/json" if body else None)
    headers = [("Content-Type", kind)] if kind else []
    headers += [*extra, *given.get("headers", {}).items()]
    delay = measure(given.get("after", "0ms"))
    return StubReply(given.get("status", 200), headers, body, delay, given.get("fault"))


def _asked(given: Any) -> Asked:
    if isinstance(given, str):
        method, target = given.split(" ", 1)
        return Asked(method, target, [])
    method = next(key for key in given if key in (*METHODS, "options"))
    _known(given, {method, "headers", "json", "text"}, "a request")
    text = json.dumps(given["json"]) if "json" in given else given.get("text", "")
    headers = {"Content-Type": "application/json"} if text else {}
    headers |= given.get("headers", {})
    named = [(name, value) for name, value in headers.items() if value is not None]
    return Asked(method.upper(), given[method], named, text.encode())
