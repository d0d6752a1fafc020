"""`bff stub`: stub servers that replay the recordings of services."""

from __future__ import annotations

import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bff.cli.configured import recordings_option
from bff.cli.console import console
from bff.cli.faults import fault_option, read_faults

if TYPE_CHECKING:
    from bff.dev.stubs.stub import StubServices


@click.command(name="stub", no_args_is_help=False)
@recordings_option
@click.option(
    "--port",
    "ports",
    multiple=True,
    metavar="SERVICE=N",
    help="The port of a service; default a free one.",
)
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    metavar="ADDRESS",
    help="The address to listen on; 0.0.0.0 in a container.",
)
@click.option(
    "--latency",
    default="recorded",
    show_default=True,
    metavar="recorded|50ms|20ms-80ms",
    help="Latency of replies.",
)
@fault_option
@click.option(
    "--control-port",
    type=click.IntRange(0, 65535),
    help="The port of the control API; 0 for a free one.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON, for programs.")
def command(
    recordings: Path | None,
    ports: tuple[str, ...],
    host: str,
    latency: str,
    faults: tuple[str, ...],
    control_port: int | None,
    *,
    as_json: bool,
) -> None:
    """Serve stubs of all recorded services, each on its own port.

    Several replies to one request are replayed in the order of the recording; the last is repeated
    from then on. A request that is not recorded gets a 501 with the nearest recorded request. A
    file `live.py` beside the recordings may answer requests that depend on state. When it ends, it
    lists the unused entries.

    \b
    Examples:
      bff stub
      bff stub --port users=9001 --port orders=9002 --latency 20ms-80ms
      bff stub --fault reviews=truncated --fault orders=slow
      bff stub --control-port 9000
      curl -X PUT http://127.0.0.1:9000/services/orders -d '{"state": "down"}'
    """  # noqa: D301 - \b is click's: keep these lines as they are
    from bff.cli.progress import bar
    from bff.dev.har_files import RecordingError
    from bff.dev.recordings.answerer import answerers_of, read_latency
    from bff.dev.recordings.replay_cursor import replay_cursors, unused_report
    from bff.dev.shop.recordings import folder_of
    from bff.dev.stubs.stub import StubServices

    stopped = threading.Event()
    before = {
        number: signal.signal(number, lambda *_: stopped.set())
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        takes = read_latency(latency)
        folder = recordings or folder_of(Path("config"))
        cursors = replay_cursors(folder, watch=bar)
        answerers = answerers_of(folder, cursors, takes)
        services = StubServices(answerers, _read_ports(ports), control_port=control_port, host=host)
        with services:
            for service, fault in read_faults(faults, cursors).items():
                services.set(service, fault=fault)
            _announce(services, as_json=as_json)
            stopped.wait()
        if not as_json:
            click.echo("".join(f"{line}\n" for line in unused_report(cursors)), nl=False)
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
        if not service or not number.isdecimal() or int(number) > 65535:  # noqa: PLR2004 - the highest TCP port
            raise ValueError(f"--port {text}: not of the form --port users=9001")
        ports[service] = int(number)
    return ports


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
    from rich.table import Table

    table = Table("service", "address", title="Services, from recordings", title_justify="left")
    for name, url in services.urls.items():
        table.add_row(name, url)
    out = console()
    out.print(table)
    if services.control_url:
        out.print(f"Control: {services.control_url}/services")
    out.print("Ctrl-C stops them.")
