"""What operators see of the app as deployed: of several processes, full and ended ones."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.faults.deployed import Deployed, ask, deployed, until
from tests.faults.fault_proxy import FaultProxy
from tests.otlp_receiver import Receiver, attributes

VIEWS = {"page": "get: /page\ncall: {get: s:/x}\n"}
COUNT = "http_server_request_duration_seconds_count"
RECYCLED = {"BFF_MAX_REQUESTS": "20", "GUNICORN_CMD_ARGS": "--max-requests-jitter 5"}


@pytest.fixture
def proxy() -> Iterator[FaultProxy]:
    made = FaultProxy("s")
    yield made
    made.stop()


def values(app: Deployed, name: str, /, **labels: str) -> list[float]:
    """The values of a metric that have these labels."""
    text = ask(app.management, "/metrics").body.decode()
    return [
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    ]


def figures_of(service: Deployed) -> Path:
    (folder,) = Path("/dev/shm").glob(f"bff-run-metrics-{service.process.pid}-*")  # noqa: S108
    return folder


def test_nothing_is_lost_when_workers_are_replaced_and_their_files_stay_few(
    proxy: FaultProxy, tmp_path: Path
) -> None:
    services = f"  s: {{url: '{proxy.url}'}}\n"
    environ = {"BFF_WORKERS": "2", "BFF_THREADS": "4", **RECYCLED}
    with deployed(tmp_path / "config", services, VIEWS, **environ) as service:
        first = service.workers()
        answers = service.many("/web/page", 80)
        assert {each.status for each in answers} == {200}
        os.kill(next(iter(service.workers())), signal.SIGKILL)
        until("two workers", lambda: len(service.workers() - first) == 2)
        until("the dead are buried", lambda: _of(figures_of(service)) <= service.workers())
        assert values(service, COUNT, view="page") == [80]
        assert sum(values(service, "http_client_request_duration_seconds_count")) == 80
        assert sum(values(service, "bff_calls_total", view="page", outcome="ok")) == 80
        until("no gauge of the dead", lambda: max(values(service, "bff_threads")) <= 8)
        assert len(list(figures_of(service).iterdir())) <= 2 + 1 + 4 * 2
    assert not list(Path("/dev/shm").glob(f"bff-run-metrics-{service.process.pid}-*"))  # noqa: S108


def _of(folder: Path) -> set[int]:
    """The processes that have files there, without what stands for all that have ended."""
    return {int(each.stem.rpartition("_")[2]) for each in folder.glob("*.db")} - {0}


def test_operators_are_answered_while_all_request_threads_are_busy(
    proxy: FaultProxy, tmp_path: Path
) -> None:
    proxy.delay = 3.0
    services = f"  s: {{url: '{proxy.url}', timeout: 20s}}\n"
    views = {"page": VIEWS["page"] + "timeout: 20s\n"}
    with deployed(tmp_path / "config", services, views, BFF_THREADS="2") as service:
        busy = [threading.Thread(target=service.ask, args=["/web/page"]) for _ in range(3)]
        for thread in busy:
            thread.start()
        until("all threads are busy", lambda: values(service, "http_server_active_requests") == [2])
        began = time.monotonic()
        readiness = ask(service.management, "/readyz", timeout=3)
        took = time.monotonic() - began
        assert readiness.json["ready"] is True
        assert took < 2
        assert values(service, "bff_threads") == [2]
        assert values(service, "bff_service_places_taken", service="s") == [2]
        for thread in busy:
            thread.join(30)


def test_spans_of_a_worker_are_sent_when_it_ends_and_nobody_waits_for_who_takes_them(
    proxy: FaultProxy, tmp_path: Path
) -> None:
    services = f"  s: {{url: '{proxy.url}'}}\n"
    with Receiver() as receiver:
        environ = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url,
            "OTEL_SERVICE_NAME": "shop",
            "OTEL_BSP_SCHEDULE_DELAY": "100",
            "BFF_WORKERS": "2",
        }
        with deployed(tmp_path / "config", services, VIEWS, **environ) as service:
            receiver.hangs.set()
            took = [service.ask("/web/page").took for _ in range(20)]
            assert max(took) < 2
            receiver.hangs.clear()
            receiver.let_go.set()
        assert len(receiver.spans) == 40
        assert {each["service.name"] for each in receiver.resources} == {"shop"}
        assert {attributes(each)["bff.view"] for each in receiver.spans} == {"page"}
    assert "Traceback" not in service.log.read_text()
