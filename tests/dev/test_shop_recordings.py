"""The recordings of the demo shop are generated: quickly, when needed, the same each time."""

import os
import shutil
import subprocess
import sys
import time
from hashlib import sha256

import pytest

from bff.dev.har_files import RecordingError
from bff.dev.shop.recordings import CONFIG, folder_of, shop_recordings, write

CPU_SECONDS = 2.0
MAKE = "from bff.dev.shop.recordings import shop_recordings; print(shop_recordings())"


def digests(folder):
    files = (path for path in folder.iterdir() if path.is_file())  # not bytecode of live.py
    return {path.name: sha256(path.read_bytes()).hexdigest() for path in files}


def test_they_are_the_same_bytes_in_each_process(tmp_path):
    for seed in ("0", "1"):
        command = [sys.executable, "-m", "bff.dev.shop", str(tmp_path / seed)]
        environ = {**os.environ, "PYTHONHASHSEED": seed}
        subprocess.run(command, env=environ, check=True)  # noqa: S603 - our own module
    assert digests(tmp_path / "0") == digests(tmp_path / "1") == digests(shop_recordings())


def test_generating_takes_less_than_two_seconds(tmp_path):
    began = time.process_time()  # of this process alone: others on the machine do not count
    write(tmp_path)
    assert time.process_time() - began < CPU_SECONDS


def test_processes_that_ask_at_once_get_the_same_whole_folder(tmp_path):
    environ = {**os.environ, "XDG_CACHE_HOME": str(tmp_path)}
    command = [sys.executable, "-c", MAKE]
    running = [
        subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True)  # noqa: S603
        for _ in range(3)
    ]
    folders = {each.communicate(timeout=60)[0].strip() for each in running}
    assert [each.returncode for each in running] == [0, 0, 0]
    (made,) = (tmp_path / "bff").iterdir()
    assert folders == {str(made)}
    assert digests(made) == digests(shop_recordings())


def test_a_cache_that_cannot_be_written_is_named(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(RecordingError, match=r"file/bff: cannot be written: .*XDG_CACHE_HOME"):
        folder_of(CONFIG)


def test_a_configuration_has_its_own_recordings(tmp_path):
    assert folder_of(tmp_path) == tmp_path / "recordings"
    shutil.copytree(CONFIG, tmp_path / "config")
    assert folder_of(tmp_path / "config") == tmp_path / "config/recordings"


def test_the_shop_has_the_generated_ones_by_whatever_path_it_is_named(tmp_path):
    (tmp_path / "shop").symlink_to(CONFIG)
    assert folder_of(CONFIG) == folder_of(tmp_path / "shop") == shop_recordings()
