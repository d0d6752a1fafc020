"""A parser of one reply, with llhttp (httptools) and the message framing that llhttp lacks.

llhttp does not know the request, parses bytes after the end of the reply, and does not see the end
of the connection. So this parser decides where the reply ends (RFC 9112, section 6.3): after the
headers (HEAD, 204, 304), after Content-Length bytes, after the last chunk, or with the connection.
"""

import re
from io import BytesIO
from typing import Final, Literal

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from bff.errors import BadReply, BffError, TooMany
from bff.model.exchange import Headers
from bff.model.untrusted import whole_number
from bff.upstream.memory import Lease, Memory

# The maximum bytes of a head, trailers or chunk extensions; the limit that httpcore sets for h11.
MOST_HEAD: Final = 100 * 1024
_FRAMING: Final = frozenset({b"content-length", b"transfer-encoding"})
_FIRST: Final = b"H"
_NO_STATUS_LINE: Final = "the reply does not begin with a status line"
_BLANK: Final = b"\r\n\r\n"
_REASON: Final = re.compile(rb"[\t -~\x80-\xff]*")
_CONTINUE: Final = 100
_OK: Final = 200
_SWITCHING: Final = 101  # an upgrade, which is never requested
_WITHOUT_BODY: Final = frozenset({204, 304})  # whatever their Content-Length is
_VERSIONS: Final = frozenset({"1.0", "1.1"})
_LONGEST: Final = 2**62

Framing = Literal["head", "length", "chunks", "connection"]


