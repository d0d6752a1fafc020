"""Rules about views, their calls, and relays."""

from typing import Final

from bff.declare.rules.rule import Rule

VIEWS: Final = (
    Rule(
        "unknown-frontend",
        "A frontend that is not declared",
        "The view would be served to no client.",
        "A name of `frontends` in bff.yaml.",
    ),
    Rule(
        "unknown-service",
        "A service that is not declared",
        "Only declared services are contacted.",
        "A name of `services` in bff.yaml.",
    ),
    Rule(
        "unknown-call", "A call that does not exist", "Nothing has that name.", "A declared call."
    ),
    Rule(
        "unknown-view", "A view that does not exist", "Nothing has that name.", "A declared view."
    ),
    Rule(
        "unknown-provider",
        "A provider that is not declared",
        "Nothing would issue the token.",
        "A name of `providers` in bff.yaml.",
    ),
    Rule(
        "target",
        "A target that is not `service:/path`",
        "A call names a declared service and a path on it.",
        '`get: "users:/users/{params.id}"`.',
    ),
    Rule(
        "route",
        "A route that cannot be served",
        "A segment is text, or one name in braces; a name stands once; there are no dot segments.",
        "`/orders/{id}`.",
    ),
    Rule(
        "route-clash",
        "Two routes have paths in common",
        "Which of them answers would depend on the order of files.",
        "Another path, or `version`.",
    ),
    Rule(
        "access-impossible",
        "A view for clients that cannot sign in where it is served",
        "Every request would be a 401 or 403.",
        "`access` of the view that fits `access` of the frontend.",
    ),
    Rule(
        "cycle",
        "Calls that wait for each other",
        "None of them could start.",
        "Take one of the values from elsewhere.",
    ),
    Rule(
        "write-in-get",
        "A get with a call that changes something",
        "Browsers prefetch and repeat a GET (RFC 9110, section 9.2.1).",
        "A post, or `safe: true` for a call that changes nothing.",
    ),
    Rule(
        "batch",
        "A batch that does not name its items in one place",
        "It is not clear where the ids go.",
        'Exactly one place of query or json holds the id: `query: {ids: "{item.id}"}`.',
    ),
    Rule(
        "too-many-calls",
        "A view with more calls than `max_calls` allows",
        "Every answer would be a 502.",
        "A larger `max_calls`, or fewer calls.",
    ),
    Rule(
        "links",
        "A link is followed at a service that does not say where links lead",
        "A reply could send requests anywhere.",
        "`links: {under: /}` at the service.",
    ),
    Rule(
        "shape-missing",
        "A view with several calls and no shape",
        "It is not clear what the answer is.",
        "`shape`, or one call.",
    ),
    Rule(
        "shape-fails",
        "A shape that cannot be computed where a call fails",
        "The view would be a 502 though the call may fail.",
        "``x || `[]` `` stands for a null.",
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
        "location",
        "An answer leads to another site",
        "A `location` passes the check of `return_to`, so that no answer is an open redirect.",
        "A path of this site, or an origin in `return_to` of `session`.",
    ),
    Rule(
        "answer-type",
        "An answer that is not JSON is not the text or bytes of a call",
        "`answer_type` answers with what one call has received, unchanged.",
        "`shape` is the call's name, and the call has `decode: text` or `bytes`.",
    ),
    Rule(
        "refusal-fails",
        "A refusal that cannot be computed where a call fails",
        "The view would be a 502 though the call may fail.",
        "``x || `[]` `` stands for a null.",
        may_be_ignored=True,
    ),
    Rule(
        "refresh",
        "A view that cannot come along with another one's answer",
        "Only gets whose parameters the write has are refreshed.",
        "Another view, or its parameters.",
    ),
    Rule(
        "cache-unsafe",
        "What would be cached may belong to one person",
        "One person's data would be served to another.",
        "`scope: person`, or `vary` with what the request is made of.",
    ),
    Rule(
        "certificate",
        "A certificate or key that cannot be used",
        "No connection to the service could be made.",
        "A PEM file that exists, and its key.",
    ),
    Rule(
        "python-view",
        "A view in Python that cannot be served",
        "It cannot be imported, or declares what a function does by itself.",
        "See docs/python-views.md.",
    ),
    Rule(
        "unused-call",
        "A call that no view makes",
        "No shape uses its value.",
        "Use it, declare `guard: true`, or remove it.",
        may_be_ignored=True,
    ),
    Rule(
        "cache-and-hedge",
        "A cached call with a hedge",
        "What several requests wait for is fetched once, so its hedge is never sent.",
        "One of `cache` and `hedge`.",
        may_be_ignored=True,
    ),
)
