"""Settings of the process, read from environment variables."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

from bff.declare.cpu_count import cpu_count
from bff.errors import ConfigError
from bff.model.problem import Problem
from bff.model.source import Place

_MOST_PORT: Final = 65535
_MOST_POOL: Final = 4096
_LEAST_WORKERS: Final = 2  # one serves while another is replaced
_LEAST_MEMORY: Final = 8  # MB
_CALLS_PER_THREAD: Final = 4  # typical number of concurrent calls of a view


def _state_folder() -> Path:
    """The folder for persistent state of this user (XDG Base Directory)."""
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state") / "bff"


def _workers() -> int:
    return max(_LEAST_WORKERS, cpu_count())


@dataclass(frozen=True, slots=True)
class Settings:
    """How the process runs; what it serves is in the configuration.

    Args:
        config: BFF_CONFIG, the folder that holds bff.yaml.
        bind: BFF_BIND, `HOST:PORT` of the public listener.
        management_bind: BFF_MANAGEMENT_BIND, that of the management listener; empty for none.
        workers: BFF_WORKERS, the number of processes; each uses one CPU.
        threads: BFF_THREADS, concurrent requests of each process.
        pool: BFF_POOL, concurrent upstream requests of each process.
        memory: BFF_MEMORY, bytes of replies and values made of them, in each process; with a unit,
            such as 128MB.
        cache_folder: BFF_CACHE_FOLDER, the folder of cache files where no store is declared.
        state: BFF_STATE, the folder of sessions that are not in Redis.
        max_requests: BFF_MAX_REQUESTS, requests after which a process is replaced; 0 for no limit.
        drain: BFF_DRAIN, seconds between becoming unready and stopping to accept requests.
        traces: whether spans are exported: OTEL_TRACES_EXPORTER is `otlp`, or a variable of
            OpenTelemetry has an endpoint.
    """

    config: Path = Path("config")
    bind: str = "127.0.0.1:8000"
    management_bind: str | None = "127.0.0.1:9090"
    workers: int = field(default_factory=_workers)
    threads: int = 16
    pool: int = 64
    memory: int = 128 * 1024 * 1024
    cache_folder: str = ""
    state: Path = field(default_factory=_state_folder)
    max_requests: int = 100_000
    drain: int = 0
    traces: bool = False

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """Read the settings.

        Args:
            environ: the environment variables.

        Raises:
            ConfigError: with every invalid value.
        """
        problems: list[Problem] = []

        def number(name: str, default: int, most: int, least: int = 1) -> int:
            text = environ.get(name, str(default))
            if text.isascii() and text.isdigit() and least <= int(text) <= most:
                return int(text)
            message = f"{name}={text!r} is not a number from {least} to {most}"
            problems.append(Problem("setting", Place("environment"), message))
            return default

        threads = number("BFF_THREADS", 16, 1024)

        def address(name: str, default: str) -> str:
            text = environ.get(name, default)
            port = text.rpartition(":")[2]
            if ":" in text and port.isascii() and port.isdigit() and 0 < int(port) <= _MOST_PORT:
                return text
            if text:
                message = f"{name}={text!r} is not an address such as {default}"
                problems.append(Problem("setting", Place("environment"), message))
            return text

        settings = cls(
            config=Path(environ.get("BFF_CONFIG", "config")),
            bind=address("BFF_BIND", "127.0.0.1:8000"),
            management_bind=address("BFF_MANAGEMENT_BIND", "127.0.0.1:9090") or None,
            workers=number("BFF_WORKERS", _workers(), 256),
            threads=threads,
            pool=number("BFF_POOL", min(_MOST_POOL, _CALLS_PER_THREAD * threads), _MOST_POOL),
            memory=_memory(environ.get("BFF_MEMORY", "128MB"), problems),
            cache_folder=environ.get("BFF_CACHE_FOLDER", ""),
            state=Path(environ.get("BFF_STATE") or _state_folder()),
            max_requests=number("BFF_MAX_REQUESTS", 100_000, 10**9, least=0),
            drain=number("BFF_DRAIN", 0, 300, least=0),
            traces=_traces(environ, problems),
        )
        if not problems and _port(settings.bind) == settings.management_port:
            message = "BFF_BIND and BFF_MANAGEMENT_BIND need different ports"
            problems.append(Problem("setting", Place("environment"), message))
        if problems:
            raise ConfigError(problems)
        return settings

    @property
    def management_port(self) -> int | None:
        """The port of the management listener; None if there is none."""
        return _port(self.management_bind)


def _memory(text: str, problems: list[Problem]) -> int:
    """A size in bytes, from a text such as `128MB`."""
    found = re.fullmatch(r"([0-9]{1,6})MB", text)
    if found and int(found[1]) >= _LEAST_MEMORY:
        return int(found[1]) * 1024 * 1024
    message = f"BFF_MEMORY={text!r} is not a size of at least {_LEAST_MEMORY}MB, such as 128MB"
    problems.append(Problem("setting", Place("environment"), message))
    return 0


def _traces(environ: Mapping[str, str], problems: list[Problem]) -> bool:
    """True if the variables of OpenTelemetry enable spans; only OTLP over HTTP is supported."""
    endpoint = any(
        environ.get(f"OTEL_EXPORTER_OTLP_{signal}ENDPOINT", "").strip()
        for signal in ("", "TRACES_")
    )
    exporter = environ.get("OTEL_TRACES_EXPORTER", "").strip() or ("otlp" if endpoint else "none")
    if exporter == "none" or environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    names = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
    protocol = next((environ[name] for name in names if environ.get(name)), "http/protobuf")
    given = {"OTEL_TRACES_EXPORTER": (exporter, "otlp"), names[1]: (protocol, "http/protobuf")}
    for name, (value, supported) in given.items():
        if value.strip() != supported:
            message = f"{name}={value!r} is not supported: only {supported} is"
            problems.append(Problem("setting", Place("environment"), message))
    return True


def _port(bind: str | None) -> int | None:
    return int(bind.rpartition(":")[2]) if bind else None
