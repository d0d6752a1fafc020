"""Whatever happens, no code, token, cookie or secret is written anywhere: a test for each sink.

Once for all tests the whole chain runs, and all is done there that goes well or wrong. For each
sink a word is planted, too, which must be found in it: who looks for leaks there can see them.
"""

import json
import re
import socket
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

import pytest

from bff.auth.session.sessions import key_of
from tests.e2e.sinks import mischief
from tests.e2e.sinks.running import ROOT, Chain, chain
from tests.e2e.sinks.secret import JWT, KINDS, Secrets
from tests.e2e.sinks.visitor import SESSION, Answer, Visitor, until
from tests.ports import free_port
from tests.project.test_nginx import command, listening, render

SERVER = re.compile(rb"\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d{4}\] \[\d+\] \[[A-Z]+\] ")
WORKERS = ("app", "direct")


@dataclass
class Run:
    """What everybody has written by the end.

    Args:
        sinks: by name.
        stored: keys of sessions, which are in the stores.
    """

    secrets: Secrets
    planted: bytes
    sinks: dict[str, bytes]
    answers: list[Answer]
    refused: bytes
    stored: list[bytes]
    audited: set[str]

    def leaks(self, sink: str, besides: tuple[str, ...] = ()) -> list[str]:
        return self.secrets.those_in(self.sinks[sink], besides)

    def shows(self, sink: str, before: bytes = b"") -> bool:
        """Whether the planted word is there, after some other."""
        return before + self.planted in self.sinks[sink]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    sinks: dict[str, bytes] = {}
    with chain(tmp_path_factory.mktemp("sinks")) as made:
        with made.stack:
            _at_both(made, lambda visitor: _all_of_it(visitor, made.planted))
            mischief.signs_out(made.visitor)
            mischief.the_grant_ends(made.visitor.sign_in(), made.client_secret)
            mischief.the_provider_is_abused(made.visitor, made.client_secret)
            stored = _while_it_runs(made, sinks)
            _parts_are_away(made)
        _after_it_has_run(made, sinks)
        audited = {json.loads(line)["what"] for line in sinks["audit"].splitlines()}
        answers = [*made.visitor.answers, *made.direct.answers]
        refused, planted = made.visitor.refused, made.planted.encode()
        return Run(made.secrets, planted, sinks, answers, refused, stored, audited)


def _at_both(made: Chain, does: Callable[[Visitor], object]) -> None:
    """At the app behind nginx, and at the one that is asked directly, at once."""
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(does, (made.visitor, made.direct)))


def _all_of_it(visitor: Visitor, planted: str) -> None:
    assert visitor.ask(f"/web/plant/{planted}").status == 200
    mischief.all_goes_well(visitor)
    mischief.services_go_wrong(visitor)
    mischief.sign_ins_go_wrong(visitor)
    mischief.requests_go_wrong(visitor)


def _while_it_runs(made: Chain, sinks: dict[str, bytes]) -> list[bytes]:
    """Look where nothing is any more once processes have ended and stores are away."""
    visitors = (made.visitor.sign_in(), made.direct.sign_in())
    sinks["SQLite"] = made.files("state/*")
    sinks["Redis"] = b"\n".join(_everything(made))
    sinks["command lines"] = made.proc("cmdline")
    for name in made.processes:
        sinks[f"environment of {name}"] = made.proc("environ", name)
    return [key_of(each.cookies[SESSION]).encode() for each in visitors]


def _everything(made: Chain) -> Iterator[bytes]:
    """Every key of the Redis, and what is there."""
    for key in made.redis.tell("KEYS", "*"):
        kind = made.redis.tell("TYPE", key).decode()
        read = {"string": ("GET",), "hash": ("HGETALL",), "zset": ("ZRANGE", 0, -1)}
        command, *rest = read.get(kind, ("SMEMBERS",))
        yield key + b" " + repr(made.redis.tell(command, key, *rest)).encode()
        yield key + b" " + made.redis.tell("DUMP", key)


def _parts_are_away(made: Chain) -> None:
    visitors = (made.visitor, made.direct)
    backs = {each: each.at_provider(each.begin()) for each in visitors}
    with made.hung("provider"):
        _at_both(made, lambda each: mischief.the_provider_is_away(each, backs[each]))
    backs = {each: each.at_provider(each.begin()) for each in visitors}
    made.damage()
    made.redis.kill()
    _at_both(made, lambda each: mischief.the_store_is_away(each, backs[each]))


