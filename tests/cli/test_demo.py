"""`bff demo`, really started: it serves the shop, and leaves nothing behind."""

import json
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from zipfile import ZipFile

import pytest

from bff.dev.shop.recordings import shop_recordings
from tests.person import Person
from tests.ports import free_port


def until(what, happens, seconds=20.0):
    end = time.monotonic() + seconds
    while not (found := happens()):
        assert time.monotonic() < end, f"in vain: {what}"
        time.sleep(0.02)
    return found


def family(pid):
    """The processes below one, all the way down."""
    found, waiting = set(), [pid]
    while waiting:
        for path in Path(f"/proc/{waiting.pop()}/task").glob("*/children"):
            try:
                children = list(map(int, path.read_text().split()))
            except OSError:
                continue
            found |= set(children)
            waiting += children
    return found


def alive(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in "ZX"


class Demo:
    """A running demo."""

    def __init__(self, process, port):
        self.process, self.port = process, port
        self.person = Person(f"http://127.0.0.1:{port}")

    def shown(self, path):
        """What ada is shown."""
        if not self.person.session()["authenticated"]:
            self.person.sign_in()
        return self.person.ask(path)

    def ask(self, path, method="GET", body=None, port=None):
        """What anybody is answered, or told by a stub's control API."""
        connection = HTTPConnection("127.0.0.1", port or self.port, timeout=10)
        try:
            connection.request(method, path, body)
            reply = connection.getresponse()
            return reply.status, dict(reply.getheaders()), reply.read()
        finally:
            connection.close()

    def up(self):
        assert self.process.poll() is None, "it ended"
        try:
            return self.ask("/readyz")[0] == 200
        except OSError:
            return False


@contextmanager
def started(environ, repository, port, folder, *words):
    with (
        (folder / "out").open("wb") as out,
        subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", "bff.cli", *words, "--port", str(port)],
            cwd=repository,
            env=environ,
            stdout=out,
            stderr=subprocess.STDOUT,
        ) as process,
    ):
        demo = Demo(process, port)
        try:
            until("the demo to be up", demo.up)
            until("its greeting", lambda: b"Ctrl-C" in (folder / "out").read_bytes())
            yield demo
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait(20)


@pytest.fixture(scope="module")
def demo(environ, repository, tmp_path_factory):
    port = free_port()
    folder = tmp_path_factory.mktemp("demo")
    words = ("demo", "--latency", "1ms", "--as", "ada")
    with started(environ, repository, port, folder, *words) as made:
        made.control = int(
            (folder / "out").read_text().split("  stubs ")[1].split("127.0.0.1:")[1].split("/")[0]
        )
        yield made


def test_the_two_frontends_have_two_shapes(demo):
    status, headers, body = demo.shown("/web/home")
    web = json.loads(body)
    assert status == 200
    assert set(web) == {"user", "unread", "orders", "more"}
    assert len(web["orders"]) == 5
    assert web["orders"][0]["lines"][0]["title"]
    assert web["more"][0]["title"]
    assert headers["BFF-Calls"] == (
        "user=ok, unread=ok, orders=ok, product=ok, recommended=ok, reviews=ok"
    )
    assert "total;dur=" in headers["Server-Timing"]
    status, headers, body = demo.shown("/mobile/home")
    mobile = json.loads(body)
    assert status == 200
    assert set(mobile) == {"name", "unread", "orders"}
    assert isinstance(mobile["name"], str)
    assert headers["BFF-Calls"] == "user=ok, unread=ok, orders=ok"


def test_every_view_of_the_shop_answers(demo):
    order = json.loads(demo.shown("/web/home")[2])["orders"][0]
    product = order["lines"][0]["id"]
    for path in (f"/orders/{order['id']}", "/orders", f"/products/{product}", "/search?q="):
        for frontend in ("web", "mobile"):
            status, headers, body = demo.shown(f"/{frontend}{path}")
            assert status == 200, (path, body)
            assert "failed" not in headers["BFF-Calls"], (path, headers["BFF-Calls"])


def test_before_sign_in_only_what_is_public_is_answered(demo):
    for path in ("/web/home", "/mobile/home", "/web/orders"):
        status, headers, _ = demo.ask(path)
        assert (status, headers["Content-Type"]) == (401, "application/problem+json"), path
    assert demo.ask("/web/search?q=lamp")[0] == 200
    assert json.loads(demo.ask("/auth/session")[2]) == {"authenticated": False}


def test_ada_is_who_the_recordings_know(demo):
    demo.shown("/web/home")
    told = demo.person.session()
    assert (told["sub"], told["provider"]) == ("ada", "shop")
    assert (
        told["claims"].items() >= {"name": "Ada Lovelace", "plan": "pro", "tenant": "acme"}.items()
    )


def test_without_a_name_the_provider_asks_for_one(environ, repository, port, tmp_path):
    with started(environ, repository, port, tmp_path, "demo") as demo:
        status, _, body = demo.person.ask("/auth/login?return_to=/")
        assert status == 200
        assert b"Choose an account" in body
        said = (tmp_path / "out").read_text()
    assert "as ada or grace, without a password" in said


def test_nothing_of_its_sessions_is_left(environ, repository, port, tmp_path):
    (tmp_path / "here").mkdir()
    elsewhere = {**environ, "TMPDIR": str(tmp_path / "here"), "HOME": str(tmp_path)}
    with started(elsewhere, repository, port, tmp_path, "demo", "--as", "grace") as demo:
        assert demo.shown("/mobile/home")[0] == 200
        assert list((tmp_path / "here").rglob("sessions.db"))
    assert not list((tmp_path / "here").rglob("*"))
    assert not list(tmp_path.rglob("*session*"))


