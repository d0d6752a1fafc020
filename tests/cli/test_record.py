"""`bff record`, really started, over the shop's stubs as if these were the services."""

import json

from bff.dev.stub import StubServices
from bff.dev.stub_replay import replay_all
from tests.cli.test_demo import started, until


def test_it_records_what_is_asked_and_says_so(environ, repository, port, tmp_path):
    answerers = replay_all(repository / "config/recordings", lambda _: 0.0)
    folder = tmp_path / "made"
    with StubServices(answerers) as services:
        urls = {f"{name.upper()}_URL": url for name, url in services.urls.items()}
        words = ("record", "--as", "ada", "--recordings", str(folder))
        with started({**environ, **urls}, repository, port, tmp_path, *words) as app:
            assert app.shown("/web/home")[0] == 200
            until("the recording", (folder / "orders.har").is_file)
            assert app.shown("/web/orders/o-5038")[0] == 200
        assert app.process.returncode == 0, (tmp_path / "out").read_text()
    log = json.loads((folder / "orders.har").read_text())["log"]
    assert [page["title"] for page in log["pages"]] == ["/web/home", "/web/orders/o-5038"]
    text = (folder / "orders.har").read_text()
    assert "Bearer redacted-" in text
    said = (tmp_path / "out").read_text()
    assert f"{folder}/orders.har: {len(log['entries'])} entries" in said
    assert "left out" not in said


def test_a_recording_that_cannot_be_read_is_not_written_over(bff, tmp_path, port):
    broken = tmp_path / "orders.har"
    broken.write_text('{"log": {"entries": [')
    done = bff("record", "--recordings", str(tmp_path), "--port", str(port))
    assert done.returncode == 2
    assert "orders.har: is not JSON, perhaps cut short" in done.stderr
    assert broken.read_text() == '{"log": {"entries": ['
