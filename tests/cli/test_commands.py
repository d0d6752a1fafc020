"""What commands print, and how they end."""

import json
import re
import signal
import socket
import subprocess
import sys
import time
from http.client import HTTPConnection

import pytest

from bff.cli import COMMANDS
from bff.dev.shop.recordings import shop_recordings

BROKEN = "version: 1\nfrontends: {web: {access: none}}\nservices: {users: {ur: 'http://h'}}\n"


@pytest.fixture
def broken(tmp_path):
    (tmp_path / "bff.yaml").write_text(BROKEN)
    (tmp_path / "views").mkdir(exist_ok=True)
    (tmp_path / "views/home.yaml").write_text("get: /home\ncall: {get: usrs:/x}\n")
    return tmp_path


@pytest.fixture
def doubtful(tmp_path):
    (tmp_path / "bff.yaml").write_text(BROKEN.replace("ur:", "url:"))
    (tmp_path / "views").mkdir(exist_ok=True)
    calls = "calls:\n  a: {get: users:/x}\n  b: {get: users:/x}\nshape: a\n"
    (tmp_path / "views/home.yaml").write_text(f"get: /home\n{calls}")
    return tmp_path


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_an_example_in_its_help(bff, name):
    done = bff(name, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    lines = [line.strip() for line in done.stdout.splitlines()]
    assert f"bff {name}" in "\n".join(lines[lines.index("Examples:") :])


def test_help_lists_every_command_with_what_it_does(bff):
    done = bff("--help")
    assert done.returncode == 0
    for name in COMMANDS:
        assert re.search(rf"^  {name}\s+\S+", done.stdout, re.MULTILINE), name


def test_help_is_quick_because_it_loads_little(environ):
    script = (
        "import sys, bff.cli\n"
        "try: bff.cli.main(['--help'])\n"
        "except SystemExit: pass\n"
        "print(sorted({'flask', 'httpx', 'yaml', 'rich', 'gunicorn'} & sys.modules.keys()))"
    )
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, env=environ
    )
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    "arguments", [["nonsense"], ["check", "--nonsense"], ["demo", "--port", "x"]]
)
def test_wrong_usage_is_2(bff, arguments):
    done = bff(*arguments)
    assert done.returncode == 2
    assert "Usage:" in done.stderr


def test_check_finds_the_shop_good(bff):
    done = bff("check", SHOP_CLIENT_SECRET="kQ3v9ZtX7pLw2RfB8mNc5YhJ")
    assert (done.returncode, done.stdout, done.stderr) == (0, "10 views are good\n", "")


def test_check_warns_of_what_serve_refuses_and_of_who_cannot_sign_in(bff):
    done = bff("check", SESSION_SECRET="change-me-change-me-change-me-now")
    assert (done.returncode, done.stdout) == (0, "10 views are good, 2 warning(s)\n")
    assert (
        "config/bff.yaml:11:13: warning: `session.secrets` looks like a placeholder" in done.stderr
    )
    assert "config/bff.yaml:20:5: warning: the `client_secret` of `shop` is empty" in done.stderr


def test_check_of_a_broken_folder_is_2_and_names_every_place(bff, broken):
    done = bff("check", cwd=broken, BFF_CONFIG=".")
    assert done.returncode == 2
    assert "bff.yaml:3:20: error: a service has no key `ur`" in done.stderr
    assert "did you mean `url`?" in done.stderr
    assert done.stdout == "2 error(s)\n"
    assert "Traceback" not in done.stderr


def test_check_speaks_json(bff):
    good = json.loads(bff("check", "--json", SHOP_CLIENT_SECRET="kQ3v9ZtX7pLw2RfB8mNc5YhJ").stdout)
    assert good == {"good": True, "problems": []}


def test_check_tells_a_program_every_problem(bff, broken):
    done = bff("check", "--json", "--config", str(broken))
    content = json.loads(done.stdout)
    assert (done.returncode, done.stderr, content["good"]) == (2, "", False)
    told = {"id", "line", "column", "file", "severity", "message", "hint"}
    assert told == set(content["problems"][0])
    assert content["problems"][0]["line"] == 3


def test_warnings_are_errors_if_strict(bff, doubtful):
    assert bff("check", "--config", str(doubtful)).returncode == 0
    assert bff("check", "--config", str(doubtful), "--strict").returncode == 2


