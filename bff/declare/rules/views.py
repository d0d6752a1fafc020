"""Rules of views, their calls, and relays."""

from typing import Final

from bff.declare.rules.rule import Rule

VIEWS: Final = (
    Rule(
        "unknown-frontend",
        "A frontend that is not declared",
        "The view would not be served to any client.",
        "A name of `frontends` in bff.yaml.",
    ),
    Rule(
        "unknown-service",
        "A service that is not declared",
        "Only declared services are contacted.",
        "A name of `services` in bff.yaml.",
    ),
    Rule(
        "unknown-call",
        "A call that does not exist",
        "There is no call of that name.",
        "A declared call.",
    ),
    Rule(
        "unknown-view",
        "A view that does not exist",
        "There is no view of that name.",
        "A declared view.",
    ),
    Rule(
        "unknown-provider",
        "A provider that is not declared",
        "The token could not be issued.",
        "A name of `providers` in bff.yaml.",
    ),
    Rule(
        "target",
        "A target that is not `service:/path`",
        "A call needs a declared service and a path.",
        '`get: "users:/users/{params.id}"`.',
    ),
    Rule(
        "route",
        "An invalid route",
        "Each segment is text or one name in braces; names are unique; there are no dot segments.",
        "`/orders/{id}`.",
    ),
    Rule(
        "route-clash",
        "Two routes that match the same paths",
        "Which of them is used would depend on the order of the files.",
        "Another path, or `version`.",
    ),
    Rule(
        "access-impossible",
        "A view for signed-in users on a frontend without sign-in",
        "Every request would be a 401 or 403.",
        "An `access` of the view that is possible with the `access` of the frontend.",
    ),
    Rule(
        "cycle",
        "Calls that wait for each other",
        "None of them could start.",
        "Remove one of the dependencies.",
    ),
    Rule(
        "write-in-get",
        "A `get` with a call that is not safe",
        "Clients prefetch and repeat GET requests (RFC 9110, section 9.2.1).",
        "A `post`, or `safe: true` for a call that changes nothing.",
    ),
    Rule(
        "batch",
        "A batch without exactly one place for its ids",
        "It is undefined where the ids are sent.",
        'Exactly one template of `query` or `json` with the id: `query: {ids: "{item.id}"}`.',
    ),
    Rule(
        "too-many-calls",
        "A view with more calls than `max_calls` allows",
        "Every answer would be a 502.",
        "A larger `max_calls`, or fewer calls.",
    ),
    Rule(
        "links",
        "A link is followed to a service without `links`",
        "A reply could send requests anywhere.",
        "`links: {under: /}` of the service.",
    ),
    Rule(
        "shape-missing",
        "A view with several calls and no shape",
        "It is undefined what the answer is.",
        "`shape`, or one call.",
    ),
    Rule(
        "shape-fails",
        "A shape that cannot be evaluated if a call fails",
        "The view would be a 502, although the call is not required.",
        "``x || `[]` `` replaces a null.",
        may_be_ignored=True,
    ),
    Rule(
        "shape-null",
        "A leaf is null with a declared value",
        "A fallback or `status` value has another form than the reply.",
        "A value with the fields that the shape reads.",
        may_be_ignored=True,
    ),
    Rule(
        "refusal-fails",
        "A refusal that cannot be evaluated if a call fails",
        "The view would be a 502, although the call is not required.",
        "``x || `[]` `` replaces a null.",
        may_be_ignored=True,
    ),
    Rule(
        "refresh",
        "A view that cannot be refreshed by another one",
        "Only `get` views are refreshed, and the writing view needs their parameters.",
        "Another view, or the missing parameters.",
    ),
    Rule(
        "cache-unsafe",
        "Cached data that may belong to one user",
        "Data of one user could be served to another.",
        "`scope: person`, or `vary` with the inputs of the request.",
    ),
    Rule(
        "certificate",
        "A certificate or key that cannot be used",
        "No connection to the service could be made.",
        "A PEM file that exists, and its key.",
    ),
    Rule(
        "exchange",
        "An exchange that is not installed",
        "It needs a package that is not there.",
        "`pip install 'bff-proxy[fast]'`, or `exchange: pool`.",
    ),
    Rule(
        "python-view",
        "An invalid Python view",
        "It cannot be imported, or declares keys that a function replaces.",
        "See docs/python-views.md.",
    ),
    Rule(
        "unused-call",
        "A call that is never made",
        "No shape uses its value.",
        "Use it, declare `guard: true`, or remove it.",
        may_be_ignored=True,
    ),
    Rule(
        "unused-value",
        "A named value that nothing uses",
        "It is never computed.",
        "Use it, or remove it.",
        may_be_ignored=True,
    ),
    Rule(
        "cache-and-hedge",
        "A cached call with a hedge",
        "Concurrent fetches of a cached reply are coalesced into one, which is not hedged.",
        "Either `cache` or `hedge`.",
        may_be_ignored=True,
    ),
)
