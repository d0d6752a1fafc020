"""Checks where the answers of views lead, as far as that is constant."""

from collections.abc import Iterator

from bff.auth.session.return_to import BadReturn, local_or_allowed
from bff.model.config import Config
from bff.model.problem import Problem
from bff.plan.plan import Plan

_NO_ORIGIN = "\0"  # the site's own origin is known by a request only
_HINT = "a path of this site, or an address below an origin of `return_to` of `session`"


def location_problems(config: Config, plan: Plan) -> Iterator[Problem]:
    """A location whose beginning is constant and that `return_to` could not have."""
    head = plan.shape.head
    location = head.location if head else None
    if location is None or not isinstance(location.parts[0], str):
        return
    sample = "".join(part if isinstance(part, str) else "x" for part in location.parts)
    try:
        local_or_allowed(sample, _NO_ORIGIN, config.session.return_to)
    except BadReturn as error:
        why = str(error).replace("`return_to`", "it")
        message = f"`{location.source.shown}` is no valid location: {why}"
        yield Problem("location", location.source.place, message, _HINT)
