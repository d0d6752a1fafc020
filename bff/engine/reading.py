"""What a reply means to the call that asked for it: its value, or why it has none."""

from typing import Any, Final

import orjson

from bff.engine.compile import CompiledCall
from bff.errors import BadReply, BadStatus
from bff.model.exchange import Reply

_FIRST_FAILURE: Final = 300  # a redirect is one too: nothing of ours follows it
_OK: Final = 200


def read_reply(call: CompiledCall, reply: Reply) -> Any:
    """The value of a reply, decoded afresh.

    Raises:
        BadStatus: the status is a failure and the call has no value for it.
        BadReply: the body is not JSON, or says that it is something else.
    """
    if reply.status in call.statuses:
        return orjson.loads(call.statuses[reply.status])
    if not _OK <= reply.status < _FIRST_FAILURE:
        raise BadStatus(reply.status)
    if not reply.body:
        return None
    media_type = (reply.header("content-type") or "application/json").split(";")[0].strip().lower()
    if media_type != "application/json" and not media_type.endswith("+json"):
        raise BadReply(f"the reply is {media_type or 'of no type'}, not JSON")
    try:
        value = orjson.loads(reply.body)
    except orjson.JSONDecodeError as error:
        raise BadReply(f"the reply is not JSON: {error}") from None
    return call.select.value(value) if call.select else value