def test_no_code_and_no_token_is_written_to_its_output(environ, repository, port, tmp_path):
    with started(environ, repository, port, tmp_path, "demo", "--as", "ada") as demo:
        demo.shown("/web/home")
        cookies = [cookie.value for cookie in demo.person.jar]
    text = (tmp_path / "out").read_text()
    assert "signed_in" in text
    for never in ("code=", "eyJ", "state=", *cookies):
        assert never not in text, never


def test_the_page_is_served_with_its_files(demo):
    status, headers, body = demo.ask("/")
    assert status == 200
    assert headers["Content-Type"].startswith("text/html")
    assert b"<title>" in body
    assert "default-src 'none'" in headers["Content-Security-Policy"]


def test_what_is_of_another_customer_is_not_there(demo):
    recorded = json.loads((shop_recordings() / "orders.har").read_text())
    refused = next(
        entry["request"]["url"]
        for entry in recorded["log"]["entries"]
        if entry["response"]["status"] == 404 and "/access?customer=ada" in entry["request"]["url"]
    )
    order = refused.split("/")[-2]
    status, headers, body = demo.shown(f"/web/orders/{order}")
    assert (status, headers["Content-Type"]) == (404, "application/problem+json")
    assert json.loads(body)["call"] == "may_see"


def test_a_stub_that_is_down_makes_a_partial_answer_that_names_it(demo):
    def put(state):
        body = json.dumps({"state": state})
        return demo.ask("/services/recommendations", "PUT", body, port=demo.control)[0]

    assert put("down") == 200
    try:
        status, headers, body = demo.shown("/web/home")
    finally:
        assert put("up") == 200
    assert status == 200
    assert json.loads(body)["more"] == []
    assert "recommended=fallback;reason=unreachable" in headers["BFF-Calls"]
    assert headers["Cache-Control"] == "no-store"
    assert "recommended=ok" in demo.shown("/web/home")[1]["BFF-Calls"]


def test_a_required_stub_that_is_down_fails_the_view(demo):
    demo.ask("/services/users", "PUT", '{"state": "down"}', port=demo.control)
    try:
        status, headers, body = demo.shown("/web/home")
    finally:
        demo.ask("/services/users", "PUT", '{"state": "up"}', port=demo.control)
    assert (status, headers["Content-Type"]) == (502, "application/problem+json")
    assert json.loads(body)["call"] == "user"
    assert b"127.0.0.1" not in body


def test_it_listens_on_loopback_only(demo):
    inodes = set()
    for pid in {demo.process.pid, *family(demo.process.pid)}:
        for path in Path(f"/proc/{pid}/fd").iterdir():
            try:
                inodes.add(str(path.readlink()))
            except OSError:
                continue
    listening = [
        line.split()
        for table in ("tcp", "tcp6")
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]
    ]
    own = [each[1] for each in listening if each[3] == "0A" and f"socket:[{each[9]}]" in inodes]
    assert len(own) >= 10, "the app, its management, the provider, six services, their control"
    assert all(each.startswith("0100007F:") for each in own), own


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_with_0_and_leaves_no_child(environ, repository, port, tmp_path, number):
    with started(environ, repository, port, tmp_path, "demo") as demo:
        children = family(demo.process.pid)
        assert len(children) >= 4, "the stub, the provider, gunicorn, its worker"
        demo.process.send_signal(number)
        assert demo.process.wait(10) == 0, (tmp_path / "out").read_text()
        until("its children to be gone", lambda: not any(map(alive, children)), 10)
    assert "Traceback" not in (tmp_path / "out").read_text()
    with socket.create_server(("127.0.0.1", port)):
        pass


def test_even_killed_it_leaves_no_child(environ, repository, port, tmp_path):
    with started(environ, repository, port, tmp_path, "demo") as demo:
        children = family(demo.process.pid)
        demo.process.kill()
        demo.process.wait(10)
        until("its children to be gone", lambda: not any(map(alive, children)), 10)


def test_a_signal_while_it_starts_ends_it_as_well(environ, repository, port, tmp_path):
    with (
        (tmp_path / "out").open("wb") as out,
        subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", "bff.cli", "demo", "--port", str(port)],
            cwd=repository,
            env=environ,
            stdout=out,
            stderr=subprocess.STDOUT,
        ) as process,
    ):
        children = until("a child", lambda: family(process.pid))
        process.terminate()
        assert process.wait(15) == 0, (tmp_path / "out").read_text()
        until("its children to be gone", lambda: not any(map(alive, children)), 10)


def test_a_wheel_is_enough_in_an_empty_folder(environ, repository, port, tmp_path):
    wheels, installed, empty = (tmp_path / name for name in ("wheels", "installed", "empty"))
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(wheels)]
    subprocess.run(command, cwd=repository, check=True, capture_output=True)  # noqa: S603
    (wheel,) = wheels.glob("*.whl")
    with ZipFile(wheel) as archive:
        archive.extractall(installed)
    empty.mkdir()
    there = {**environ, "PYTHONPATH": str(installed), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    with started(there, empty, port, tmp_path, "demo", "--as", "ada") as demo:
        assert demo.shown("/web/home")[0] == 200
        assert demo.ask("/web/search?q=lamp")[0] == 200
    assert f"views        {installed}/bff/dev/shop/config/views" in (tmp_path / "out").read_text()
    assert not list(empty.iterdir())
    names = [str(path.relative_to(installed)) for path in installed.rglob("*")]
    assert not [name for name in names if name.endswith(".har") or "kubernetes" in name]


def test_a_second_start_takes_less_than_three_seconds(environ, repository, port, tmp_path):
    began = time.monotonic()
    with started(environ, repository, port, tmp_path, "demo"):
        took = time.monotonic() - began
    # the promise is three seconds; a loaded machine with other tests on it gets some more
    assert took < 6
