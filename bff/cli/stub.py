"""`bff stub`: stand in for every recorded service until told to stop."""

from __future__ import annotations

import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

if TYPE_CHECKING:
    from collections.abc import Container, Mapping

    from bff.dev.stub import StubServices
    from bff.dev.stub_message import Fault
    from bff.dev.tape import Tape

FAULT_WORDS: Final[dict[str, Fault]] = {
    "reset": "reset",
    "empty": "empty",
    "truncated": "truncated",
    "slow": "dribble_body",
    "hang": "hang",
}
_MOST_LISTED: Final = 5


@click.command(name="stub", no_args_is_help=False)
@click.option(
    "--recordings",
    type=click.Path(path_type=Path),
    default=Path("config/recordings"),
    show_default=True,
    help="Where the {service}.har files are.",
)
@click.option(
    "--port", "ports", multiple=True, metavar="SERVICE=N", help="A fixed port; else a free one."
)
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    metavar="ADDRESS",
    help="Where they listen; 0.0.0.0 in a container.",
)
@click.option(
    "--latency",
    default="recorded",
    show_default=True,
    metavar="recorded|50ms|20ms-80ms",
    help="How long replies take.",
)
@click.option(
    "--fault",
    "faults",
    multiple=True,
    metavar="SERVICE=KIND",
    help="What a service does instead of replying: reset, empty, truncated, slow (a byte now and"
    " then), hang.",
)
@click.option(
    "--control-port",
    type=click.IntRange(0, 65535),
    help="Serve the control API here; 0 takes a free port.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON, for a program.")
def command(
    recordings: Path,
    ports: tuple[str, ...],
    host: str,
    latency: str,
    faults: tuple[str, ...],
    control_port: int | None,
    *,
    as_json: bool,
) -> None:
    """Answer for the services from recordings, each on a port of its own.

    Of several replies to one request each comes once, in the order of the recording, and the last
    from then on. What is not recorded is answered 501, with what comes nearest. A file `live.py`
    beside the recordings may answer for what has a state. When it ends, it lists the entries that
    nobody has asked for.

    \b
    Examples:
      bff stub
      bff stub --port users=9001 --port orders=9002 --latency 20ms-80ms
      bff stub --fault reviews=truncated --fault orders=slow
      bff stub --control-port 9000
      curl -X PUT http://127.0.0.1:9000/services/orders -d '{"state": "down"}'
    """  # noqa: D301 - \b is click's: keep these lines as they are
    from bff.dev.recording import RecordingError
    from bff.dev.stub import StubServices
    from bff.dev.stub_replay import answerers_of, read_latency
    from bff.dev.tape import tapes_of

    stopped = threading.Event()
    before = {
        number: signal.signal(number, lambda *_: stopped.set())
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        takes = read_latency(latency)
        tapes = tapes_of(recordings)
        answerers = answerers_of(recordings, tapes, takes)
        services = StubServices(answerers, _read_ports(ports), control_port=control_port, host=host)
        with services:
            for service, fault in _read_faults(faults, tapes):
                services.set(service, fault=fault)
            _announce(services, as_json=as_json)
            stopped.wait()
        if not as_json:
            _list_unused(tapes)
    except (RecordingError, ValueError) as error:
        click.echo(f"bff stub: {error}", err=True)
        sys.exit(2)
    except OSError as error:
        click.echo(f"bff stub: {error.strerror}", err=True)
        sys.exit(1)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _read_ports(texts: tuple[str, ...]) -> dict[str, int]:
    ports = {}
    for text in texts:
        service, _, number = text.partition("=")
        if not service or not number.isdecimal() or int(number) > 65535:  # noqa: PLR2004 - TCP's own
            raise ValueError(f"--port {text}: should read as --port users=9001")
        ports[service] = int(number)
    return ports


def _read_faults(texts: tuple[str, ...], known: Container[str]) -> list[tuple[str, Fault]]:
    found: list[tuple[str, Fault]] = []
    for text in texts:
        service, _, kind = text.partition("=")
        fault = FAULT_WORDS.get(kind)
        if service not in known or fault is None:
            words = ", ".join(FAULT_WORDS)
            raise ValueError(f"--fault {text}: should name a service, and one of {words}")
        found.append((service, fault))
    return found


def _list_unused(tapes: Mapping[str, Tape]) -> None:
    for service, tape in tapes.items():
        unused = tape.unused()
        if unused:
            click.echo(f"{service}: {len(unused)} of {len(tape.recording.entries)} entries unused")
        for entry in unused[:_MOST_LISTED]:
            click.echo(f"  log.entries[{entry.number}]: {entry.method} {entry.target}")
        if len(unused) > _MOST_LISTED:
            click.echo(f"  and {len(unused) - _MOST_LISTED} more")


def _announce(services: StubServices, *, as_json: bool) -> None:
    if as_json:
        import orjson

        places = {
            name: {"port": port, "url": services.urls[name]}
            for name, port in services.ports.items()
        }
        line = orjson.dumps({"services": places, "control": services.control_url}).decode()
        print(line, flush=True)  # noqa: T201 - flushed, for the parent process that reads it
        return
    _print_table(services)


def _print_table(services: StubServices) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("service", "address", title="Services, from recordings", title_justify="left")
    for name, url in services.urls.items():
        table.add_row(name, url)
    console = Console()
    console.print(table)
    if services.control_url:
        console.print(f"Control: {services.control_url}/services")
    console.print("Ctrl-C stops them.")
