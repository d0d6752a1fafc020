"""gunicorn's settings: those of the app, and what GUNICORN_CMD_ARGS has changed."""

from pathlib import Path

import pytest

from bff.declare.settings import Settings
from bff.errors import ConfigError
from bff.server.application import Server
from bff.server.settings import descriptors_needed, gunicorn_config
from bff.server.worker import Worker


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GUNICORN_CMD_ARGS", raising=False)


def test_they_follow_from_the_settings_of_the_process() -> None:
    settings = Settings(
        bind="127.0.0.1:81", management_bind="127.0.0.1:82", workers=3, threads=200, max_requests=50
    )
    config = gunicorn_config(settings, {})
    assert config.bind == ["127.0.0.1:81", "127.0.0.1:82"]
    assert (config.workers, config.threads, config.worker_connections) == (3, 200, 1600)
    assert (config.max_requests, config.max_requests_jitter) == (50, 5)
    assert config.worker_class is Worker
    assert not config.preload_app
    assert config.forwarder_headers == []
    assert config.forwarded_allow_ips == ["127.0.0.1", "::1"]
    assert descriptors_needed(config, 64) == 1600 + 200 + 128 + 256


def test_without_a_management_listener_there_is_one_socket() -> None:
    config = gunicorn_config(Settings(bind="127.0.0.1:81", management_bind=None), {})
    assert config.bind == ["127.0.0.1:81"]


def test_gunicorn_logs_no_request_even_to_syslog() -> None:
    config = gunicorn_config(Settings(), {"GUNICORN_CMD_ARGS": "--log-syslog"})
    assert config.syslog
    assert config.accesslog is None
    assert config.disable_redirect_access_to_syslog


def test_gunicorns_own_variable_changes_them() -> None:
    environ = {"GUNICORN_CMD_ARGS": "--keep-alive 5 --worker-connections 20"}
    config = gunicorn_config(Settings(), environ)
    assert (config.keepalive, config.worker_connections) == (5, 20)


def test_variables_that_gunicorn_reads_itself_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEB_CONCURRENCY", "17")
    assert gunicorn_config(Settings(workers=2), {}).workers == 2


def test_proxies_that_are_no_addresses_are_refused() -> None:
    with pytest.raises(ConfigError, match="forwarded_allow_ips"):
        gunicorn_config(Settings(), {"FORWARDED_ALLOW_IPS": "nowhere"})


def test_a_file_that_gunicorn_would_read_itself_is_refused(tmp_path: Path) -> None:
    (tmp_path / "gunicorn.conf.py").write_text("raise SystemExit(3)\n")
    with pytest.raises(ConfigError, match="delete this file"):
        gunicorn_config(Settings(), {})


def test_a_reload_reads_nothing_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server(Settings())
    before = server.cfg
    (tmp_path / "gunicorn.conf.py").write_text("raise SystemExit(3)\n")
    monkeypatch.setenv("GUNICORN_CMD_ARGS", "--preload")
    server.reload()
    assert server.cfg is before


def test_hooks_are_installed_and_the_app_is_made_when_it_is_asked_for() -> None:
    made = []
    server = Server(Settings(), lambda: made.append(1) or "app")
    assert server.cfg.on_reload.__self__.__class__.__name__ == "Hooks"
    assert not made
    assert server.wsgi() == "app"
    assert server.wsgi() == "app"
    assert made == [1]