@pytest.mark.parametrize(
    "arguments",
    [["check"], ["routes"], ["routes", "--json"], ["explain", "home"], ["demo"], ["serve"]],
)
def test_a_folder_without_a_configuration_is_2(bff, tmp_path, arguments):
    done = bff(*arguments, "--config", str(tmp_path))
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("arguments", [["routes"], ["explain", "home"], ["demo", "--port", "0"]])
def test_a_broken_configuration_is_2_for_every_command(bff, broken, arguments):
    done = bff(*arguments, "--config", str(broken))
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_demo_of_a_broken_configuration_is_2_and_starts_nothing(bff, broken, port):
    (broken / "recordings").symlink_to(shop_recordings())
    done = bff("demo", "--config", str(broken), "--port", str(port))
    assert done.returncode == 2, done.stderr
    assert "bff.yaml:3:20" in done.stderr


def test_routes_lists_every_route(bff):
    done = bff("routes")
    assert done.returncode == 0
    for path in ("/web/home", "/mobile/home", "/web/orders/{id}", "/mobile/search"):
        assert path in done.stdout
    rows = json.loads(bff("routes", "--json").stdout)
    assert len(rows) == 20
    home = next(row for row in rows if row["path"] == "/mobile/home")
    assert home["calls"] == ["user", "unread", "orders"]
    assert (home["method"], home["view"], home["access"]) == ("GET", "home", "signed_in")


def test_serve_tells_of_every_answer_on_standard_error(environ, repository, port, tmp_path):
    command = [sys.executable, "-m", "bff.cli", "serve", "--workers", "1"]
    command += ["--bind", f"127.0.0.1:{port}", "--management-bind", ""]
    log = tmp_path / "log"
    with (
        log.open("wb") as out,
        subprocess.Popen(command, cwd=repository, env=environ, stdout=out, stderr=out) as process,  # noqa: S603
    ):
        try:
            end = time.monotonic() + 20
            while not _answers(port, "/livez"):
                assert time.monotonic() < end, log.read_text()
                time.sleep(0.02)
            _answers(port, "/web/products/S3CRET?q=S3CRET")
        finally:
            process.terminate()
            process.wait(20)
    lines = [line for line in log.read_text().splitlines() if '"answered"' in line]
    (told,) = map(json.loads, lines)
    assert (told["view"], told["frontend"], told["status"]) == ("product", "web", 502)
    assert "S3CRET" not in log.read_text()


