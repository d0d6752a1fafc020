"""Every kind of problem that `bff check` reports, by its id."""

from bff.declare.rules.catalogue import GROUPS, RULES
from bff.declare.rules.rule import Rule

__all__ = ["GROUPS", "RULES", "Rule"]
