"""Reads compose.yaml, as much of the format as it uses: another key is an error, not a surprise."""

import os
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from stack import dockerfile

_REFERENCE: Final = re.compile(r"\$(?:\$|\{(\w+)(?::-([^}]*))?\})")
_READ: Final = {"build", "command", "depends_on", "entrypoint", "environment", "expose"}
_READ |= {"healthcheck", "networks", "ports", "restart", "tmpfs", "volumes"}
_OF_CONTAINERS: Final = {"cap_drop", "image", "network_mode", "read_only", "security_opt"}
_OF_CONTAINERS |= {"stop_grace_period", "user"}  # processes are the user's own, and see everything


@dataclass(frozen=True, slots=True)
class Part:
    """A service of compose.yaml: one process, or one step.

    Args:
        command: its words, the entrypoint's first.
        environment: what the image sets, and what the service sets over it.
        ports: what it listens on in a container, and the port here that shows it, or 0.
        names: what other containers call it.
        folders: where something is mounted: a path of this machine, the name of a volume, or None
            for what is its own and empty at the start.
        after: whom it waits for; True for those that have to be done.
        health: the command that says whether it is well; empty for none.
        once: whether it is a step that ends.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(repr=False)
    ports: Mapping[int, int]
    names: tuple[str, ...]
    folders: Mapping[str, str | None]
    after: Mapping[str, bool]
    health: tuple[str, ...]
    once: bool


def read(path: Path, environ: Mapping[str, str] = os.environ) -> dict[str, Part]:
    """The parts, in an order in which each comes after those that it waits for.

    Args:
        environ: what `${NAME:-default}` refers to.

    Raises:
        ValueError: it has a key that is not read here.
    """
    declared = _filled(yaml.safe_load(path.read_text()), environ)["services"]
    parts = {name: _part(path.parent, name, keys) for name, keys in declared.items()}
    ordered: dict[str, Part] = {}
    while len(ordered) < len(parts):
        ready = [
            each
            for each in parts.values()
            if each.name not in ordered and each.after.keys() <= ordered.keys()
        ]
        if not ready:
            raise ValueError("services wait for each other")
        ordered |= {each.name: each for each in ready}
    return ordered


def _filled(value: Any, environ: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _filled(each, environ) for key, each in value.items()}
    if isinstance(value, list):
        return [_filled(each, environ) for each in value]
    if isinstance(value, str):
        return _REFERENCE.sub(
            lambda found: environ.get(found[1]) or found[2] or "" if found[1] else "$", value
        )
    return value


def _part(root: Path, name: str, keys: Mapping[str, Any]) -> Part:
    if unknown := keys.keys() - _READ - _OF_CONTAINERS:
        raise ValueError(f"services.{name}: {', '.join(sorted(unknown))} is not read here")
    target = keys.get("build", {}).get("target")
    stage = dockerfile.read(root / "Dockerfile")[target] if target else None
    environment = stage.environment if stage else {}
    environment.pop("PATH", None)
    command = [*_words(keys.get("entrypoint")), *_words(keys.get("command"))]
    check = keys.get("healthcheck", {}).get("test", [])[1:]
    return Part(
        name=name,
        command=tuple(command or (stage.command if stage else ())),
        environment=environment | keys.get("environment", {}),
        ports=_ports(keys),
        names=(name, *_aliases(keys.get("networks"))),
        folders=_folders(root, keys, stage),
        after={
            other: each["condition"] == "service_completed_successfully"
            for other, each in keys.get("depends_on", {}).items()
        },
        health=tuple(check or (stage.health if stage else ())),
        once=keys.get("restart") == "no",
    )


def _words(value: Any) -> list[str]:
    return shlex.split(value) if isinstance(value, str) else list(value or ())


def _ports(keys: Mapping[str, Any]) -> dict[int, int]:
    published = [each.split(":") for each in keys.get("ports", ())]
    return {int(port): 0 for port in keys.get("expose", ())} | {
        int(inside): int(outside) for _, outside, inside in published
    }


def _aliases(networks: Any) -> list[str]:
    declared = networks.values() if isinstance(networks, dict) else ()
    return [alias for each in declared for alias in (each or {}).get("aliases", ())]


def _folders(
    root: Path, keys: Mapping[str, Any], stage: dockerfile.Stage | None
) -> dict[str, str | None]:
    folders: dict[str, str | None] = {"/app": str(root)} if stage else {}
    folders |= dict.fromkeys([*keys.get("tmpfs", ()), *filter(None, [_volume(stage)])])
    for source, inside in (each.split(":")[:2] for each in keys.get("volumes", ())):
        folders[inside] = str(root / source) if source.startswith(".") else source
    return folders


def _volume(stage: dockerfile.Stage | None) -> str:
    return stage.last("VOLUME") if stage else ""
