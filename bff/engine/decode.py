"""Decodes the replies of a call: the value of a reply, or the error in its place."""

import base64
import codecs
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from xml.parsers import expat

import orjson
import xmltodict

from bff.engine.decoded_size import decoded_size
from bff.errors import BadReply, BadStatus
from bff.model.exchange import Reply
from bff.model.json_text import decode_json
from bff.model.untrusted import http_date
from bff.plan.compile import CompiledCall
from bff.plan.page_links import page_of
from bff.upstream.memory import Lease

_FIRST_FAILURE: Final = 300  # a redirect that is not followed is a failure
_OK: Final = 200
_WITHOUT_BODY: Final = frozenset({204, 205})  # RFC 9110, sections 15.3.5 and 15.3.6
# seconds, or an IMF-fixdate (RFC 9110, sections 5.6.7 and 10.2.3)
_RETRY_AFTER: Final = re.compile(
    r"\d{1,9}|[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT", re.ASCII
)
_NEVER_A_VALUE: Final = frozenset({"set-cookie", "set-cookie2"})
_CHARSETS: Final = re.compile(
    r"ascii|utf-(8|16|32)(-\w+)*|iso8859-\d+|cp\d+|koi8-\w|big5\w*|gb\w+|shift_jis\w*|euc_\w+"
)
_XML: Final = frozenset({"application/xml", "text/xml"})


@dataclass(frozen=True, slots=True)
class StatusValue:
    """The value that a call declares for a status; each item of the request gets a copy."""

    value: Any


def read_reply(call: CompiledCall, reply: Reply, lease: Lease | None = None) -> Any:
    """The value of a reply: a `Page` of a paginated list, a `StatusValue`, or the decoded body.

    Args:
        lease: counts the bytes that the value takes.

    Raises:
        BadStatus: the status is a failure, and the call declares no value for it.
        MemoryReached: the process has no memory for the value.
        BadReply: the body is not in the declared format.
        Unfillable: `select` cannot be computed.
    """
    if reply.status in call.statuses:
        return StatusValue(orjson.loads(call.statuses[reply.status]))
    if reply.status in call.call.keeps:
        return _full(reply, _decoded_or_none(call, reply, lease))
    if not _OK <= reply.status < _FIRST_FAILURE:
        raise bad_status(reply)
    value = _decoded(call, reply, lease)
    if call.call.full:
        value = _full(reply, value)
    selected = call.select.value(value) if call.select else value
    return page_of(call.paging, value, selected, reply) if call.paging else selected


def bad_status(reply: Reply) -> BadStatus:
    """The error of a reply with a failure status, with its Retry-After if that is valid."""
    after = (reply.header("retry-after") or "").strip()
    if not _RETRY_AFTER.fullmatch(after) or not (after.isdigit() or http_date(after)):
        after = ""
    return BadStatus(reply.status, after)


def connection_names(reply: Reply) -> frozenset[str]:
    """The headers that `Connection` names: they are not forwarded (RFC 9110, section 7.6.1)."""
    named = reply.header("connection") or ""
    return frozenset(token.strip().lower() for token in named.split(","))


def _full(reply: Reply, body: Any) -> dict[str, Any]:
    """A reply as an object of its status, headers and body."""
    headers: dict[str, str] = {}
    for name, value in reply.headers:
        if name not in _NEVER_A_VALUE:
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return {"status": reply.status, "headers": headers, "body": body}


def _decoded_or_none(call: CompiledCall, reply: Reply, lease: Lease | None) -> Any:
    """The decoded body of a failure; null where it has another format, as of a proxy's page."""
    try:
        return _decoded(call, reply, lease)
    except BadReply:
        return None


def _decoded(call: CompiledCall, reply: Reply, lease: Lease | None) -> Any:
    if lease:
        lease.add(decoded_size(call.call.decode, reply.body))
    if reply.body:
        return _DECODERS[call.call.decode](reply)
    if _is_body_missing(call, reply):
        raise BadReply("the reply is JSON or XML by its content type, and has no body")
    return None


def _is_body_missing(call: CompiledCall, reply: Reply) -> bool:
    """True if an empty reply is an error: its Content-Type promises a value, which is read.

    The empty reply to a write is none: the write was done, and an error would have it sent again.
    """
    declared = call.call
    if call.unread or not declared.safe or declared.method == "HEAD":
        return False
    if declared.decode not in {"json", "xml"} or reply.status in _WITHOUT_BODY:
        return False
    media_type = _media_type(reply, "")
    return _is_json(media_type) or _is_xml(media_type)


def _media_type(reply: Reply, default: str) -> str:
    return (reply.header("content-type") or default).split(";")[0].strip().lower()


def _is_json(media_type: str) -> bool:
    return media_type == "application/json" or media_type.endswith("+json")


def _is_xml(media_type: str) -> bool:
    return media_type in _XML or media_type.endswith("+xml")


def _json(reply: Reply) -> Any:
    media_type = _media_type(reply, "application/json")
    if not _is_json(media_type):
        raise BadReply("the reply is not JSON by its content type")
    try:
        return decode_json(reply.body, halves=True)
    except ValueError as error:
        raise BadReply(f"the reply is not JSON: {error}") from None


def _text(reply: Reply) -> str:
    _, _, given = (reply.header("content-type") or "").lower().partition("charset=")
    charset = given.split(";")[0].strip().strip('"') or "utf-8"
    try:
        known = _CHARSETS.fullmatch(codecs.lookup(charset).name)
        text = reply.body.decode(charset if known else "unknown")
        text.encode()  # some codecs decode to lone surrogates, which JSON cannot contain
    except (LookupError, ValueError):
        raise BadReply("the reply is not text in the charset of its Content-Type") from None
    return text.removeprefix("\ufeff")  # the byte order mark is not part of the text


def _xml(reply: Reply) -> Any:
    """Elements as xmltodict maps them; a document that declares entities is refused."""
    media_type = _media_type(reply, "application/xml")
    if not _is_xml(media_type):
        raise BadReply("the reply is not XML by its content type")
    try:
        value = xmltodict.parse(reply.body, expat=_Expat, disable_entities=True)
        orjson.dumps(value)  # refuses a document that is nested too deeply for JSON
    except Exception as error:  # noqa: BLE001  (expat's, xmltodict's and Python's own)
        raise BadReply(f"the reply is not XML: {type(error).__name__}") from None
    return value


class _Expat:
    """A parser factory for xmltodict: its parsers refuse a DTD, which may declare entities."""

    ExpatError = expat.ExpatError

    @staticmethod
    def ParserCreate(encoding: str | None, separator: str) -> Any:  # noqa: N802  (expat's name)
        """A parser, as xmltodict asks for one."""
        parser = expat.ParserCreate(encoding, separator)
        parser.StartDoctypeDeclHandler = _refuse_declarations
        return parser


def _refuse_declarations(
    _name: str,
    system: str | None,
    public: str | None,
    has_declarations: bool,  # noqa: FBT001 - as expat calls it
) -> None:
    if has_declarations or system or public:
        raise ValueError("the document has a DTD")


_DECODERS: Final[Mapping[str, Callable[[Reply], Any]]] = {
    "json": _json,
    "text": _text,
    "xml": _xml,
    "bytes": lambda reply: base64.b64encode(reply.body).decode(),
    "none": lambda _: None,
}
