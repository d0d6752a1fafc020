"""Rules about providers, issuers and sessions."""

from typing import Final

from bff.declare.rules.rule import Rule

SIGN_IN: Final = (
    Rule(
        "sign-in-impossible",
        "A frontend whose users cannot sign in",
        "It takes sessions, and no provider is declared.",
        "`providers` in bff.yaml.",
        may_be_ignored=True,
    ),
    Rule(
        "session-absent",
        "A value of the session where there is none",
        "The view is public, or its frontend has no sign-in: the value is never there, so the"
        " request is never made.",
        "`access: signed_in`, a `when`, or a mark that leaves it out of a service's header.",
    ),
    Rule(
        "client-credentials",
        "Credentials that the provider will not take",
        "Every sign-in and refresh would fail.",
        "`client_secret` or `private_key` by reference, as the provider has them.",
        may_be_ignored=True,
    ),
    Rule(
        "provider-address",
        "An address of a provider or issuer that is not https",
        "Its tokens and keys could be replaced on the way.",
        "https, or http on this machine.",
    ),
)
