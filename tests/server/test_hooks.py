"""What the hooks do in the master, without one."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from bff.declare import snapshot
from bff.declare.settings import Settings
from bff.server.hooks import Hooks
from bff.server.settings import gunicorn_config

VIEW = "get: /page\naccess: public\ntimeout: {timeout}\ncall: {{get: s:/x}}\n"


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(snapshot, "_state", snapshot._State())
    (tmp_path / "config/views").mkdir(parents=True)
    root = "version: 1\nfrontends: {web: {access: none}}\nservices: {s: {url: 'http://h'}}\n"
    (tmp_path / "config/bff.yaml").write_text(root)
    return tmp_path / "config"


@pytest.mark.parametrize(
    ("arguments", "slowest", "timeout", "graceful"),
    [
        ("", "3s", 30, 8),
        ("", "45s", 50, 50),
        ("--timeout 60 --graceful-timeout 20", "3s", 60, 20),
        ("--timeout 10 --graceful-timeout 1", "45s", 50, 50),
        ("--timeout 0", "45s", 0, 50),
    ],
)
def test_a_worker_may_take_as_long_as_the_slowest_view(
    config: Path, arguments: str, slowest: str, timeout: int, graceful: int
) -> None:
    (config / "views/page.yaml").write_text(VIEW.format(timeout=slowest))
    settings = Settings(config=config)
    server = SimpleNamespace(cfg=gunicorn_config(settings, {"GUNICORN_CMD_ARGS": arguments}))
    Hooks(settings, server.cfg)._allow_for_deadlines(server)
    assert (server.timeout, server.cfg.timeout) == (timeout, timeout)
    assert server.cfg.graceful_timeout == graceful
