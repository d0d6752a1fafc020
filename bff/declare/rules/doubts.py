"""Rules about what is allowed, and often not meant."""

from typing import Final

from bff.declare.rules.rule import Rule

DOUBTS: Final = (
    Rule(
        "owner-from-parameters",
        "A client names the owner of what it asks for",
        "The service is not told who asks, so any signed-in client reads what belongs to another.",
        "`session.sub`, credentials of the caller, or a `refuse` that compares the two.",
        may_be_ignored=True,
    ),
    Rule(
        "name-within-items",
        "A name of the view within a filter or projection",
        "Within `[?…]`, `[].…` and `{…}` after them, names are fields of the items: `params` and"
        " `session` are null there, unless the items have such a field.",
        "`lookup(orders, 'id', params.id)`, `without`, or a query of the call that asks for them.",
        may_be_ignored=True,
    ),
    Rule(
        "text-like-expression",
        "A text that looks like an expression",
        "In a template only what stands in braces is computed: the text itself is sent.",
        '`"{params.page}"`, in braces and quotes.',
        may_be_ignored=True,
    ),
    Rule(
        "public-without-limit",
        "A public view that may be asked without limit",
        "Each answer costs requests to services, and any client can cause them.",
        "`limits: {person: 300/minute}`, or a `cache` on the view.",
        may_be_ignored=True,
    ),
    Rule(
        "slow-required-call",
        "A required call that may take all the time of its view",
        "If the service is slow, the view has no answer at all.",
        "A shorter `timeout`, `optional: true` or a `fallback`.",
        may_be_ignored=True,
    ),
    Rule(
        "cache-without-tags",
        "A cached reply that no write can invalidate",
        "After a write clients see the old value until it expires.",
        "`tags` at the cache, and `invalidates` at the view that writes.",
        may_be_ignored=True,
    ),
    Rule(
        "unknown-tag",
        "A tag is invalidated under which nothing is cached",
        "The write invalidates nothing.",
        "The tag as it stands in `tags` of a cache.",
        may_be_ignored=True,
    ),
    Rule(
        "no-effect",
        "A key that changes nothing",
        "Other keys or the method do not let it act.",
        "Remove it, or change what stands in its way.",
        may_be_ignored=True,
    ),
    Rule(
        "unused-parameter",
        "A parameter that nothing reads",
        "Clients send it, and it changes nothing.",
        "Use it, or remove it.",
        may_be_ignored=True,
    ),
)
