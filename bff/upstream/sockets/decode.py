"""Creates a `Reply` from a parsed reply, and decompresses its body, which may take long."""

from bff.errors import BffError, Unreachable
from bff.model.exchange import Reply
from bff.upstream.body import codings_in, decoded
from bff.upstream.sockets.reply_parser import ReplyParser


def content_coding(parser: ReplyParser) -> str:
    """The value of Content-Encoding (RFC 9110, section 8.4); empty for none."""
    return ", ".join(value for name, value in parser.headers if name == "content-encoding")


def decode_reply(parser: ReplyParser, limit: int) -> Reply | BffError:
    """The reply with its decoded body, or an error; does not raise.

    Args:
        limit: the maximum bytes of the decoded body.
    """
    try:
        codings = codings_in(content_coding(parser))
        body = decoded(parser.body, codings, limit, parser.lease)
        return Reply(parser.status, parser.headers, body, parser.lease)
    except BffError as error:
        return error
    except Exception as error:  # noqa: BLE001 - such as MemoryError; the caller waits for a completion
        return Unreachable(f"{type(error).__name__}: {error}")
