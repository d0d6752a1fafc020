"""Makes one request of a call from its parts: those filled early, and the others."""

from collections.abc import Mapping
from typing import Any, Final

from bff.model.exchange import Headers, Origin, Request
from bff.plan.compile import CompiledCall
from bff.plan.expression import Scope
from bff.plan.request_parts import Given, Part

Known = Mapping[Part, Any]  # parts that are filled already, with their encoded values
NOTHING_KNOWN: Final[Known] = {}


def request_of(
    call: CompiledCall,
    scope: Scope,
    extra: Headers,
    origin: Origin | None,
    known: Known = NOTHING_KNOWN,
    given: Given = None,
) -> Request:
    """A request for the values of `scope`.

    Args:
        extra: headers that are not templates: forwarded ones and credentials.
        origin: what the request is made for, for logs and traces.
        known: parts that are filled already.
        given: a template whose value is known already: the ids of a batch.

    Raises:
        Unfillable: a value is missing and not optional, or is invalid in its part.
        BadReply: a link leads to an address that the service does not declare.
    """
    pairs = [known[part] if part in known else part.fill(scope, given) for part in call.query]
    query = "&".join(filter(None, pairs))
    target = known[call.target] if call.target in known else call.target.fill(scope)
    headers = dict([call.accept, *extra])
    for part in call.headers:
        value = known[part] if part in known else part.fill(scope)
        if value is not None:
            headers[part.name] = value
    body = b""
    if call.content:
        part = call.content
        media_type, body = known[part] if part in known else part.fill(scope, given)
        if call.call.body_kind == "multipart" or "content-type" not in headers:
            headers["content-type"] = media_type
    if query:
        target += ("&" if "?" in target else "?") + query
    return Request(
        service=call.service.name,
        method=call.call.method,
        target=target,
        headers=tuple(headers.items()),
        body=body,
        max_reply=call.service.max_reply,
        origin=origin,
        left_out=_left_out(call, scope) if call.marks else (),
    )


def _left_out(call: CompiledCall, scope: Scope) -> tuple[str, ...]:
    """The optional parts that a request omits, such as `query status`."""
    return tuple(what for what, field in call.marks if field.leaves_out(scope))
