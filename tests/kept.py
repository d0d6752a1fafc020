"""What tests of the cache share: a clock that is moved by hand, and services that count."""

from bff.cache.cache import Cache

MB = 1024 * 1024


class Wall:
    """Seconds since 1970, as a test says."""

    def __init__(self) -> None:
        self.at = 1_000_000.0

    def __call__(self) -> float:
        return self.at

    def pass_by(self, seconds: float) -> None:
        self.at += seconds


def memory_only(wall, bound=4 * MB):
    return Cache(bound, now=wall, chance=lambda: 0.0)
