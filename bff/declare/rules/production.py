"""Rules about what development may have and `bff serve` refuses."""

from typing import Final

from bff.declare.rules.rule import Rule

PRODUCTION: Final = (
    Rule(
        "unsafe-secret",
        "A secret that others know, or can guess",
        "Sessions could be forged, or services asked in our name.",
        "`${NAME}` or `${file:/run/secrets/name}` with a random value.",
    ),
    Rule(
        "unsafe-address",
        "An address that is not protected on the way",
        "Somebody between could read or change what is sent.",
        "https, or TLS to the store.",
    ),
    Rule(
        "unsafe-setting",
        "A setting that belongs into development",
        "It shows or trusts more than production may.",
        "Remove the variable.",
    ),
)
