"""The chain of test_sinks.py: nginx, two apps, a provider, stubs; and where each of them writes.

One app is behind nginx, with an SQLite file. The other is asked directly, has a Redis, and tells as
much as it and its libraries can (DEBUG).
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from secrets import token_urlsafe
from typing import Final

from bff.cli.local_app import LocalSetup
from bff.dev.stubs.stub import StubServices
from bff.store.protocol import Store
from bff.store.redis import RedisStore
from bff.store.seal import Seal
from bff.store.sqlite import SqliteStore
from tests.e2e.sinks.secret import Secrets
from tests.e2e.sinks.services import Users, odd
from tests.e2e.sinks.visitor import Visitor, until
from tests.ports import free_port
from tests.project.test_nginx import command, render
from tests.store.redis_server import RedisServer

ROOT: Final = Path(__file__).parents[3]
CONFIG: Final = Path(__file__).parent / "config"
TOKEN_SECONDS: Final = 2.0  # what is older than a fifth of it is renewed where it is rejected
_PATIENCE: Final = 20.0


@dataclass
class Chain:
    """What runs, and the files that it writes.

    Args:
        planted: a word that is no secret, and is written to every sink.
        processes: by name.
    """

    folder: Path
    secrets: Secrets
    planted: str
    client_secret: str
    visitor: Visitor
    direct: Visitor
    redis: RedisServer
    stores: Mapping[str, Store]
    processes: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)
    stack: ExitStack = field(default_factory=ExitStack, repr=False)

    def start(self, name: str, words: list[str], environ: Mapping[str, str]) -> None:
        """Have a process run, with nothing but this environment, and write to a file of its own."""
        with (self.folder / f"{name}.out").open("wb") as out:
            process = subprocess.Popen(  # noqa: S603 - ourselves, and nginx
                words, cwd=ROOT, env=dict(environ), stdout=out, stderr=subprocess.STDOUT
            )
        self.processes[name] = process
        self.stack.callback(_end, process)

    def written(self, name: str) -> bytes:
        """What a process has written to standard output and error."""
        return (self.folder / f"{name}.out").read_bytes()

    def files(self, pattern: str) -> bytes:
        """What is in files."""
        return b"\n".join(path.read_bytes() for path in sorted(self.folder.glob(pattern)))

    def proc(self, what: str, *names: str) -> bytes:
        """`cmdline` or `environ` of processes and of all that they have started."""
        found = b""
        for name in names or tuple(self.processes):
            for pid in _family(self.processes[name].pid):
                found += Path(f"/proc/{pid}/{what}").read_bytes() + b"\n"
        return found

    @contextmanager
    def hung(self, name: str) -> Iterator[None]:
        """A process that does nothing meanwhile."""
        self.processes[name].send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.processes[name].send_signal(signal.SIGCONT)

    def damage(self) -> None:
        """Have the SQLite file be none, and no process have the one that was."""
        for path in (self.folder / "state").iterdir():
            path.unlink()
        (self.folder / "state/sessions.db").write_bytes(b"no database" * 1000)
        for worker in _family(self.processes["app"].pid)[1:]:
            os.kill(worker, signal.SIGKILL)
        until("another worker", lambda: self.visitor.ask("/livez").status == 200)


@contextmanager
def chain(folder: Path) -> Iterator[Chain]:
    """Run all of it."""
    secrets, planted = Secrets(), f"planted-{token_urlsafe(12)}"
    client = secrets.add("client secret", token_urlsafe(32))
    sealing = secrets.add("session secret", token_urlsafe(32))
    password = secrets.add("Redis password", token_urlsafe(32))
    app, direct, front, issuer = (free_port() for _ in range(4))
    with ExitStack() as stack:
        redis = RedisServer(folder, f"requirepass {password}")
        stack.callback(redis.stop)
        stubs = stack.enter_context(StubServices({"users": Users(secrets), "odd": odd}))
        address = f"redis://:{password}@127.0.0.1:{redis.port}/0"
        stores = {
            "sqlite": SqliteStore(folder / "state/sessions.db", time.time),
            "redis": RedisStore(address, time.time),
        }
        host, seal = f"127.0.0.1:{front}", Seal((sealing,))
        made = Chain(
            folder,
            secrets,
            planted,
            client,
            Visitor(front, host, secrets, seal, stores["sqlite"]),
            Visitor(direct, host, secrets, seal, stores["redis"]),
            redis,
            stores,
        )
        stack.callback(made.stack.close)
        environ = {
            "PATH": os.environ["PATH"],
            "PYTHONDONTWRITEBYTECODE": "1",
            "PLANTED": planted,
        }
        local = LocalSetup(front, {"shop": issuer}, {"shop": "shop"}, client, "ada", TOKEN_SECONDS)
        module = [sys.executable, "-m", "tests.e2e.sinks.processes"]
        made.start(
            "provider",
            [*module, "provider"],
            {**environ, "BFF_LOCAL": local.environ()["BFF_LOCAL"]},
        )
        served = {
            **environ,
            "BFF_CONFIG": str(CONFIG),
            "BFF_WORKERS": "1",
            "BFF_THREADS": "4",
            "BFF_STATE": str(folder / "state"),
            "SESSION_SECRET": sealing,
            "CLIENT_SECRET": client,
            "SHOP_ISSUER": f"http://127.0.0.1:{issuer}",
            "ODD_URL": stubs.urls["odd"],
            "USERS_URL": stubs.urls["users"],
        }
        quiet = {"BFF_BIND": f"127.0.0.1:{app}", "GUNICORN_CMD_ARGS": "--log-level info"}
        loud = {"BFF_BIND": f"127.0.0.1:{direct}", "GUNICORN_CMD_ARGS": "--log-level debug"}
        loud |= {"SESSION_STORE": address, "LIBRARIES_LOG": str(folder / "libraries.log")}
        for name, more in (("app", quiet), ("direct", loud)):
            management = {"BFF_MANAGEMENT_BIND": f"127.0.0.1:{free_port()}"}
            made.start(name, [*module, "app", planted], {**served, **more, **management})
        made.start("nginx", command(_front(folder, front, app)), environ)
        for name, port in (("app", front), ("direct", direct)):
            until(f"{name} is ready", lambda name=name, port=port: _ready(made, name, port))
        yield made


def _front(folder: Path, port: int, app: int) -> Path:
    """nginx as shipped; its rate is for people, not for tests."""
    return render(
        ROOT,
        folder / "nginx",
        BFF_NGINX_LISTEN=f"127.0.0.1:{port}",
        BFF_NGINX_UPSTREAM=f"127.0.0.1:{app}",
        BFF_NGINX_RATE="10000r/s",
    )


def _ready(made: Chain, name: str, port: int) -> bool:
    assert made.processes[name].poll() is None, made.written(name).decode()
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def _family(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(found for child in children for found in _family(int(child)))]


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.send_signal(signal.SIGCONT)
    process.terminate()
    try:
        process.wait(_PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(_PATIENCE)