def _after_it_has_run(made: Chain, sinks: dict[str, bytes]) -> None:
    """Take the output of the apps apart, line by line: nothing of it belongs to no sink."""
    kinds: dict[str, list[bytes]] = {"log": [], "audit": [], "server": [], "output": []}
    for line in b"\n".join(made.written(name) for name in WORKERS).splitlines():
        if line.startswith(b"{"):
            kinds["audit" if json.loads(line)["message"] == "audit" else "log"].append(line)
        else:
            kinds["server" if SERVER.match(line) else "output"].append(line)
    sinks |= {kind: b"\n".join(lines) for kind, lines in kinds.items()}
    sinks["provider"] = made.written("provider")
    sinks["libraries"] = made.files("libraries.log")
    sinks["access log"] = made.files("nginx/access.log")
    sinks["error log"] = made.written("nginx")


def test_a_secret_of_each_kind_was_there_to_be_found(run: Run) -> None:
    assert run.secrets.kinds.keys() == KINDS
    assert run.secrets.kinds["access token"] > run.secrets.kinds["client secret"] == 1


def test_all_that_is_audited_was_done(run: Run) -> None:
    assert run.audited == {"signed_in", "signed_out", "refreshed", "ended", "refused"}
    assert b'"reason":"backchannel"' in run.sinks["audit"]
    assert b'"reason":"invalid_grant"' in run.sinks["audit"]


def test_a_secret_is_found_in_whatever_form_it_is_written() -> None:
    secrets = Secrets()
    secret = secrets.add("client secret", "s/ cret+that is%long enough")
    for written in (secret, repr({"x": secret}), json.dumps(secret), secret[:20], secret[-21:]):
        assert secrets.those_in(written.encode()) == ["client secret"], written
    for form in ("s%2F+cret%2Bthat+is%25long+enough", "Basic c2hvcDpzLyBjcmV0K3RoYXQgaXMlbG9uZyBl"):
        assert secrets.those_in(form.encode()) == ["client secret"], form
    assert secrets.those_in(b"x eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJodHRwIn0.c2ln") == [JWT]
    assert not secrets.those_in(b"s/ cret+that")


def test_the_log_has_no_secret(run: Run) -> None:
    assert run.shows("log", b'"message":"log ')
    told = [line for line in run.sinks["log"].splitlines() if b"log of an exception" in line]
    assert [b'"error":"KeyError"' in line for line in told] == [True, True]
    assert not any(run.planted in line for line in told)
    assert b'"error":"ExceptionGroup"' in run.sinks["log"]
    assert run.leaks("log") == []


def test_the_audit_has_no_secret(run: Run) -> None:
    assert run.shows("audit", b'"reason":"audit ')
    assert run.leaks("audit") == []


def test_the_servers_log_has_no_secret(run: Run) -> None:
    assert run.shows("server", b"[ERROR] server ")
    assert b'"message":"malformed request"' in b"".join(run.sinks.values())
    assert b"[DEBUG] Ignored premature client disconnection" in run.sinks["server"]
    assert run.leaks("server") == []


def test_what_else_the_app_prints_has_no_secret(run: Run) -> None:
    """Tracebacks too, if there were any: only the planted one's message is nowhere."""
    for before in (b"<stdout> ", b"<stderr> ", b"UserWarning: warning "):
        assert run.shows("output", before)
    assert b"\nKeyError\n    /" in run.sinks["output"]  # after a line of the server
    assert b"Traceback" not in run.sinks["output"]
    assert run.leaks("output") == []


def test_what_libraries_log_has_no_secret_though_all_of_it_is_written(run: Run) -> None:
    for name in (b"authlib", b"flask_cors", b"joserfc", b"redis", b"werkzeug"):
        assert run.shows("libraries", b"DEBUG:" + name + b":" + name + b" ")
    for name in (b"httpcore", b"httpx"):  # of which we have said that they may warn, no more
        assert run.shows("libraries", b"ERROR:" + name + b":" + name + b" ")
        assert b"DEBUG:" + name not in run.sinks["libraries"]
    assert run.leaks("libraries") == []


def test_what_libraries_log_is_in_the_log_that_has_no_secret(run: Run) -> None:
    for level in (b"error", b"debug"):
        assert run.shows("log", b'"level":"' + level + b'","message":"authlib ')


