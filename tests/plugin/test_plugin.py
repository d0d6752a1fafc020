"""The pytest plugin as a team's own tests meet it."""

import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from bff.dev.shop.recordings import shop_recordings

ROOT = Path(__file__).parents[2]
FAILING = {
    "unmatched": (
        """
def test_it(client_for):
    client_for().get("/web/search?q=zebra")
""",
        "config/views/search.yaml:",
    ),
    "unused": (
        """
import pytest

@pytest.mark.recordings("few", unused="fail")
def test_it(client_for):
    client_for().get("/web/search?q=lamp")
""",
        "recorded entries without a request",
    ),
    "unmatched in the background of a test that looks at nothing": (
        """
from bff.model.exchange import Deadline, Request
from queue import SimpleQueue

def test_it(recordings):
    recordings.start(Request("orders", "GET", "/none"), Deadline(1), 1, SimpleQueue())
""",
        "no recorded reply for GET orders:/none",
    ),
    "a matrix of what is broken already": (
        """
def test_it(failure_matrix):
    failure_matrix("home")
""",
        "answers 401 without a fault",
    ),
    "a mistake in a mock": (
        """
def broken(request):
    return {}["missing"]

def test_it(client_for, upstream):
    upstream.orders.get("/orders").mock(side_effect=broken)
    client_for("ada", tenant="acme").get("/web/home")
""",
        'return {}["missing"]',
    ),
    "a mistake in a mock says how a failure is meant": (
        """
def test_it(client_for, upstream):
    upstream.orders.get("/orders").mock(side_effect=ValueError("oops"))
    client_for("ada", tenant="acme").get("/web/home")
""",
        "raised by the mock of orders: for a call that fails",
    ),
    "an assertion in a mock": (
        """
def broken(request):
    assert request.headers["x-none"] == "1"

def test_it(client_for, upstream):
    upstream.orders.get("/orders").mock(side_effect=broken)
    client_for("ada", tenant="acme").get("/web/home")
""",
        'request.headers["x-none"] == "1"',
    ),
    "a mock that calls pytest.fail": (
        """
import pytest

def test_it(client_for, upstream):
    upstream.orders.get("/orders").mock(side_effect=lambda request: pytest.fail("never ask it"))
    client_for("ada", tenant="acme").get("/web/home")
""",
        "never ask it",
    ),
    "a mock that nothing asks": (
        """
def test_it(client_for, upstream):
    upstream.catalog.get("/serch").respond(503)
    client_for().get("/web/search?q=lamp")
""",
        "remove it, correct its path, or assert that `route.called` is false",
    ),
    "a matrix of a view that is not there": (
        """
def test_it(failure_matrix):
    failure_matrix("hom")
""",
        "there is no view `hom`; did you mean `home`?",
    ),
    "a matrix with a parameter that is not there": (
        """
def test_it(failure_matrix):
    failure_matrix("search", params={"q": "lamp", "pagge": 2})
""",
        "the view `search` has no parameter `pagge`; did you mean `page`?",
    ),
    "a matrix with a keyword that is not there": (
        """
def test_it(failure_matrix):
    failure_matrix("search", parms={"q": "lamp"})
""",
        "failure_matrix has no `parms`; did you mean `params`?",
    ),
    "a matrix without what the route needs": (
        """
def test_it(failure_matrix):
    failure_matrix("product")
""",
        "needs a value for",
    ),
    "a marker without a folder": (
        """
import pytest

@pytest.mark.recordings
def test_it(client_for):
    client_for().get("/web/search?q=lamp")
""",
        "the marker `recordings`: it takes one folder",
    ),
    "a marker with a keyword that is mistyped": (
        """
import pytest

@pytest.mark.recordings("few", unusd="fail")
def test_it(client_for):
    client_for().get("/web/search?q=lamp")
""",
        "unknown argument `unusd`",
    ),
    "a snapshot that does not hold": (
        """
def test_it(failure_matrix):
    failure_matrix("search", params={"q": "lamp"}, snapshots=True)
    failure_matrix("search", params={"q": "kettle"}, snapshots=True)
""",
        "--bff-update writes it anew",
    ),
}


def run(folder, *words, **environ):
    return subprocess.run(  # noqa: S603 - our own arguments
        [sys.executable, "-m", "pytest", "-q", "-W", "error", *words],
        cwd=folder,
        env={
            **{name: each for name, each in os.environ.items() if not name.startswith("PYTEST")},
            "CI": "",
            **environ,
        },
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def prepared(folder):
    (folder / "pytest.ini").write_text(f"[pytest]\nbff_config = {ROOT / 'config'}\n")
    few = folder / "few"
    few.mkdir()
    (few / "catalog.har").symlink_to(shop_recordings() / "catalog.har")
    return folder


@pytest.fixture
def folder(tmp_path):
    return prepared(tmp_path)


@pytest.fixture(scope="module")
def reports(tmp_path_factory):
    """What one run of pytest says of each of FAILING: most of what a run costs is its start."""
    folder = prepared(tmp_path_factory.mktemp("failing"))
    for name, (text, _) in FAILING.items():
        (folder / f"{module_of(name)}.py").write_text(text)
    done = run(folder, "--junit-xml=report.xml")
    assert done.returncode == 1, done.stdout
    cases = ET.parse(folder / "report.xml").iter("testcase")  # noqa: S314 - pytest wrote it
    found = {}
    for case in cases:
        found.setdefault(case.get("classname"), []).extend(case)
    return found


def module_of(name):
    return f"test_{list(FAILING).index(name)}"


@pytest.mark.parametrize("name", FAILING)
def test_what_goes_wrong_fails_the_test_and_says_why(reports, name):
    said = [each.text for each in reports[module_of(name)] if each.tag in ("failure", "error")]
    assert said, "it passed"
    assert FAILING[name][1] in "\n".join(said)


def test_a_snapshot_is_written_anew_where_that_is_asked_for(folder):
    (folder / "test_it.py").write_text(FAILING["a snapshot that does not hold"][0])
    assert run(folder, "--bff-update").returncode == 0
    assert (folder / "snapshots/search.json").is_file()


def test_a_snapshot_that_is_not_there_fails_where_nobody_would_commit_it(folder):
    (folder / "test_it.py").write_text(
        "def test_it(failure_matrix):\n"
        '    failure_matrix("search", params={"q": "lamp"}, snapshots=True)\n'
    )
    done = run(folder, CI="true")
    assert done.returncode == 1
    assert "there is no such snapshot; run with --bff-update" in done.stdout
    assert not (folder / "snapshots").exists()
    assert run(folder).returncode == 0
    assert run(folder, CI="true").returncode == 0


def test_a_mock_that_must_not_be_asked_is_no_mistake(folder):
    (folder / "test_it.py").write_text(
        "def test_it(client_for, upstream):\n"
        '    route = upstream.orders.post("/orders").respond(201)\n'
        '    client_for().get("/web/search?q=lamp")\n'
        "    assert not route.called\n"
    )
    done = run(folder)
    assert done.returncode == 0, done.stdout


def test_a_run_that_uses_nothing_of_it_imports_nothing_of_it(folder):
    (folder / "test_it.py").write_text(
        "import sys\n\ndef test_it():\n"
        "    assert not {'flask', 'httpx', 'respx', 'bff.app'} & sys.modules.keys()\n"
    )
    done = run(folder, "-p", "no:respx")
    assert done.returncode == 0, done.stdout
