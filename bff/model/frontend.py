"""Frontends: the client applications that are answered."""

from dataclasses import dataclass

from bff.model.source import Place


@dataclass(frozen=True, slots=True)
class Frontend:
    """One client application; its name is its URL prefix.

    Args:
        access: the ways to sign in that it accepts; empty for none.
        origins: exact origins of its pages.
        languages: language tags it speaks (RFC 5646), the first is the default.
        batch: views that one batch may ask for; 0 for no batches.
        trust_traceparent: whether the trace that a request says it belongs to is continued.
    """

    name: str
    place: Place
    access: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    batch: int = 0
    trust_traceparent: bool = False
