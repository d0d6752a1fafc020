"""What reads compose.yaml and the Dockerfile, and runs what they say; and that they say it well."""

import os
import re
import time
from pathlib import Path

import pytest
import yaml

from stack import dockerfile
from stack.compose import Part, read
from stack.here import place
from stack.run import Failed, Stack

SAFE = {"read_only": True, "cap_drop": ["ALL"], "security_opt": ["no-new-privileges:true"]}
SLEEPS = """
services:
  first:
    image: x
    restart: "no"
    command: [sh, -c, "echo done > /kept/done"]
    volumes: ["kept:/kept"]
  second:
    image: x
    command: [sh, -c, "cat /kept/done; sleep 60 & wait"]
    volumes: ["kept:/kept"]
    depends_on: {first: {condition: service_completed_successfully}}
"""


@pytest.fixture(scope="module")
def declared(root: Path):
    return yaml.safe_load((root / "compose.yaml").read_text())["services"]


@pytest.fixture(scope="module")
def parts(root: Path) -> dict[str, Part]:
    return read(root / "compose.yaml", {})


def test_every_container_is_confined(declared) -> None:
    for name, service in declared.items():
        assert SAFE.items() <= service.items(), name
        assert "privileged" not in service, name


def test_every_image_is_one_of_ours_or_pinned(declared) -> None:
    for name, service in declared.items():
        assert "build" in service or re.search(r":\d+\.\d+\.\d+-", service["image"]), name


def test_everything_published_is_on_loopback_alone(declared) -> None:
    published = [each for service in declared.values() for each in service.get("ports", ())]
    assert published
    assert all(each.startswith("127.0.0.1:") for each in published)


def test_the_apps_are_two_of_the_same_and_share_only_what_they_may_not_write(declared) -> None:
    assert declared["app-1"] == declared["app-2"]
    assert all(each.endswith(":ro") for each in declared["app-1"]["volumes"])


def test_the_redis_of_sessions_evicts_nothing_and_that_of_the_cache_may(
    parts: dict[str, Part],
) -> None:
    def policy(name: str) -> str:
        words = parts[name].command
        return words[words.index("--maxmemory-policy") + 1]

    assert (policy("sessions"), policy("cache")) == ("noeviction", "allkeys-lru")
    stores = [parts["app-1"].environment[name] for name in ("SESSION_STORE", "CACHE_STORE")]
    assert stores == ["redis://sessions:6379/0", "redis://cache:6379/0"]


def test_apps_believe_the_one_proxy(root: Path, parts: dict[str, Part]) -> None:
    believed = parts["app-1"].environment["FORWARDED_ALLOW_IPS"].split(",")
    (proxy,) = set(believed) - {"127.0.0.1"}
    assert f"ipv4_address: {proxy}" in (root / "compose.yaml").read_text()


def test_who_is_waited_for_comes_first(parts: dict[str, Part]) -> None:
    order = list(parts)
    assert all(
        order.index(other) < at for at, name in enumerate(order) for other in parts[name].after
    )
    assert parts["nginx"].after == {"app-1": False, "app-2": False}


def test_an_image_brings_its_command_its_environment_and_its_check(parts: dict[str, Part]) -> None:
    app = parts["app-1"]
    assert app.command == ("bff", "serve")
    assert app.environment["BFF_CONFIG"] == "/app/config"
    assert "/livez" in app.health[-1]
    assert "PATH" not in app.environment


def test_names_paths_and_ports_become_those_of_this_machine(
    parts: dict[str, Part], root: Path, tmp_path: Path
) -> None:
    here = place(parts.values(), tmp_path, published=False)
    app, provider = here.ports["app-1"], here.ports["provider"]
    assert here.text("app-1", "0.0.0.0:8000") == f"127.0.0.1:{app[8000]}"
    assert here.text("app-1", "https://id.localhost:8444") == f"https://127.0.0.1:{provider[8444]}"
    assert here.text("app-1", "/app/config") == f"{root}/config"
    assert here.text("app-1", "('127.0.0.1', 8000, 2)") == f"('127.0.0.1', {app[8000]}, 2)"
    assert here.text("nginx", "/run/nginx/nginx.conf") == (
        f"{tmp_path}/own/nginx/run/nginx/nginx.conf"
    )
    assert here.text("services", "users=9001") == f"users={here.ports['services'][9001]}"
    assert here.text("app-1", "127.0.0.1,172.30.201.2") == "127.0.0.1,172.30.201.2"
    assert here.text("sessions", "allkeys 63790 /database") == "allkeys 63790 /database"


def test_a_key_that_is_not_read_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text("services: {a: {image: x, shm_size: 1g}}")
    with pytest.raises(ValueError, match=r"services\.a: shm_size"):
        read(tmp_path / "compose.yaml", {})


def test_references_have_defaults(tmp_path: Path) -> None:
    text = 'services: {a: {image: x, command: ["${A:-b}", "${C}", "$$D"]}}'
    (tmp_path / "compose.yaml").write_text(text)
    found = read(tmp_path / "compose.yaml", {"C": "c"})
    assert found["a"].command == ("b", "c", "$D")


def test_nothing_is_left_running(tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text(SLEEPS)
    state = tmp_path / "state"
    with Stack(tmp_path, state, published=False) as stack:
        second = stack.parts["second"]
        assert second.process
        group = second.process.pid
        assert is_there(group)
    gone(group)
    assert (state / "volumes/kept/done").read_text() == "done\n"


def test_a_part_that_is_killed_takes_its_children_along_and_comes_back(tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text(SLEEPS)
    with Stack(tmp_path, tmp_path / "state", published=False) as stack:
        second = stack.parts["second"]
        assert second.process
        group = second.process.pid
        second.kill()
        gone(group)
        second.start()
        assert not second.ended


def gone(group: int) -> None:
    deadline = time.monotonic() + 10
    while is_there(group):
        assert time.monotonic() < deadline, "a process is left"
        time.sleep(0.01)


def is_there(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_step_that_fails_is_told_with_its_log(tmp_path: Path) -> None:
    text = 'services: {a: {image: x, restart: "no", command: [sh, -c, "echo broken; exit 3"]}}'
    (tmp_path / "compose.yaml").write_text(text)
    with (
        pytest.raises(Failed, match=r"(?s)a failed.*broken"),
        Stack(tmp_path, tmp_path / "state", published=False),
    ):
        pass


def test_a_dockerfile_is_read_by_its_stages(root: Path) -> None:
    stages = dockerfile.read(root / "Dockerfile")
    assert list(stages)[-1] == "bff", "what `docker build .` makes"
    assert all("@sha256:" in each.base or each.base in stages for each in stages.values())
    for name in ("bff", "stand-ins"):
        assert stages[name].last("USER") == "10001:10001"
        assert stages[name].last("HEALTHCHECK" if name == "bff" else "CMD")