def test_no_answer_has_a_secret_but_those_that_it_is_for(run: Run) -> None:
    """Our cookies, in Set-Cookie; what a provider is told; and the hint with which it signs out."""
    assert any(run.planted in answer.body for answer in run.answers)
    for answer in run.answers:
        for name, value in answer.headers:
            besides = _wanted(answer, name)
            assert run.secrets.those_in(value.encode(), besides) == [], (answer.asked, name)
        hint = {"ID token", "nonce", JWT} if answer.asked == "POST /auth/logout" else set()
        assert run.secrets.those_in(answer.body, hint) == [], answer.asked


def _wanted(answer: Answer, header: str) -> set[str]:
    if header.lower() == "set-cookie":
        return {"session id", "login cookie"}
    begun = answer.status == 303 and answer.asked.startswith("GET /auth/login")
    return {"state", "nonce"} if begun and header.lower() == "location" else set()


def test_no_answer_repeats_what_is_no_request(run: Run) -> None:
    assert run.refused.count(b"HTTP/1.1 400 ") > 5
    assert b'"status":431' in run.refused  # of gunicorn itself
    assert run.secrets.those_in(run.refused) == []


def test_nginxs_access_log_has_no_secret(run: Run) -> None:
    assert run.shows("access log", b'"path":"/web/plant/')
    assert b'"path":"/auth/callback"' in run.sinks["access log"]
    assert run.leaks("access log") == []


@pytest.mark.parametrize("level", ["emerg", "crit"])
def test_nginxs_error_log_has_no_secret_even_when_nginx_is_at_its_end(
    run: Run, tmp_path: Path, level: str
) -> None:
    """At `crit` it has, which shows that it would be seen."""
    code = run.secrets.add("authorization code", "a-code-that-nginx-writes-down")
    written = at_its_end(tmp_path, level, f"/auth/callback?code={code}")
    assert run.secrets.those_in(written) == ([] if level == "emerg" else ["authorization code"])
    assert run.leaks("error log") == []


def at_its_end(folder: Path, level: str, path: str) -> bytes:
    """What nginx as shipped writes when it has no connection left for a request."""
    port = free_port()
    with ExitStack() as stack:
        upstream = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        upstream.settimeout(10)
        rendered = render(
            ROOT,
            folder / "nginx",
            BFF_NGINX_LISTEN=f"127.0.0.1:{port}",
            BFF_NGINX_UPSTREAM=f"127.0.0.1:{upstream.getsockname()[1]}",
        )
        _replace(rendered / "nginx.conf", "worker_connections 4096", "worker_connections 9")
        _replace(rendered / "nginx.conf", "worker_processes auto", "worker_processes 1")
        _replace(rendered / "bff.conf", "error_log stderr emerg", f"error_log stderr {level}")
        with (folder / "errors").open("wb") as out:
            process = subprocess.Popen(command(rendered), stderr=out)  # noqa: S603
        stack.callback(process.wait, 10)
        stack.callback(process.terminate)
        until("nginx listens", lambda: listening(port))
        for _ in range(3):  # each takes two of its connections
            client = HTTPConnection("127.0.0.1", port, timeout=10)
            stack.callback(client.close)
            client.request("GET", path)
            stack.enter_context(upstream.accept()[0])
        last = HTTPConnection("127.0.0.1", port, timeout=10)
        stack.callback(last.close)
        last.request("GET", path)
        assert last.getresponse().status == 500
    return (folder / "errors").read_bytes()


def _replace(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_the_demos_provider_prints_no_secret(run: Run) -> None:
    for before in (b"<stdout> ", b"<stderr> ", b"log "):
        assert run.shows("provider", before)
    assert run.leaks("provider") == []


def test_the_sqlite_file_has_no_secret(run: Run) -> None:
    assert b"tokens:" + run.stored[0] in run.sinks["SQLite"]
    assert run.leaks("SQLite") == []


def test_the_redis_has_no_secret(run: Run) -> None:
    assert b"tokens:" + run.stored[1] in run.sinks["Redis"]
    assert run.leaks("Redis") == []


def test_command_lines_have_no_secret(run: Run) -> None:
    assert run.shows("command lines")
    assert b"nginx: worker process" in run.sinks["command lines"]
    assert run.leaks("command lines") == []


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("app", ["client secret", "session secret"]),
        ("direct", ["Redis password", "client secret", "session secret"]),
        ("provider", ["client secret"]),
        ("nginx", []),
    ],
)
def test_the_environment_has_no_secret_but_what_a_process_was_told_by_it(
    run: Run, name: str, told: list[str]
) -> None:
    if name != "nginx":  # which writes its title over it
        assert run.shows(f"environment of {name}", b"PLANTED=")
    assert run.leaks(f"environment of {name}") == told
