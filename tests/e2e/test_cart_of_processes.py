"""The shop's cart over several processes: what one of them has written, each of them answers."""

from contextlib import ExitStack
from itertools import chain
from pathlib import Path

from bff.dev.recordings.answerer import replay_all
from bff.dev.shop.recordings import shop_recordings
from bff.dev.stubs.stub import StubServices
from tests.e2e.providers.rotating import RotatingProvider, listening
from tests.e2e.serving import ROOT, served

CONFIG = """
frontends: {{web: {{access: session}}, mobile: {{access: session}}}}
session: {{secrets: ["${{SESSION_SECRET}}"]}}
providers:
  main: {{issuer: "{issuer}", client_id: the-client, client_secret: "${{CLIENT_SECRET}}"}}
services: {{orders: {{url: "{orders}"}}, catalog: {{url: "{catalog}"}}}}
"""


def test_a_cart_is_the_same_in_every_process_and_another_for_everybody(tmp_path: Path) -> None:
    names = ("cart", "change_in_cart")
    views = {name: (ROOT / f"config/views/{name}.yaml").read_text() for name in names}
    answerers = replay_all(shop_recordings(), lambda _: 0.0)
    with ExitStack() as stack:
        provider = stack.enter_context(listening(RotatingProvider()))
        provider.first = 3600
        stubs = stack.enter_context(StubServices(answerers))
        config = CONFIG.format(issuer=provider.issuer, **stubs.urls)
        app = stack.enter_context(served(tmp_path / "app", config, views, 3))
        sessions = {}
        for provider.who in ("ada", "grace"):
            with app.visitor() as visitor:
                assert visitor.go("/auth/login?return_to=/livez").status_code == 200
                sessions[provider.who] = visitor.session
        with app.lines() as lines:
            every = list(chain(*lines.values()))
            for count, writer in enumerate(every * 3, 3):
                path, body = "/web/cart/items/p-100126", {"quantity": count}
                changed = writer.ask(path, sessions["ada"], "PUT", body)
                assert changed.status == 200
                carts = [each.ask("/web/cart", sessions["ada"]).json for each in every]
                assert carts == [changed.json["cart"]] * 3
                assert carts[0]["lines"][0]["quantity"] == count
            assert every[0].ask("/web/cart", sessions["grace"]).json["lines"] == []
