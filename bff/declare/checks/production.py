"""Checks for production: secrets, origins and settings that are acceptable in development only.

`bff serve` rejects them, `bff check` warns of them, and `bff dev` accepts them.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from ipaddress import ip_network
from itertools import pairwise
from typing import Final
from urllib.parse import urlsplit

from bff.declare.load import Node, is_reference, without_references
from bff.model.config import Config
from bff.model.problem import Problem
from bff.model.source import Place

_LOOPBACK: Final = {"localhost", "127.0.0.1", "::1"}
_STATIC: Final = (("credentials", "basic", "password"), ("credentials", "api_key", "value"))
_SECRETS: Final = (  # paths of secrets in bff.yaml; `*` is any name, or any item
    ("session", "secrets", "*"),
    ("providers", "*", "client_secret"),
    ("providers", "*", "private_key"),
    *(("services", "*", *path) for path in _STATIC),
)
_STORES: Final = (("session", "store"), ("cache", "store"))  # URLs that may contain a password
_LEAST: Final = 16  # characters: more than brute force can try
_PLACEHOLDER: Final = re.compile(
    r"change|replace|place|holder|example|sample|secret|passw(or)?d|default|insecure|unsafe|unset"
    r"|todo|fixme|dummy|super|session|client|token|your|this|here|some|test|demo|key|the|my|me|x{3,}"
)
_PASSWORD: Final = re.compile(r"://[^/@]*:[^/@]+@|[?&]sentinel_password=[^&$]")
_FEW: Final = 6  # minimum of letters and digits besides such words, and of different characters
_HINT: Final = (
    "refer to a random value: `${NAME}`, or `${file:/run/secrets/name}`; `openssl rand -base64 32`"
    " makes one"
)
_FALSE: Final = {"", "0", "false", "no"}  # Flask reads any other value as true


def unsafe_secrets(root: Node, relays: Iterable[Node] = ()) -> Iterator[Problem]:
    """Secrets of bff.yaml and of relays that are written in the file, or can be guessed.

    Args:
        root: `bff.yaml`.
        relays: the files of `relays/`.
    """
    places = [(root, path) for path in _SECRETS]
    places += [(relay, path) for relay in relays for path in _STATIC]
    for top, path in places:
        for name, node in _at(top, path):
            if reason := _weakness(node, name):
                yield _unsafe("unsafe-secret", node.place, reason, _HINT)
    for name, node in (found for path in _STORES for found in _at(root, path)):
        written = node.raw if _default(node) == node.raw else without_references(node.written)
        if _PASSWORD.search(written):
            message = f"the password of `{name}` is in this file: all of its readers know it"
            yield _unsafe(
                "unsafe-secret", node.place, message, "refer to it: `redis://:${PASSWORD}@…`"
            )


def unsafe_origins(config: Config) -> Iterator[Problem]:
    """Origins of frontends with sessions that are not https."""
    for frontend in config.frontends.values():
        for origin in frontend.origins if "session" in frontend.access else ():
            if _is_plain(origin):
                message = f"`{origin}` is not https: its pages can be modified in transit"
                hint = "`https://…`, or remove the origin"
                yield _unsafe("unsafe-address", frontend.place, message, hint)


def unsafe_settings(environ: Mapping[str, str]) -> Iterator[Problem]:
    """Environment variables that are for development, or trust every client."""
    place = Place("environment")
    if environ.get("FLASK_DEBUG", "").lower() not in _FALSE:
        message = "FLASK_DEBUG is set: tracebacks would be shown to clients"
        yield _unsafe("unsafe-setting", place, message, "unset it; `bff dev` is for development")
    if environ.get("BFF_LOCAL"):
        message = "BFF_LOCAL is set: it is reserved for the processes of `bff dev` and `bff demo`"
        yield _unsafe("unsafe-setting", place, message, "unset it")
    for proxy in environ.get("FORWARDED_ALLOW_IPS", "").replace(" ", "").split(","):
        if _is_any_address(proxy):
            message = (
                f"FORWARDED_ALLOW_IPS has `{proxy}`: every client could forge X-Forwarded headers"
            )
            yield _unsafe(
                "unsafe-setting",
                place,
                message,
                "the addresses or networks of the proxies: `10.0.0.0/8`",
            )


def _weakness(node: Node, path: str) -> str:
    """Why a secret is unsafe; empty if it is not. The text does not contain the secret."""
    reason = ""
    if not node.raw:
        pass  # not declared
    elif not is_reference(node.written):
        reason = f"`{path}` is in this file: all of its readers know it"
    elif _default(node) == node.raw:
        reason = f"`{path}` is the default in this file: all of its readers know it"
    elif path.endswith("private_key"):
        pass  # checked where the key is parsed
    elif _is_placeholder(node.raw):
        reason = f"`{path}` looks like a placeholder, which can be guessed"
    elif "credentials" not in path and len(node.raw) < _LEAST:
        reason = f"`{path}` has fewer than {_LEAST} characters, so it can be guessed"
    return reason


def _default(node: Node) -> str:
    """The default of a reference: `x` of `${NAME:-x}`."""
    return node.written.partition(":-")[2].removesuffix("}") if is_reference(node.written) else ""


def _is_placeholder(secret: str) -> bool:
    text = secret.lower()
    own = re.sub(r"[\W_]", "", _PLACEHOLDER.sub("", text))
    steps = [ord(after) - ord(before) for before, after in pairwise(text)]
    runs = sum(step in {-1, 0, 1} for step in steps)
    return (
        len(own) < _FEW
        or len(set(text)) < _FEW
        or text in (text + text)[1:-1]  # a repeated text: abcabc
        or 4 * runs > 3 * len(steps)  # sequences and runs: 0123456789, aaaa
    )


def _is_any_address(proxy: str) -> bool:
    """True if an entry of FORWARDED_ALLOW_IPS, as gunicorn reads it, has every address."""
    try:
        return proxy == "*" or ip_network(proxy, strict=False).prefixlen == 0
    except ValueError:
        return False


def _is_plain(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme == "http" and parts.hostname not in _LOOPBACK


def _at(node: Node, path: tuple[str, ...], name: str = "") -> Iterator[tuple[str, Node]]:
    """The nodes at a path, each with its full name.

    Args:
        path: keys, in which `*` is any key or item.
    """
    if not path:
        yield name, node
    elif isinstance(node.value, list):
        for item in node.value if path[0] == "*" else ():
            yield from _at(item, path[1:], name)
    elif isinstance(node.value, dict):
        for key, child in node.value.items():
            if path[0] in {"*", key}:
                yield from _at(child, path[1:], f"{name}.{key}".lstrip("."))


def _unsafe(rule: str, place: Place, message: str, hint: str) -> Problem:
    return Problem(rule, place, message, hint, warning=True, unsafe=True)
