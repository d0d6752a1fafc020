"""Readers of values that several tables use: names, header names, addresses."""

import re
from typing import Final
from urllib.parse import urlsplit

from bff.declare.load import Node
from bff.declare.read import Reader, map_of, source, text, wrong

NAME: Final = text(
    "[a-z][a-z0-9_]*", "a name", "lower-case letters, digits and `_`, a letter first"
)
# Parameters and fields: identifiers that JMESPath accepts without quotes.
FIELD: Final = text("[A-Za-z_][A-Za-z0-9_]*", "a name", "letters, digits and `_`, no digit first")
FRONTEND_NAME: Final = text(
    "[a-z][a-z0-9-]*", "the name of a frontend", "it is a URL prefix, in lower case: `web`"
)
_TOKEN: Final = "[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105  (RFC 9110, section 5.6.2)

HOP_BY_HOP: Final = frozenset(  # RFC 9110, section 7.6.1, and its predecessors
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
_FRAMING: Final = frozenset(
    {"host", "content-length", "content-encoding", "expect", "accept-encoding"}
)
_CREDENTIALS: Final = frozenset({"cookie", "authorization", "x-csrf"})
# set for the answer as a whole: the header of one upstream would be wrong
_OWN: Final = frozenset(
    {"content-type", "bff-calls", "server-timing", "x-request-id", "date", "server"}
)


def _header(refused: frozenset[str], why: str, prefix: str = "\0") -> Reader:
    form = text(_TOKEN, "the name of a header")

    def read(node: Node) -> str:
        name: str = form.read(node).lower()
        if "*" in name:
            hint = "list each header by its name: `[x-app-version, x-device]`"
            raise wrong(
                "wrong-value", node.place, f"`{name}`: patterns are not supported here", hint
            )
        if name in refused or name.startswith(prefix):
            raise wrong("wrong-value", node.place, f"the header `{name}` {why}")
        return name

    return Reader(read, form.schema)


REQUEST_HEADER: Final = _header(
    HOP_BY_HOP | _FRAMING, "belongs to one connection or message: it cannot be forwarded"
)
FORWARDED_HEADER: Final = _header(
    HOP_BY_HOP | _FRAMING | _CREDENTIALS | {"content-type"},
    "concerns this connection or application: it cannot be forwarded (see `credentials`)",
)
REPLY_HEADER: Final = _header(
    HOP_BY_HOP | _FRAMING | _OWN,
    "is set for the answer as a whole: it cannot be passed on",
    "access-control-",
)
_COMPUTED: Final = frozenset(
    {"accept-ranges", "content-disposition", "content-range", "link", "retry-after"}
)
# What browsers protect the user by, and what proxies and servers act upon.
_SECURITY: Final = re.compile(
    r"x-(accel-.*|forwarded-.*|sendfile|lighttpd-.*|real-ip|reproxy-.*|original-.*|rewrite-.*"
    r"|content-type-options|frame-options|xss-protection|dns-prefetch-control|download-options"
    r"|permitted-cross-domain-policies|content-security-policy|webkit-csp|csrf|request-id)"
)


def _computed_header(node: Node) -> str:
    name: str = text(_TOKEN, "a header's name").read(node).lower()
    own = name.startswith("x-") and not _SECURITY.fullmatch(name)
    if name not in _COMPUTED and not own:
        hint = f"`X-…`, {', '.join(sorted(_COMPUTED))}"
        raise wrong("wrong-value", node.place, f"no view computes the header `{name}`", hint)
    return name


COMPUTED_HEADERS: Final = map_of(source(), Reader(_computed_header))
_TEMPLATES: Final = map_of(source("a template"), REQUEST_HEADER)
HEADERS: Final = Reader(lambda node: tuple(_TEMPLATES.read(node).items()), _TEMPLATES.schema)


_HOST: Final = re.compile(r"(?:[a-z0-9_-]{1,63}\.)*[a-z0-9_-]{1,63}\.?|[0-9a-f:.]+", re.IGNORECASE)


def _address(node: Node) -> str:
    value, shown = node.raw, node.written
    hint = 'such as "http://users.internal:8000"'
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        raise wrong(
            "wrong-value", node.place, f"`{shown}` is not an http or https address", hint
        ) from None
    if parts.scheme not in {"http", "https"} or not parts.hostname or port == 0:
        raise wrong("wrong-value", node.place, f"`{shown}` is not an http or https address", hint)
    if parts.username or parts.password or "@" in parts.netloc:
        raise wrong(
            "wrong-value",
            node.place,
            "an address cannot contain a user name or password",
            "use `credentials`",
        )
    if parts.query or parts.fragment or "?" in value or "#" in value:
        raise wrong(
            "wrong-value", node.place, f"the address `{shown}` has a query or a fragment", hint
        )
    if not _HOST.fullmatch(parts.hostname) or re.search(
        r"[\s\\]|/\.{1,2}(/|$)|[^\x21-\x7e]", value
    ):
        raise wrong("wrong-value", node.place, f"`{shown}` is not an http or https address", hint)
    return value.rstrip("/")


ADDRESS: Final = Reader(_address, {"type": "string", "format": "uri"})
ORIGIN: Final = text(  # as browsers serialize it (RFC 6454, section 6.2): without a default port
    r"(https://[a-z0-9.-]+(?!:443$)|http://[a-z0-9.-]+(?!:80$))(:\d+)?",
    "an exact origin",
    'as browsers write it: "https://shop.example"',
)
