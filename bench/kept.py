"""What is kept, under load: a person's page beside a bare route, and a public one behind nginx."""

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from statistics import median
from time import time
from typing import Any, Final
from urllib.request import Request, urlopen

from bench.contenders import ROOT, SECRET, THREADS, Contender, environ
from bench.processes import Failed, Server, free_ports
from bench.rounds import measure
from bench.upstream import find
from bff.auth.oidc.login import SignedIn, Tokens
from bff.auth.session.sessions import Sessions
from bff.model.access import SessionRules
from bff.store.open import open_store
from bff.store.seal import Seal

PERSON, BARE = "bff, kept, per person", "Flask, the same bytes"
PUBLIC, EDGE = "bff, kept, public", "nginx, kept, public"
DEAREST: Final = 2.0  # times the CPU of the bare route that a kept page of a person may cost
LEAST: Final = 20.0  # times the app's own rate that nginx must have for the same CPU
_BIN: Final = Path(sys.executable).parent


@dataclass(frozen=True, slots=True)
class Kept(Contender):
    """A contender that needs no upstream; `headers` are what its clients send."""

    headers: tuple[str, ...] = ()


def start_kept(scratch: Path, upstream: int, stop: list[Server]) -> list[Kept]:
    """Start the app with a session in its store, the bare route, and nginx in front of the app."""
    app, management, bare, edge = free_ports(4)
    state = scratch / "state"
    state.mkdir(mode=0o700)
    headers = (f"Cookie: {_session(state)}", "X-CSRF: 1")
    env = environ(f"http://127.0.0.1:{upstream}")
    settings = {
        "BFF_BIND": f"127.0.0.1:{app}",
        "BFF_MANAGEMENT_BIND": f"127.0.0.1:{management}",
        "BFF_WORKERS": "1",
        "BFF_THREADS": str(THREADS),
        "BFF_STATE": str(state),
    }

    def start(name: str, port: int, command: list[str], more: Mapping[str, str]) -> Server:
        log = scratch / f"kept-{port}.log"
        stop.append(Server(name, command, {**env, **more}, port, log))
        stop[-1].wait_until_up()
        return stop[-1]

    words = ["--config", "bench/config"]
    served = start(PERSON, app, [str(_BIN / "bff"), "serve", *words], settings)
    person = Kept(PERSON, served, "/person/page/7", 0, headers)
    body = scratch / "body"
    body.write_bytes(_answer(person))
    peers = ["--config", "bench/peers/gunicorn_settings.py", "bench.peers.flask_bytes:app"]
    own = {"BENCH_BIND": f"127.0.0.1:{bare}", "BENCH_BODY": str(body)}
    flask = start(BARE, bare, [str(_BIN / "gunicorn"), *peers], own)
    front = start(EDGE, edge, _nginx(scratch / "edge", edge, app), {})
    kept = [
        person,
        Kept(BARE, flask, "/bytes", 0),
        Kept(PUBLIC, served, "/web/offers", 0),
        Kept(EDGE, front, "/web/offers", 0),
    ]
    for each in kept:
        _answer(each)  # from now on it is there
    return kept


def measure_kept(kept: list[Kept], upstream: Server, rounds: int, seconds: int) -> dict[str, Any]:
    """Rates and costs; ratios round by round."""
    found: dict[str, list[Any]] = {each.name: [] for each in kept}
    for turn in range(rounds):
        for each in kept[turn % len(kept) :] + kept[: turn % len(kept)]:
            found[each.name].append(measure(each, upstream, seconds, 1, each.headers))
    pairs = zip(found[PERSON], found[BARE], strict=True)
    dearer = median(person.cpu / bare.cpu for person, bare in pairs)
    # with the same CPU: the load shares this machine, and takes more of it than nginx does
    fronts = zip(found[EDGE], found[PUBLIC], strict=True)
    faster = median(app.cpu / front.cpu for front, app in fronts)
    return {
        "medians": {
            name: {
                "rate": round(median(each.rate for each in measured), 1),
                "p99": round(median(each.p99 for each in measured), 3),
                "cpu": round(median(each.cpu for each in measured), 3),
            }
            for name, measured in found.items()
        },
        "cost_beside_a_bare_route": round(dearer, 2),
        "rate_of_nginx_for_the_same_cpu": round(faster, 1),
    }


def _session(state: Path) -> str:
    """A session in the app's store; its cookie."""
    rules = SessionRules(secrets=(SECRET,))
    store = open_store(rules.store, state / "sessions.db", time)
    tokens = Tokens(access="unused", expires=time() + 3600, refresh="")
    claims = {"name": "Ada"}
    ada = SignedIn("https://id.example", "ada", "sid", "", None, claims, tokens)
    given = Sessions(store, Seal([SECRET]), rules, time).create(ada, "main", "bench", {})
    store.close()
    return f"dev-bff={given}"  # its name on plain http at loopback


_OF_ORIGINS: Final = (
    ("$bff_frontend $http_origin", "$bff_allow_origin"),
    ("$bff_frontend $bff_allow_origin", "$bff_allow_credentials"),
)


def _nginx(folder: Path, port: int, app: int) -> list[str]:
    """The shipped nginx, without limits, for whoever runs this."""
    values = {
        "BFF_NGINX_LISTEN": f"127.0.0.1:{port}",
        "BFF_NGINX_UPSTREAM": f"127.0.0.1:{app}",
        "BFF_NGINX_RATE": "1000000r/s",
        "BFF_NGINX_BURST": "1000000",
        "BFF_NGINX_CONNECTIONS": "10000",
        "BFF_NGINX_STATE": str(folder / "state"),
        "BFF_NGINX_ACCESS_LOG": str(folder / "access.log"),
    }
    script = [str(ROOT / "nginx/render"), str(folder)]
    subprocess.run(script, env=os.environ | values, check=True)  # noqa: S603 - it is ours
    edge = 'map $path_only $bff_edge { default off; "~^/web/offers$" edge; }\n'
    for known, made in (("$request_uri", "$bff_frontend"), *_OF_ORIGINS):
        edge += f'map "{known}" {made} {{ default ""; }}\n'  # as for frontends without origins
    (folder / "edge.conf").write_text(edge)
    ours = ["-g", "user root;"] if os.geteuid() == 0 else []
    return [find("nginx"), "-e", "stderr", "-p", str(folder), "-c", f"{folder}/nginx.conf", *ours]


def _answer(each: Kept) -> bytes:
    """One answer, as wrk will ask for it."""
    headers = dict(header.split(": ", 1) for header in each.headers)
    with urlopen(Request(each.url, headers=headers), timeout=10) as reply:  # noqa: S310 - http
        if reply.status != HTTPStatus.OK:
            raise Failed(f"{each.name} answers {reply.status}")
        body: bytes = reply.read()
        return body
