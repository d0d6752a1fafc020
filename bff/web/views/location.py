"""The Location of an answer: a path of this site, or an address below a declared origin."""

from collections.abc import Collection
from dataclasses import replace

from flask import Request

from bff.auth.session.return_to import BadReturn, local_or_allowed
from bff.engine.answer import Answer, without_location
from bff.web.access.authenticate import own_origin


def with_location(answer: Answer, request: Request, allowed: Collection[str]) -> Answer:
    """The answer with its Location as a header, or the failure where it leads elsewhere.

    Args:
        allowed: further origins that it may lead to, as browsers serialize them.
    """
    try:
        address = local_or_allowed(answer.location, own_origin(request), allowed)
    except BadReturn as error:
        return without_location(answer, str(error))
    others = ((name, value) for name, value in answer.respond if name != "location")
    return replace(answer, respond=(*others, ("location", address)))
