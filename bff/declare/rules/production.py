"""Rules of what is acceptable in development, and rejected by `bff serve`."""

from typing import Final

from bff.declare.rules.rule import Rule

PRODUCTION: Final = (
    Rule(
        "unsafe-secret",
        "A secret that is exposed or weak",
        "Sessions could be forged, or services called in the name of this application.",
        "`${NAME}` or `${file:/run/secrets/name}` with a random value.",
    ),
    Rule(
        "unsafe-address",
        "An address without transport security",
        "Traffic could be read or modified in transit.",
        "https, or TLS to the store.",
    ),
    Rule(
        "unsafe-setting",
        "A setting for development",
        "It exposes internals, or trusts clients.",
        "Remove the variable.",
    ),
)
