"""Rules of warnings: valid configuration that is likely a mistake."""

from typing import Final

from bff.declare.rules.rule import Rule

WARNINGS: Final = (
    Rule(
        "owner-from-parameters",
        "The owner of requested data is a parameter of the client",
        "The service does not know the user, so a signed-in user can read that of another (broken"
        " object level authorization, OWASP API1).",
        "`session.sub`, credentials of the caller, or a `refuse` that compares the two.",
        may_be_ignored=True,
    ),
    Rule(
        "name-within-items",
        "A parameter or session value within a filter or projection",
        "Within `[?…]`, `[].…` and `{…}` after them, names are fields of the items: `params` and"
        " `session` are null there, unless the items have such a field.",
        "`lookup(orders, 'id', params.id)`, `without`, or a `query` of the call that filters.",
        may_be_ignored=True,
    ),
    Rule(
        "text-like-expression",
        "A text that looks like an expression",
        "In a template only expressions in braces are evaluated: this text is sent literally.",
        '`"{params.page}"`, in braces and quotes.',
        may_be_ignored=True,
    ),
    Rule(
        "public-without-limit",
        "A public view without a rate limit",
        "Each answer costs requests to services, and any client can cause any number of them.",
        "`limits: {person: 300/minute}`, or a `cache` on the view.",
        may_be_ignored=True,
    ),
    Rule(
        "slow-required-call",
        "A required call whose timeout is not below that of its view",
        "If the service is slow, the view fails.",
        "A shorter `timeout`, `optional: true` or a `fallback`.",
        may_be_ignored=True,
    ),
    Rule(
        "cache-without-tags",
        "Cached replies that no write can invalidate",
        "After a write, clients see the old value until it expires.",
        "`tags` in the `cache`, and `invalidates` in the view that writes.",
        may_be_ignored=True,
    ),
    Rule(
        "unknown-tag",
        "A tag of `invalidates` that no cache rule has",
        "The write invalidates nothing.",
        "A tag that is in `tags` of a `cache`.",
        may_be_ignored=True,
    ),
    Rule(
        "no-effect",
        "A key without effect",
        "Other keys, or the method, exclude its effect.",
        "Remove it, or change the other key.",
        may_be_ignored=True,
    ),
    Rule(
        "unused-parameter",
        "A parameter that is not used",
        "Clients send it, and it has no effect.",
        "Use it, or remove it.",
        may_be_ignored=True,
    ),
)
