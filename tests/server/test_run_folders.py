"""Folders of a run: swept once its processes have ended, and never before."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from bff.server import run_folders
from bff.server.run_folders import is_of_this_run, run_folder, sweep_folders

RUN = """
import os, sys
from bff.server.run_folders import run_folder

print(run_folder("cache", sys.argv[1]), flush=True)
if sys.argv[2] == "fork" and os.fork():
    os._exit(0)  # the master ends, a worker goes on
sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def aged(monkeypatch):
    monkeypatch.setattr(run_folders, "time", lambda: time.time() + 3600)


def started(place, how):
    run = subprocess.Popen(  # noqa: S603 - our own command
        [sys.executable, "-c", RUN, str(place), how],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    return run, run.stdout.readline().strip()


def test_the_folder_of_a_killed_run_is_swept_and_that_of_a_live_one_is_not(tmp_path):
    one, dead = started(tmp_path, "alone")
    two, live = started(tmp_path, "alone")
    sweep_folders(str(tmp_path))
    assert {str(each) for each in tmp_path.iterdir()} == {dead, live}
    one.kill()
    one.communicate()
    sweep_folders(str(tmp_path))
    assert {str(each) for each in tmp_path.iterdir()} == {live}
    two.communicate()


def test_while_a_worker_lives_its_folder_stays(tmp_path):
    run, folder = started(tmp_path, "fork")
    run.wait(10)
    sweep_folders(str(tmp_path))
    assert Path(folder).is_dir()
    run.stdin.close()
    run.stdout.read()  # until the worker has ended
    run.stdout.close()
    sweep_folders(str(tmp_path))
    assert not Path(folder).is_dir()


def test_what_is_young_or_not_of_a_run_stays(tmp_path, monkeypatch):
    for name in ("bff-run-cache-1-x", "other"):
        (tmp_path / name).mkdir()
    (tmp_path / "bff-run-link-1-x").symlink_to(tmp_path / "other")
    monkeypatch.setattr(run_folders, "time", time.time)
    sweep_folders(str(tmp_path))
    assert len(list(tmp_path.iterdir())) == 3
    monkeypatch.setattr(run_folders, "time", lambda: time.time() + 3600)
    sweep_folders(str(tmp_path))
    assert {each.name for each in tmp_path.iterdir()} == {"bff-run-link-1-x", "other"}
    sweep_folders(str(tmp_path / "nowhere"))


def test_a_folder_is_known_as_that_of_this_process(tmp_path):
    assert is_of_this_run(str(run_folder("metrics", str(tmp_path))))
    assert not is_of_this_run("/dev/shm/bff-run-metrics-1-x")  # noqa: S108 - a name
    assert not is_of_this_run("")
