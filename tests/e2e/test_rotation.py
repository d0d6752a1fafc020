"""Secrets are replaced while people are signed in, and nobody notices."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from secrets import token_urlsafe

import pytest

from tests.e2e.providers.rotating import RotatingProvider, listening
from tests.e2e.serving import Served, Visitor, served

CONFIG = """
frontends: {{web: {{access: session}}}}
session: {{secrets: ["${{file:{now}}}", "${{file:{other}:-}}"]}}
providers:
  main: {{issuer: "{issuer}", client_id: the-client, client_secret: "${{CLIENT_SECRET}}"}}
services: {{}}
"""


@dataclass
class Site:
    app: Served
    now: Path
    other: Path

    def visitor(self) -> Visitor:
        visitor = self.app.visitor()
        assert visitor.go("/auth/login?return_to=/livez").status_code == 200
        return visitor


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    now, other = tmp_path / "secret", tmp_path / "other"
    now.write_text(token_urlsafe(32))
    with ExitStack() as stack:
        provider = stack.enter_context(listening(RotatingProvider()))
        provider.first = 900
        config = CONFIG.format(now=now, other=other, issuer=provider.issuer)
        yield Site(stack.enter_context(served(tmp_path / "app", config, {}, 2)), now, other)


def signed_in(visitor: Visitor) -> bool:
    found = {visitor.ask("/auth/session").json()["authenticated"] for _ in range(6)}
    assert len(found) == 1, "each process says the same"
    return bool(found.pop())


def test_a_session_outlives_the_secret_that_sealed_it(site: Site) -> None:
    with site.visitor() as early:
        assert signed_in(early)
        first, second = site.now.read_text(), token_urlsafe(32)

        site.other.write_text(second)  # second, so that each process can open it before one seals
        site.app.reload()
        assert signed_in(early)

        site.now.write_text(second)
        site.other.write_text(first)
        site.app.reload()
        assert signed_in(early)
        with site.visitor() as late:
            assert signed_in(late)

            site.other.unlink()
            site.app.reload()
            assert signed_in(late), "it was sealed with what is left"
        assert not signed_in(early), "the secret that sealed it is gone"


def test_a_reload_with_a_secret_that_can_be_guessed_changes_nothing(site: Site) -> None:
    with site.visitor() as visitor:
        site.now.write_text("change-me-change-me-change-me-change-me")
        site.app.reload()
        assert signed_in(visitor)
