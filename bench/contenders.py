"""Who is compared: the command that starts each, and the address under which it is asked."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from secrets import token_urlsafe
from typing import Final

from bench.processes import Server, free_ports

ROOT: Final = Path(__file__).parents[1]
THREADS: Final = 16
APP, FLASK, FASTAPI, LIVEZ = "bff", "Flask by hand", "FastAPI by hand", "bff /livez"
PAGES: Final = (APP, FLASK, FASTAPI)
SECRET: Final = token_urlsafe()  # another one for each run
_PAGE: Final = "/web/page/7"
_BIN: Final = Path(sys.executable).parent


@dataclass(frozen=True, slots=True)
class Contender:
    """What is put under load.

    Args:
        calls: upstream requests that one answer takes.
    """

    name: str
    server: Server
    path: str
    calls: int

    @property
    def url(self) -> str:
        """The address that is asked."""
        return f"http://127.0.0.1:{self.server.port}{self.path}"


def environ(upstream: str) -> dict[str, str]:
    """What the configuration of the benchmark refers to.

    Args:
        upstream: the address of all its services.
    """
    return {"BENCH_UPSTREAM": upstream, "BENCH_SECRET": SECRET, "PYTHONPATH": str(ROOT)}


def start_contenders(scratch: Path, upstream: int, stop: list[Server]) -> list[Contender]:
    """Start all three pages; each server is appended to `stop` as soon as it runs."""
    app, management, flask, fastapi = free_ports(4)
    env = environ(f"http://127.0.0.1:{upstream}")

    def start(name: str, port: int, command: list[str], more: Mapping[str, str]) -> Server:
        log = scratch / f"{name.split(maxsplit=1)[0].lower()}.log"
        server = Server(name, command, {**env, **more}, port, log)
        stop.append(server)
        return server

    servers = {
        APP: start(APP, app, _app(), _app_settings(app, management)),
        FLASK: start(FLASK, flask, _flask(), {"BENCH_BIND": f"127.0.0.1:{flask}"}),
        FASTAPI: start(FASTAPI, fastapi, _fastapi(fastapi), {}),
    }
    for server in servers.values():
        server.wait_until_up()
    pages = [Contender(name, server, _PAGE, 4) for name, server in servers.items()]
    return [*pages, Contender(LIVEZ, servers[APP], "/livez", 0)]


def _app() -> list[str]:
    """As shipped: its own server settings, its log, everything switched on."""
    return [str(_BIN / "bff"), "serve", "--config", str(ROOT / "bench/config")]


def _app_settings(port: int, management: int) -> dict[str, str]:
    return {
        "BFF_BIND": f"127.0.0.1:{port}",
        "BFF_MANAGEMENT_BIND": f"127.0.0.1:{management}",
        "BFF_WORKERS": "1",
        "BFF_THREADS": str(THREADS),
    }


def _flask() -> list[str]:
    settings = ROOT / "bench/peers/gunicorn_settings.py"
    return [str(_BIN / "gunicorn"), "--config", str(settings), "bench.peers.flask_page:app"]


def _fastapi(port: int) -> list[str]:
    return [
        str(_BIN / "uvicorn"),
        *("--host", "127.0.0.1", "--port", str(port)),
        *("--loop", "uvloop", "--http", "httptools"),
        *("--log-level", "warning", "--no-access-log"),
        "bench.peers.fastapi_page:app",
    ]
