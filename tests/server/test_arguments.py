"""GUNICORN_CMD_ARGS: what is taken, and what is refused by its name."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from gunicorn.config import KNOWN_SETTINGS

from bff.errors import ConfigError
from bff.server.arguments import REFUSED, read_arguments

ROOT = Path(__file__).parents[2]
TAKEN = {
    "--backlog 4096": ("backlog", 4096),
    "--worker-connections 3000": ("worker_connections", 3000),
    "--max-requests-jitter 7": ("max_requests_jitter", 7),
    "--timeout 0": ("timeout", 0),
    "--graceful-timeout 90": ("graceful_timeout", 90),
    "--keep-alive 120": ("keepalive", 120),
    "--limit-request-line 4094": ("limit_request_line", 4094),
    "--limit-request-fields 50": ("limit_request_fields", 50),
    "--limit-request-field_size 8190": ("limit_request_field_size", 8190),
    "--no-sendfile": ("sendfile", False),
    "--pid /run/bff.pid": ("pidfile", "/run/bff.pid"),
    "--worker-tmp-dir /tmp": ("worker_tmp_dir", "/tmp"),  # noqa: S108 - it is only read
    "--umask 077": ("umask", 0o077),
    "--disable-redirect-access-to-syslog": ("disable_redirect_access_to_syslog", True),
    "--error-logfile -": ("errorlog", "-"),
    "--log-level 'warning'": ("loglevel", "warning"),
    "--capture-output": ("capture_output", True),
    "--log-syslog": ("syslog", True),
    "--log-syslog-to udp://logs:514": ("syslog_addr", "udp://logs:514"),
    "--log-syslog-prefix shop": ("syslog_prefix", "shop"),
    "--log-syslog-facility daemon": ("syslog_facility", "daemon"),
    "--statsd-host stats:8125": ("statsd_host", "stats:8125"),
    "--dogstatsd-tags a:b": ("dogstatsd_tags", "a:b"),
    "--statsd-prefix shop": ("statsd_prefix", "shop"),
    "--enable-backlog-metric": ("enable_backlog_metric", True),
    "--name shop": ("proc_name", "shop"),
    "--no-control-socket": ("control_socket_disable", True),
}
CLI = {each.name: each for each in KNOWN_SETTINGS if each.cli}
BESIDE = {"wsgi_app", *(name for name in REFUSED if name not in CLI)}  # no option sets these
VALUES = {
    "bind": "0.0.0.0:80",
    "worker_class": "gevent",
    "proxy_protocol": "auto",
    "ssl_version": "TLSv1_2",
}


def option_of(name: str) -> str:
    setting = CLI[name]
    takes_none = setting.action in {"store_true", "store_const"}
    value = "1" if setting.type is not str else "x"
    return setting.cli[-1] if takes_none else f"{setting.cli[-1]} {VALUES.get(name, value)}"


def refused(arguments: str) -> list[tuple[str, str]]:
    with pytest.raises(ConfigError) as raised:
        read_arguments({"GUNICORN_CMD_ARGS": arguments})
    return [(problem.message, problem.hint) for problem in raised.value.problems]


@pytest.mark.parametrize("arguments", TAKEN)
def test_what_the_app_does_not_count_on_is_taken(arguments: str) -> None:
    name, value = TAKEN[arguments]
    assert read_arguments({"GUNICORN_CMD_ARGS": arguments}) == {name: value}


@pytest.mark.parametrize("name", sorted(REFUSED.keys() - BESIDE))
def test_what_the_app_counts_on_is_refused_by_name(name: str) -> None:
    ((message, hint),) = refused(option_of(name))
    assert message.startswith(f"GUNICORN_CMD_ARGS cannot set `{name}`: ")
    assert hint


def test_every_option_that_gunicorn_has_is_taken_or_refused() -> None:
    """A new release may bring one that needs a decision."""
    taken = {name for name, _ in TAKEN.values()}
    assert not taken & REFUSED.keys()
    assert taken | (REFUSED.keys() - BESIDE) == CLI.keys()


def test_hooks_cannot_be_set() -> None:
    hooks = {each.name for each in KNOWN_SETTINGS if "Hooks" in each.section}
    assert hooks
    assert not hooks & CLI.keys()


@pytest.mark.parametrize("arguments", ["--preload", "--pre", "--backlog 9 --preload"])
def test_a_refusal_cannot_be_avoided_by_how_it_is_written(arguments: str) -> None:
    assert "`preload_app`" in refused(arguments)[0][0]


def test_all_refusals_are_told_at_once_and_another_app_is_one() -> None:
    messages = " ".join(message for message, _ in refused("-w 2 -b [::]:80 shop:app"))
    for name in ("workers", "bind", "wsgi_app"):
        assert f"`{name}`" in messages


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("--nothing-of-that-name", "--nothing-of-that-name"),
        ("--timeout soon", "--timeout"),
        ("--timeout -1", "timeout"),
        ("--name 'shop", "No closing quotation"),
        ("--worker-tmp-dir", "expected one argument"),
        ("--statsd-host a:b:c", "statsd_host"),
    ],
)
def test_what_gunicorn_cannot_read_is_told(arguments: str, told: str) -> None:
    ((message, _),) = refused(arguments)
    assert message.startswith("GUNICORN_CMD_ARGS")
    assert told in message


@pytest.mark.parametrize("given", [{}, {"GUNICORN_CMD_ARGS": " "}])
def test_nothing_is_nothing(given: dict[str, str]) -> None:
    assert read_arguments(given) == {}


@pytest.mark.parametrize("command", ["serve", "dev", "demo", "record"])
def test_a_command_that_serves_ends_with_2(command: str) -> None:
    environ = {**os.environ, "GUNICORN_CMD_ARGS": "--preload --access-logfile -"}
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-m", "bff.cli", command],
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert "cannot set `preload_app`" in done.stderr
    assert "cannot set `accesslog`" in done.stderr
    assert "Traceback" not in done.stderr
