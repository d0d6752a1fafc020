"""`bff record`, really started, over the shop's stubs as if these were the services."""

import json

from bff.dev.recordings.answerer import replay_all
from bff.dev.shop.recordings import shop_recordings
from bff.dev.stubs.stub import StubReply, StubServices
from tests.cli.test_demo import started, until


def test_it_records_what_is_asked_and_says_so(environ, repository, port, tmp_path):
    answerers = replay_all(shop_recordings(), lambda _: 0.0)
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


def test_what_looks_like_a_secret_is_not_saved_until_the_rules_say_what_it_is(
    environ, repository, port, tmp_path
):
    config = tmp_path / "config"
    (config / "views").mkdir(parents=True)
    (config / "bff.yaml").write_text(
        "version: 1\nfrontends: {web: {access: none}}\nservices: {notes: {url: '${NOTES_URL}'}}\n"
    )
    (config / "views/note.yaml").write_text(
        'get: /note\nfrontends: [web]\ntimeout: 10s\ncall: {get: "notes:/one"}\n'
    )
    key, out = "q9XvB2mL7rT4kW8sD1fG6hJ3zN5cPyRe", tmp_path / "out"
    file, rules = config / "recordings/notes.har", config / "recordings/rules.toml"
    words = ("record", "--config", str(config))
    place = f"not saved: {file} log.entries[0] GET /one: response.content.text at note looks like"
    with StubServices({"notes": lambda _: StubReply.json({"note": key})}) as services:
        told = {**environ, "NOTES_URL": services.urls["notes"]}
        with started(told, repository, port, tmp_path, *words) as app:
            assert app.ask("/web/note")[0] == 200
            until("it is said at once", lambda: f"{place} a random key" in out.read_text())
        assert app.process.returncode == 1
        assert out.read_text().count(place) == 2, "and at the end"
        assert f"declare it a secret in {rules}" in out.read_text()
        assert not file.exists()
        with started(told, repository, port, tmp_path, *words) as app:
            assert app.ask("/web/note")[0] == 200
            until("it is said", lambda: place in out.read_text())
            rules.write_text('[redact]\npaths = ["note"]\n')
            until("the recording", file.is_file)
        assert app.process.returncode == 0, out.read_text()
    assert key not in file.read_text() + out.read_text()
