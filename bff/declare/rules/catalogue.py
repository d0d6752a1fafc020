"""The catalogue of problems that `bff check` reports, by group and by id."""

from collections.abc import Mapping
from typing import Final

from bff.declare.rules.expressions import EXPRESSIONS
from bff.declare.rules.files import FILES
from bff.declare.rules.production import PRODUCTION
from bff.declare.rules.rule import Rule
from bff.declare.rules.sign_in import SIGN_IN
from bff.declare.rules.views import VIEWS
from bff.declare.rules.warnings import WARNINGS

GROUPS: Final[Mapping[str, tuple[Rule, ...]]] = {
    "Files and keys": FILES,
    "Expressions and templates": EXPRESSIONS,
    "Views, calls and relays": VIEWS,
    "Sign-in": SIGN_IN,
    "Warnings": WARNINGS,
    "Rejected in production": PRODUCTION,
}
RULES: Final[Mapping[str, Rule]] = {rule.id: rule for group in GROUPS.values() for rule in group}
