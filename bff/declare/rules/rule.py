"""One kind of problem that `bff check` reports, under a stable id."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rule:
    """One kind of problem.

    Args:
        id: lower-case letters and dashes; stable, since comments and reports refer to it.
        title: the problem in a few words.
        why: its consequence.
        instead: what to write.
        may_be_ignored: whether a comment in the file may suppress it. Errors, and problems that
            production rejects, cannot be ignored.
    """

    id: str
    title: str
    why: str
    instead: str
    may_be_ignored: bool = False
