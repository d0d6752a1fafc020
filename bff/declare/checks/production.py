"""What `bff serve` refuses though it can be served: nothing of it belongs into production.

`bff check` warns of it, and `bff dev` goes on. Each problem says where it stands, and why.
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
_SECRETS: Final = (  # where secrets stand in bff.yaml; `*` is any name, or any item
    ("session", "secrets", "*"),
    ("providers", "*", "client_secret"),
    ("providers", "*", "private_key"),
    *(("services", "*", *each) for each in _STATIC),
)
_STORES: Final = (("session", "store"), ("cache", "store"))  # addresses: there may be a password
_LEAST: Final = 16  # characters: what nobody tries out
_FILLER: Final = re.compile(
    r"change|replace|place|holder|example|sample|secret|passw(or)?d|default|insecure|unsafe|unset"
    r"|todo|fixme|dummy|super|session|client|token|your|this|here|some|test|demo|key|the|my|me|x{3,}"
)
_PASSWORD: Final = re.compile(r"://[^/@]*:[^/@]+@|[?&]sentinel_password=[^&$]")
_FEW: Final = 6  # letters and digits of one's own beside such words, and different ones in all
_HINT: Final = (
    "refer to a random one: `${NAME}`, or `${file:/run/secrets/name}`; `openssl rand -base64 32`"
    " makes one"
)
_NO: Final = {"", "0", "false", "no"}  # whatever else it says, Flask takes for yes


def unsafe_secrets(root: Node, relays: Iterable[Node] = ()) -> Iterator[Problem]:
    """Secrets of bff.yaml, and of the relays' own files, that others know, or can guess."""
    places = [(root, path) for path in _SECRETS]
    places += [(relay, path) for relay in relays for path in _STATIC]
    for top, path in places:
        for name, node in _at(top, path):
            if reason := _why_not(node, name):
                yield _unsafe("unsafe-secret", node.place, reason, _HINT)
    for name, node in (found for path in _STORES for found in _at(root, path)):
        written = node.raw if _default(node) == node.raw else without_references(node.written)
        if _PASSWORD.search(written):
            message = f"the password in `{name}` is written in this file: whoever reads it has it"
            yield _unsafe(
                "unsafe-secret", node.place, message, "refer to it: `redis://:${PASSWORD}@…`"
            )


def unsafe_places(config: Config) -> Iterator[Problem]:
    """Addresses by which somebody on the way could speak for those we trust."""
    for frontend in config.frontends.values():
        for origin in frontend.origins if "session" in frontend.access else ():
            if _is_plain(origin):
                message = (
                    f"the pages of `{origin}` are not https: anybody on the way can change them"
                )
                hint = "`https://…`, or none of these origins"
                yield _unsafe("unsafe-address", frontend.place, message, hint)


def unsafe_settings(environ: Mapping[str, str]) -> Iterator[Problem]:
    """What is set around the configuration, and lets anybody in or see too much."""
    place = Place("environment")
    if environ.get("FLASK_DEBUG", "").lower() not in _NO:
        message = "FLASK_DEBUG is set: what goes wrong would be shown to whoever asks"
        yield _unsafe("unsafe-setting", place, message, "unset it; `bff dev` is for development")
    if environ.get("BFF_LOCAL"):
        message = "BFF_LOCAL is set: it is how `bff dev` and `bff demo` tell their processes apart"
        yield _unsafe("unsafe-setting", place, message, "unset it")
    for each in environ.get("FORWARDED_ALLOW_IPS", "").replace(" ", "").split(","):
        if _is_everybody(each):
            message = f"FORWARDED_ALLOW_IPS has `{each}`: anybody may say who they are"
            yield _unsafe(
                "unsafe-setting", place, message, "the proxies' addresses or networks: `10.0.0.0/8`"
            )


def _why_not(node: Node, path: str) -> str:
    """Why a secret is none; nothing if it may be one. It is not shown."""
    reason = ""
    if not node.raw:
        pass  # it is not declared
    elif not is_reference(node.written):
        reason = f"`{path}` is written in this file: whoever reads it has the secret"
    elif _default(node) == node.raw:
        reason = f"`{path}` is the default in this file: whoever reads it has the secret"
    elif path.endswith("private_key"):
        pass  # it is read as what it is
    elif _is_filler(node.raw):
        reason = f"`{path}` is a placeholder: it can be guessed"
    elif "credentials" not in path and len(node.raw) < _LEAST:
        reason = f"`{path}` has fewer than {_LEAST} characters: it can be guessed"
    return reason


def _default(node: Node) -> str:
    """What stands in the file for a reference to nothing."""
    return node.written.partition(":-")[2].removesuffix("}") if is_reference(node.written) else ""


def _is_filler(secret: str) -> bool:
    text = secret.lower()
    own = re.sub(r"[\W_]", "", _FILLER.sub("", text))
    steps = [ord(after) - ord(before) for before, after in pairwise(text)]
    runs = sum(step in {-1, 0, 1} for step in steps)
    return (
        len(own) < _FEW
        or len(set(text)) < _FEW
        or text in (text + text)[1:-1]  # it repeats itself
        or 4 * runs > 3 * len(steps)  # 0123456789…
    )


def _is_everybody(proxy: str) -> bool:
    """Whether an address or a network, as gunicorn reads it, is that of whoever asks."""
    try:
        return proxy == "*" or ip_network(proxy, strict=False).prefixlen == 0
    except ValueError:
        return False


def _is_plain(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme == "http" and parts.hostname not in _LOOPBACK


def _at(node: Node, path: tuple[str, ...], name: str = "") -> Iterator[tuple[str, Node]]:
    """What stands at a path, by its name."""
    if not path:
        yield name, node
    elif isinstance(node.value, list):
        for each in node.value if path[0] == "*" else ():
            yield from _at(each, path[1:], name)
    elif isinstance(node.value, dict):
        for key, each in node.value.items():
            if path[0] in {"*", key}:
                yield from _at(each, path[1:], f"{name}.{key}".lstrip("."))


def _unsafe(rule: str, place: Place, message: str, hint: str) -> Problem:
    return Problem(rule, place, message, hint, warning=True, unsafe=True)
