"""Rules of providers, issuers and sessions."""

from typing import Final

from bff.declare.rules.rule import Rule

SIGN_IN: Final = (
    Rule(
        "sign-in-impossible",
        "A frontend whose users cannot sign in",
        "It accepts sessions, and no provider is declared.",
        "`providers` in bff.yaml.",
        may_be_ignored=True,
    ),
    Rule(
        "session-absent",
        "A value of the session in a view without a session",
        "The view is public, or its frontend has no sign-in: the value is always missing, and the"
        " request is never made.",
        "`access: signed_in`, a `when`, or the mark `?`, which omits a header of a service.",
    ),
    Rule(
        "client-credentials",
        "Client credentials that the provider would not accept",
        "Every sign-in and refresh would fail.",
        "`client_secret` or `private_key` by reference, as registered with the provider.",
        may_be_ignored=True,
    ),
    Rule(
        "provider-address",
        "An address of a provider or issuer that is not https",
        "Its tokens and keys could be replaced in transit.",
        "https, or http on this machine.",
    ),
)
