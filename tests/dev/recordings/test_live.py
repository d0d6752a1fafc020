"""What answers beside a recording, for services with a state."""

import subprocess
import sys
from pathlib import Path

import pytest

from bff.dev.har_files import RecordingError
from bff.dev.recordings.live import live
from bff.dev.recordings.message import StubReply, StubRequest
from bff.dev.shop.recordings import shop_recordings

ROOT = Path(__file__).parents[3]
RECORDED = {name: lambda request: StubReply.json(request.service) for name in ("users", "carts")}
LIVE = """
from bff.dev.recordings.message import StubReply

def answerers(recorded):
    asked = []

    def carts(request):
        if request.path == "/recorded":
            return recorded["carts"](request)
        asked.append(request.path)
        return StubReply.json(asked)

    return {"carts": carts}
"""


def ask(answerers, service, path="/x"):
    return answerers[service](StubRequest(service, "GET", path, path, "")).body


def test_without_the_file_all_is_as_recorded(tmp_path):
    assert live(tmp_path, RECORDED) is RECORDED


def test_the_file_answers_for_what_it_names_and_may_ask_the_recording(tmp_path):
    (tmp_path / "live.py").write_text(LIVE)
    made = live(tmp_path, RECORDED)
    assert [ask(made, "carts", path) for path in ("/a", "/b")] == [b'["/a"]', b'["/a","/b"]']
    assert ask(made, "carts", "/recorded") == b'"carts"'
    assert ask(made, "users") == b'"users"'
    again = live(tmp_path, RECORDED)
    assert ask(again, "carts", "/c") == b'["/c"]', "it begins anew"


@pytest.mark.parametrize("text", ["def answerers(", "import nothing_of_the_kind", "x = 1"])
def test_a_file_that_cannot_be_run_is_named(tmp_path, text):
    (tmp_path / "live.py").write_text(text)
    with pytest.raises(RecordingError, match=r"live\.py: "):
        live(tmp_path, RECORDED)


def test_the_command_names_it_as_well(tmp_path):
    (tmp_path / "users.har").write_bytes((shop_recordings() / "users.har").read_bytes())
    (tmp_path / "live.py").write_text("x = 1")
    done = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", "bff.cli", "stub", "--recordings", str(tmp_path)],
        capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert f"{tmp_path}/live.py: AttributeError" in done.stderr
