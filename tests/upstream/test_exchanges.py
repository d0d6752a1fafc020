"""Which exchange carries requests, and how that is known; a test's own services are the pool's."""

import sys

import httpx
import pytest
import respx

from bff.app import create_app
from bff.declare.check import check
from bff.declare.settings import Settings
from bff.errors import ConfigError
from bff.testing.upstream import MockedExchange, Upstream
from bff.upstream import exchanges
from bff.upstream.exchange import SystemClock, clock_for
from bff.upstream.memory import Memory
from bff.upstream.sockets.polled_mailbox import PollingClock
from bff.web.management.listener import MANAGED

ROOT = "version: 1\n{}frontends: {{web: {{access: none}}}}\nservices: {{s: {{url: 'http://s.test'}}}}\n"
VIEW = "get: /page\ncall: {get: s:/x}\n"


@pytest.fixture
def declared(tmp_path):
    """A configuration with these lines in bff.yaml."""

    def make(lines=""):
        (tmp_path / "bff.yaml").write_text(ROOT.format(lines))
        (tmp_path / "views").mkdir(exist_ok=True)
        (tmp_path / "views/page.yaml").write_text(VIEW)
        return check(tmp_path, {})

    return make


@pytest.fixture
def not_installed(monkeypatch):
    monkeypatch.setitem(sys.modules, "httptools", None)


def noted(checked, tmp_path, **more):
    """What operators are told carries requests."""
    app = create_app(checked, Settings(tmp_path, state=tmp_path / "state"), **more)
    client = app.test_client()
    client.environ_base[MANAGED] = True
    return client.get("/readyz", base_url="http://127.0.0.1").get_json()["notes"]["exchange"]


@pytest.mark.parametrize(
    ("lines", "kind"),
    [("", "sockets"), ("exchange: sockets\n", "sockets"), ("exchange: pool\n", "pool")],
)
def test_sockets_carry_requests_unless_the_pool_is_declared(declared, tmp_path, lines, kind):
    assert noted(declared(lines), tmp_path) == kind


@pytest.mark.usefixtures("not_installed")
@pytest.mark.parametrize("lines", ["", "exchange: pool\n"])
def test_the_pool_carries_them_where_nothing_else_is_installed(declared, tmp_path, lines):
    assert noted(declared(lines), tmp_path) == "pool"


@pytest.mark.usefixtures("not_installed")
def test_what_is_declared_and_not_installed_is_refused(declared, tmp_path):
    with pytest.raises(ConfigError, match="`exchange: sockets` needs httptools"):
        noted(declared("exchange: sockets\n"), tmp_path)


def test_an_unknown_exchange_is_a_mistake(declared):
    with pytest.raises(ConfigError, match="exchange"):
        declared("exchange: socket\n")


def test_an_exchange_that_is_given_is_not_replaced(declared, tmp_path):
    checked = declared()
    upstream = Upstream(checked.config.services)
    mocked = MockedExchange(checked.config.services, upstream, None)
    assert noted(checked, tmp_path, exchange=mocked) == "pool"
    mocked.close()


def test_the_clock_is_the_exchanges(declared):
    checked = declared()
    services, place = checked.config.services, checked.config.place
    made = [
        exchanges.open_exchange(kind, services, 2, Memory(), place) for kind in ("pool", "sockets")
    ]
    assert [type(clock_for(each)) for each in made] == [SystemClock, PollingClock]
    for each in made:
        each.close()


def test_respx_sees_every_call_though_sockets_are_installed(declared, tmp_path):
    """Routes of a test's own, as `bff.testing` and the plugin have them."""
    assert exchanges.exchange_kind("") == "sockets"
    checked = declared()
    upstream = Upstream(checked.config.services)
    route = upstream.s.get("/x").respond(json={"a": 1})
    mocked = MockedExchange(checked.config.services, upstream, None)
    settings = Settings(tmp_path, management_bind=None, state=tmp_path / "state")
    client = create_app(checked, settings, exchange=mocked).test_client()
    for _ in range(5):
        assert client.get("/web/page").get_json() == {"a": 1}
    assert route.call_count == 5
    mocked.close()


def test_respx_sees_every_call_of_the_pool(declared, tmp_path):
    """`respx.mock` takes the place of httpx's transports: `exchange: pool` is what it sees."""
    settings = Settings(tmp_path, management_bind=None, state=tmp_path / "state")
    client = create_app(declared("exchange: pool\n"), settings).test_client()
    with respx.mock(base_url="http://s.test") as router:
        route = router.get("/x").mock(return_value=httpx.Response(200, json={"a": 1}))
        assert client.get("/web/page").get_json() == {"a": 1}
    assert route.call_count == 1