class ReplyParser:
    """Parses one reply incrementally; it cannot be used after an exception.

    Args:
        method: the method of the request; a reply to HEAD has no body.
        limit: the maximum bytes of the body, before decoding.
        lease: accounts for the bytes of the body as they are received.

    Attributes:
        complete: the reply is complete.
        surplus: bytes were received after the reply; its connection must be closed.
        has_begun: a part of the reply was received.
        has_head: the final head was received; `status` and `headers` are set.
        size: received bytes of the body.
        lease: accounts for the body.
    """

    def __init__(self, method: str, limit: int, memory: Memory, lease: Lease) -> None:
        self._parser: HttpResponseParser | None = HttpResponseParser(self)
        self._is_head, self._limit = method == "HEAD", limit
        self._memory, self.lease = memory, lease
        self.status, self._version = 0, ""
        self.headers: Headers = ()
        self.complete = self.surplus = self.has_head = False
        self._interim = self.has_begun = False
        self._framing: Framing = "head"
        self._raw: list[tuple[bytes, bytes]] = []
        self._body: bytes | BytesIO = b""
        self.size = self._leased = 0  # bytes of the body
        self._overhead = 0  # bytes since the last of the body, or since the start
        self._head = b""  # bytes of incomplete heads
        self._heads = 0  # completed by the last `feed`, 1xx included
        self._after_head = 0  # bytes since the final head
        self._error: BffError | None = None

    @property
    def body(self) -> bytes:
        """The body, before decoding."""
        return self._body if isinstance(self._body, bytes) else self._body.getvalue()

    @property
    def keeps_connection(self) -> bool:
        """Whether the connection can be reused (RFC 9112, section 9.3)."""
        if not self.complete or self.surplus or self._framing == "connection":
            return False
        options = ",".join(value for name, value in self.headers if name == "connection")
        closes = "close" in {each.strip().lower() for each in options.split(",")}
        return not closes and self._version == "1.1"

    @property
    def ends_with_connection(self) -> bool:
        """Whether the reply is delimited by the end of the connection."""
        return self.has_head and self._framing == "connection"

    def feed(self, data: bytes) -> None:
        """Parse received bytes.

        Raises:
            BadReply: they are not a valid reply.
            TooMany: the body exceeds its limit, or the memory budget of the process.
        """
        self.has_begun = True
        before, in_head = self.size, not self.has_head
        self._overhead += len(data)
        if in_head:
            self._head += data
        else:
            self._after_head += len(data)
        try:
            self._llhttp.feed_data(data)
        except (HttpParserError, HttpParserUpgrade) as error:
            if not self.complete:
                raise BadReply(type(error).__name__) from None  # the text would quote the reply
            self.surplus = True
        if in_head:
            self._leave_heads()
        if self._error is not None:
            raise self._error
        if self.size > self._limit:
            raise TooMany(f"the reply has more than {self._limit} bytes")
        if self.size > before:
            self.lease.add(self.size - before)
        if self.complete:
            self.surplus = self.surplus or self._has_rest(data)
        elif self._overhead > MOST_HEAD:
            raise BadReply("the reply's head, trailers or chunk extensions are too long")

    def _leave_heads(self) -> None:
        """Check where heads begin, since llhttp skips empty lines, and drop complete heads.

        Raises:
            BadReply: a head does not begin with a status line.
        """
        at = 0
        for _ in range(self._heads):
            if not self._head.startswith(_FIRST, at):
                raise BadReply(_NO_STATUS_LINE)
            at = self._head.find(_BLANK, at) + len(_BLANK)
        rest = len(self._head) - at
        if self.has_head:
            self._head, self._after_head = b"", rest
        elif self._head[at : at + 1] not in (b"", _FIRST):
            raise BadReply(_NO_STATUS_LINE)
        elif at:
            self._head = self._head[at:]
        self._heads = 0

    def _has_rest(self, data: bytes) -> bool:
        """Whether the received bytes continue after the end of the reply.

        llhttp ignores empty lines after a reply. After a chunked body, whose end may have been
        split over several reads, the answer is True if in doubt.
        """
        if self._framing == "chunks":
            return not data.endswith(_BLANK) or data.endswith(b"\r\n" + _BLANK)
        return self._after_head != self.size

    def close(self) -> None:
        """Drop llhttp, whose reference cycle would keep the body until garbage collection."""
        self._parser = None

    @property
    def _llhttp(self) -> HttpResponseParser:
        if self._parser is None:
            raise ValueError("the parser is closed")
        return self._parser

    def end(self) -> bool:
        """Handle the end of the connection; returns whether the reply is complete."""
        if self.ends_with_connection:
            self.complete = True
        return self.complete

    # -- callbacks of llhttp, which must not raise ------------------------------------------------

    def on_message_begin(self) -> None:
        """A message begins: the reply, a reply after a 1xx, or surplus."""
        if self.complete:
            self.surplus = True

    def on_status(self, reason: bytes) -> None:
        """Check the reason phrase, which llhttp does not (RFC 9112, section 4)."""
        if not _REASON.fullmatch(reason):
            self._error = self._error or BadReply("the reason phrase has control characters")

    def on_header(self, name: bytes, value: bytes) -> None:
        """Store a header; a trailer is dropped (RFC 9110, section 6.5.1)."""
        if not self.has_head:
            self._raw.append((name, value))

    def on_headers_complete(self) -> None:
        """The head is complete."""
        if self.has_head:
            return
        self._heads += 1
        status = self._llhttp.get_status_code()
        if _CONTINUE <= status < _OK and status != _SWITCHING:
            self._interim = True
            if any(name.lower() in _FRAMING for name, _ in self._raw):
                self._error = BadReply("an informational reply is framed as if it had a body")
            return
        self.status, self.has_head = status, True
        self._version = self._llhttp.get_http_version()
        self.headers = tuple(
            (name.decode("latin-1").lower(), value.decode("latin-1").strip(" \t"))
            for name, value in self._raw
        )
        try:
            self._framing = self._framed()
        except BffError as error:
            self._error = error
        self.complete = self._framing == "head" and self._error is None

    def on_chunk_header(self) -> None:
        """A chunk begins."""
        if self.complete:
            self.surplus = True

    def on_body(self, data: bytes) -> None:
        """A part of the body."""
        self._overhead = 0
        if self.complete:
            self.surplus = True
        elif self._interim:
            self._error = self._error or BadReply("an informational reply has a body")
        elif self._error is None and self.size <= self._limit:
            self._append(data)

    def on_message_complete(self) -> None:
        """A message is complete: the reply, a 1xx, or surplus."""
        if self._interim:
            self._interim = False
            self._overhead = 0
            self._raw.clear()
        elif self.has_head and self._framing != "connection":
            self.complete = True

    def _append(self, data: bytes) -> None:
        self.size += len(data)
        if not self._body:
            self._body = data  # most bodies are received at once
            return
        if isinstance(self._body, bytes):
            first, self._body = self._body, BytesIO()
            self._body.write(first)
        self._body.write(data)

    def _framed(self) -> Framing:
        """What delimits the reply; its Content-Length is checked.

        Raises:
            BadReply: the framing is invalid or ambiguous.
            TooMany: the length exceeds the limit, or the memory budget of the process.
        """
        if self.status < _OK:
            raise BadReply("the reply has a status that none can have here")
        if self._version not in _VERSIONS:
            raise BadReply("the reply is in another version of HTTP")
        codings = [value.lower() for name, value in self.headers if name == "transfer-encoding"]
        lengths = [value for name, value in self.headers if name == "content-length"]
        if codings and (codings != ["chunked"] or lengths):
            raise BadReply("the reply's Transfer-Encoding is not exactly chunked")
        length = whole_number(lengths[0], _LONGEST) if lengths else None
        if lengths and (length is None or len(lengths) > 1):
            raise BadReply("the reply's Content-Length is no length")
        if self._is_head or self.status in _WITHOUT_BODY:
            return "head"
        if codings:
            return "chunks"
        if length is None:
            return "connection"
        if length > self._limit:
            raise TooMany(f"the reply has more than {self._limit} bytes")
        self._memory.admit(length)
        return "length"
