"""What is edited is served at once; what is wrong with it is shown with its place."""

import json
import sys
import threading
import time

import pytest
from werkzeug.test import Client

from bff.app import create_app
from bff.declare.check import check
from bff.declare.settings import Settings
from bff.dev.reload import ReloadingApp
from bff.dev.stubs.stub import StubReply, StubServices
from bff.plan.functions import forget_registered

ROOT = "version: 1\nfrontends: {web: {access: none}}\nservices: {s: {url: '${S_URL}'}}\n"
VIEW = 'get: /home\nfrontends: [web]\ncall: {get: "s:/a"}\nshape: {word: "`\\"one\\"`"}\n'
PYTHON = """
import bff
from words import word

@bff.view(get="/python", frontends=["web"], calls={"a": {"get": "s:/a", "optional": True}})
def page(ask):
    return {"word": word()}
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    (tmp_path / "config/views").mkdir(parents=True)
    (tmp_path / "config/bff.yaml").write_text(ROOT)
    (tmp_path / "config/views/home.yaml").write_text(VIEW)
    (tmp_path / "config/views/python.py").write_text(PYTHON)
    (tmp_path / "words.py").write_text(
        "from bff.plan.functions import register\n"
        'register("shout", str.upper, "string")\n'
        "def word():\n    return 'one'\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("sys.dont_write_bytecode", True)
    return tmp_path


@pytest.fixture
def site(project):
    with StubServices({"s": lambda _: StubReply.json({})}) as stubs:

        def build():
            found = check(project / "config", {"S_URL": stubs.urls["s"]})
            return create_app(found, Settings(project / "config", state=project))

        reloading = ReloadingApp(build, project / "config")
        yield Client(reloading)
        reloading.close()
        sys.modules.pop("words", None)
        forget_registered()


def test_a_change_of_yaml_is_served_at_once(site, project):
    assert site.get("/web/home").json == {"word": "one"}
    (project / "config/views/home.yaml").write_text(VIEW.replace("one", "three"))
    begun = time.process_time()
    assert site.get("/web/home").json == {"word": "three"}
    assert time.process_time() - begun < 1, "of our own: the machine may be busy"


def test_a_change_of_python_is_served_at_once_though_it_is_imported_by_another(site, project):
    assert site.get("/web/python").json == {"word": "one"}
    words = project / "words.py"
    words.write_text(words.read_text().replace("'one'", "'two'"))
    assert site.get("/web/python").json == {"word": "two"}


def test_what_is_wrong_is_shown_with_its_place_until_it_is_mended(site, project, capsys):
    view = project / "config/views/home.yaml"
    view.write_text(VIEW.replace("call:", "cal:"))
    answer = site.get("/web/home")
    assert (answer.status_code, answer.mimetype) == (500, "application/problem+json")
    problems = json.loads(answer.data)["problems"]
    assert "home.yaml:3:1" in problems[0]["place"]
    page = site.get("/web/home", headers={"Accept": "text/html"})
    assert page.mimetype == "text/html"
    assert "home.yaml:3:1" in page.text
    assert "cal: {get:" in page.text
    assert "home.yaml:3:1" in capsys.readouterr().err
    view.write_text(VIEW)
    assert site.get("/web/home").status_code == 200
    assert "reloaded in" in capsys.readouterr().err


def test_python_that_cannot_be_imported_is_shown_with_its_line(site, project):
    (project / "words.py").write_text("def word(:\n")
    answer = site.get("/web/home")
    assert answer.status_code == 500
    assert "python.py" in answer.text
    assert "SyntaxError" in answer.text


def test_a_view_that_is_added_or_removed_is_served_or_not(site, project):
    more = project / "config/views/more.yaml"
    more.write_text(VIEW.replace("/home", "/more"))
    assert site.get("/web/more").status_code == 200
    more.unlink()
    assert site.get("/web/more").status_code == 404


def test_an_editors_lock_beside_a_view_is_no_change_and_no_problem(site, project, capsys):
    assert site.get("/web/home").status_code == 200
    lock = project / "config/views/.#home.yaml"
    lock.symlink_to("ada@host.example.4711:1700000000")
    assert site.get("/web/home").json == {"word": "one"}
    lock.unlink()
    assert site.get("/web/home").status_code == 200
    assert "reloaded" not in capsys.readouterr().err


ASKS = (
    "get: /home\nfrontends: [web]\n"
    'calls: {a: {get: "s:/a", cache: {ttl: 1s}}}\nshape: {word: "`\\"one\\"`", a: a}\n'
)


def threads(name):
    return sum(each.name.startswith(name) for each in threading.enumerate())


def test_the_threads_of_an_app_end_with_it(site, project):
    for number in range(5):
        (project / "config/views/home.yaml").write_text(ASKS.replace("one", f"n{number}"))
        assert site.get("/web/home").json == {"word": f"n{number}", "a": {}}
    end = time.monotonic() + 10
    while threads("bff-upstream") > 1 and time.monotonic() < end:
        time.sleep(0.01)
    assert threads("bff-upstream") == 1, "of the last one"


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("s.har", '{"log": {"entries": [', "is not JSON, perhaps cut short"),
        ("s.har", '{"log": {"entries": [7]}}', "log.entries[0]: should be an object, not 7"),
        ("rules.toml", "[redact\n", "Expected"),
        ("rules.toml", "[redact]\npaths = ['items[0].x']\n", "`items[].x` is each of them"),
    ],
)
def test_a_recording_that_cannot_be_read_is_a_problem_with_its_place(
    project, name, text, message, capsys
):
    from bff.dev.recordings.replay_cursor import RecordingFolder

    folder = project / "config/recordings"
    folder.mkdir()
    (folder / "s.har").write_text('{"log": {"entries": []}}')
    (folder / name).write_text(text)
    folder_of_recordings = RecordingFolder(folder)

    def build():
        folder_of_recordings.reload(("s",))
        return create_app(check(project / "config", {"S_URL": "http://127.0.0.1:1"}))

    reloading = ReloadingApp(build, project / "config")
    try:
        (problem,) = Client(reloading).get("/web/home").json["problems"]
    finally:
        reloading.close()
    assert message in problem["message"]
    assert problem["place"].startswith(f"{folder / name}:")
    assert "Traceback" not in capsys.readouterr().err
