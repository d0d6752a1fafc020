"""The real app over real stub services, asked by Flask's test client."""

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bff.app import create_app
from bff.declare.check import check_config
from bff.declare.config import assemble
from bff.declare.load import parse
from bff.declare.settings import Settings
from bff.dev.stubs.stub import StubServices
from bff.observe.events import Answered
from bff.upstream.sockets.exchange import SocketExchange

HOST = "shop.example"


@dataclass
class Site:
    """An app, its services, and what it was heard to answer."""

    app: Any
    stubs: StubServices
    heard: list
    metrics: Any = None

    def get(self, path, *, headers=(), host=HOST, method="GET"):
        given = [("Host", host), *headers] if host is not None else [*headers]
        return self.app.test_client().open(path, method=method, headers=given)


@pytest.fixture
def site(tmp_path):
    """Make one: `site(view, users=answerer)`; with a `principal`, people can sign in at `web`."""
    with ExitStack() as stack:

        def make(
            *views,
            principal=None,
            root="",
            service="",
            management=None,
            cache=None,
            timing=False,
            shared=(),
            relays=(),
            batch=0,
            trusting=False,
            traces=False,
            **answerers,
        ):
            stubs = stack.enter_context(StubServices(answerers, keep=True))
            lines = [f"  {name}: {{url: '{url}'{service}}}" for name, url in stubs.urls.items()]
            more = f", batch: {batch}" if batch else ""
            more += ", trust_traceparent: true" if trusting else ""
            access = "session, languages: [en, de]" if principal else "none"
            frontend = f"{{access: {access}{more}}}"
            text = f"version: 1\nhosts: [{HOST}, '[::1]']\nfrontends: {{web: {frontend}}}\n"
            text += f"{root}services:\n"
            config = assemble(
                parse(text + "\n".join(lines), "bff.yaml", {}),
                {f"v{at}": parse(view, f"v{at}.yaml", {}) for at, view in enumerate(views)},
                {name: parse(call, f"{name}.yaml", {}) for name, call in shared},
                None,
                {f"r{at}": parse(each, f"r{at}.yaml", {}) for at, each in enumerate(relays)},
            )
            exchange = SocketExchange(config.services, 16)
            stack.callback(exchange.close)
            heard = []
            app = create_app(
                check_config(config),
                Settings(
                    Path("unused"),
                    management_bind=management,
                    state=tmp_path / "state",
                    traces=traces,
                ),
                exchange=exchange,
                cache=cache,
                timing=timing,
                authenticate=principal,
                observers=[lambda each: isinstance(each, Answered) and heard.append(each)],
            )
            return Site(app, stubs, heard, app.wsgi_app._metrics.__self__)

        yield make
