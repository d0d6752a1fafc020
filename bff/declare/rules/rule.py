"""One kind of problem that `bff check` reports, under an id that does not change."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rule:
    """What a problem of this kind means.

    Args:
        id: small letters and dashes; stable, so that comments and reports can name it.
        title: what is wrong, in a few words.
        why: what would happen if it were served.
        instead: what to write.
        may_be_ignored: whether a comment in the file may silence it. Errors and what production
            refuses cannot be ignored.
    """

    id: str
    title: str
    why: str
    instead: str
    may_be_ignored: bool = False