def _answers(port, path):
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except OSError:
        return None
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("arguments", "environment", "told"),
    [
        ([], {"BFF_WORKERS": "many"}, "BFF_WORKERS"),
        (["--workers", "0"], {}, "--workers"),
        (["--management-bind", "nowhere"], {}, "nowhere"),
    ],
)
def test_serve_refuses_settings_that_cannot_be(bff, port, arguments, environment, told):
    done = bff("serve", "--bind", f"127.0.0.1:{port}", *arguments, **environment)
    assert done.returncode == 2, done.stderr
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_serve_of_a_broken_configuration_is_2_and_names_its_place(bff, broken, port):
    done = bff(
        *("serve", "--config", str(broken)),
        *("--bind", f"127.0.0.1:{port}", "--management-bind", ""),
    )
    assert done.returncode == 2
    assert "bff.yaml:3:20" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--recordings", "nowhere"], "nowhere"),
        (["--latency", "soon"], "soon"),
        (["--port", "users"], "users"),
        (["--port", "users=99999"], "users=99999"),
        (["--port", "ghost=9001"], "ghost"),
    ],
)
def test_stub_refuses_what_cannot_be(bff, arguments, told):
    done = bff("stub", *arguments)
    assert done.returncode == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stub_serves_until_it_is_stop_requested(environ, repository, number):
    command = [sys.executable, "-m", "bff.cli", "stub", "--json", "--control-port", "0"]
    with subprocess.Popen(  # noqa: S603
        command, cwd=repository, env=environ, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            told = json.loads(process.stdout.readline())
            assert len(told["services"]) == 6
            place = told["services"]["catalog"]
            connection = HTTPConnection("127.0.0.1", place["port"], timeout=10)
            connection.request("GET", "/nothing/recorded")
            assert connection.getresponse().status == 501
            connection.close()
        finally:
            process.send_signal(number)
        assert process.wait(10) == 0
    with socket.socket() as sock:
        assert sock.connect_ex(("127.0.0.1", place["port"])) != 0


def test_stub_says_when_a_port_is_taken(bff):
    with socket.create_server(("127.0.0.1", 0)) as server:
        done = bff("stub", "--port", f"users={server.getsockname()[1]}")
    assert done.returncode == 1
    assert "users" in done.stderr


def test_demo_says_when_its_port_is_taken(bff):
    with socket.create_server(("127.0.0.1", 0)) as server:
        done = bff("demo", "--port", str(server.getsockname()[1]))
    assert done.returncode == 1
    assert "is in use" in done.stderr


def test_demo_asks_nobody_but_stubs(bff, repository, tmp_path, port):
    config = (repository / "config/bff.yaml").read_text()
    (tmp_path / "bff.yaml").write_text(
        config.replace("${USERS_URL:-http://127.0.0.1:9001}", "http://h")
    )
    for name in ("views", "calls"):
        (tmp_path / name).symlink_to(repository / "config" / name)
    (tmp_path / "recordings").symlink_to(shop_recordings())
    done = bff("demo", "--config", str(tmp_path), "--port", str(port))
    assert done.returncode == 2
    assert "`users` is not a stub" in done.stderr


def test_explain_tells_every_call_and_what_it_waits_for(bff):
    done = bff("explain", "home")
    assert (done.returncode, done.stderr) == (0, "")
    for name in ("user", "unread", "orders", "product", "recommended", "reviews"):
        assert name in done.stdout
    assert "user.segment" in done.stdout
    assert "fallback" in done.stdout


def test_explain_speaks_json(bff):
    done = bff("explain", "home", "--json")
    assert done.returncode == 0
    assert "reviews" in json.dumps(json.loads(done.stdout))


def test_explain_says_how_pages_are_turned_and_what_is_a_stream(bff, doubtful):
    views = {
        "all": "call: {get: users:/x, pages: {cursor: meta.next, as: after, gather: 5}}",
        "one": "call: {get: users:/x, pages: {offset: skip, param: cursor}}",
        "told": "stream: events\ncall: {get: users:/x}",
    }
    for name, text in views.items():
        (doubtful / f"views/{name}.yaml").write_text(f"get: /{name}\n{text}\n")
    told = {name: bff("explain", name, "--config", str(doubtful)).stdout for name in views}
    assert "pages by cursor as after: at most 5, one after the other" in told["all"]
    assert "pages by offset: one, by ?cursor=" in told["one"]
    assert "a stream of events" in told["told"]


def test_explain_shows_values_and_what_they_read(bff, doubtful):
    view = "get: /v\nvalues: {total: 'sum(x.all)', more: 'add(total, params.n)', no: 'x'}\n"
    view += "params: {n: {type: integer}}\ncalls: {x: {get: users:/x}}\nshape: more\n"
    (doubtful / "views/v.yaml").write_text(view)
    told = bff("explain", "v", "--config", str(doubtful)).stdout
    assert "value total = sum(x.all): reads x.all" in told
    assert "value more = add(total, params.n): reads params.n, x.all" in told
    assert "value no" not in told
    told = json.loads(bff("explain", "v", "--json", "--config", str(doubtful)).stdout)
    reads = {"expression": "sum(x.all)", "reads": ["x.all"]}
    assert told[0]["values"]["total"] == reads


def test_explain_says_what_may_forbid_a_write(bff, doubtful):
    calls = "{may_cancel: {get: users:/may, guard: true}, cancel: {delete: users:/x}}"
    (doubtful / "views/cancel.yaml").write_text(f"delete: /x\ncalls: {calls}\n")
    told = bff("explain", "cancel", "--config", str(doubtful)).stdout
    assert "waits for `may_cancel`: it may fail the view" in told


def test_explain_knows_no_other_views(bff):
    done = bff("explain", "hom")
    assert done.returncode == 2
    assert "did you mean `home`?" in done.stderr
    assert "Traceback" not in done.stderr


def test_explain_lists_what_may_be_left_out_and_by_which_mark(bff, doubtful):
    view = """get: /marked
calls:
  user: {get: users:/me, optional: true}
  list: {get: users:/x, query: {who: "{user.id?}", all: true}, headers: {X-Plan: "{user.plan?}"}}
shape: list
"""
    (doubtful / "views/marked.yaml").write_text(view)
    said = bff("explain", "marked", "--config", str(doubtful)).stdout
    assert "optional parts: header x-plan by {user.plan?}, query who by {user.id?}" in said
    told = json.loads(bff("explain", "marked", "--config", str(doubtful), "--json").stdout)
    calls = told[0]["calls"]
    assert calls["user"]["may_leave_out"] == []
    assert {"what": "query who", "by": "{user.id?}"} in calls["list"]["may_leave_out"]
