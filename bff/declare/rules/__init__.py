"""The catalogue of problems that `bff check` reports, by id."""

from bff.declare.rules.catalogue import GROUPS, RULES
from bff.declare.rules.rule import Rule

__all__ = ["GROUPS", "RULES", "Rule"]
