"""Frontends: the client applications, each with a URL prefix and its own access rules."""

from dataclasses import dataclass

from bff.model.source import Place


@dataclass(frozen=True, slots=True)
class Frontend:
    """One client application; its name is its URL prefix.

    Args:
        access: the ways to sign in that it accepts; empty for none.
        origins: exact origins of its pages.
        languages: language tags that it supports (RFC 5646); the first is the default.
        batch: the most views in one batch; 0 for no batches.
        trust_traceparent: whether the `traceparent` of its requests is continued.
    """

    name: str
    place: Place
    access: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    batch: int = 0
    trust_traceparent: bool = False
