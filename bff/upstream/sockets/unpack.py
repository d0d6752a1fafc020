"""A reply that was parsed becomes a `Reply`: its body is decompressed, which may take long."""

from bff.errors import BffError, Unreachable
from bff.model.exchange import Reply
from bff.upstream.body import codings_in, decoded
from bff.upstream.sockets.reply_parser import ReplyParser


def coding_of(parser: ReplyParser) -> str:
    """The value of Content-Encoding (RFC 9110, section 8.4); empty for none."""
    return ", ".join(value for name, value in parser.headers if name == "content-encoding")


def unpacked(parser: ReplyParser, limit: int) -> Reply | BffError:
    """The reply, or why its body cannot be had; raises nothing.

    Args:
        limit: bytes that the decoded body may have.
    """
    try:
        codings = codings_in(coding_of(parser))
        body = decoded(parser.body, codings, limit, parser.lease)
        return Reply(parser.status, parser.headers, body, parser.lease)
    except BffError as error:
        return error
    except Exception as error:  # noqa: BLE001 - a completion is waited for: MemoryError, for one
        return Unreachable(f"{type(error).__name__}: {error}")
