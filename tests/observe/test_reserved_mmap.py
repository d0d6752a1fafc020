"""Metrics files on a full disk: values stay in memory, and the process goes on."""

import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client.mmap_dict import MmapedDict

from bff.observe import reserved_mmap
from bff.observe.multiprocess import merge_ended
from bff.observe.reserved_mmap import ReservedMmapDict, without_disk_space
from tests.small_disk import SmallDisk, fill

COUNT = """
import sys
from bff.observe.events import UnexpectedError
from bff.observe.reserved_mmap import without_disk_space
from bff.observe.metrics import Metrics

metrics = Metrics({})
for number in range(int(sys.argv[1])):
    kind = type(f"Error{number}" + "x" * 200, (Exception,), {})
    metrics.observe(UnexpectedError("call", kind(), None, ""))
metrics.text()
print(without_disk_space())
"""


@pytest.fixture(autouse=True)
def no_notes():
    reserved_mmap._lacking.clear()


def test_with_room_it_is_the_file_of_the_library(tmp_path):
    path = str(tmp_path / "counter_1.db")
    mine = ReservedMmapDict(path)
    for number in range(2000):
        mine.write_value(f"key {number}", number, 0.0)
    assert mine.read_value("key 7") == (7.0, 0.0)
    mine.close()
    found = {key: value for key, value, _, _ in MmapedDict.read_all_values_from_file(path)}
    assert found == {f"key {number}": float(number) for number in range(2000)}
    assert Path(path).stat().st_blocks * 512 >= Path(path).stat().st_size, "nothing is sparse"
    assert without_disk_space() == ""


def test_without_room_for_a_file_its_values_are_in_memory(tmp_path, monkeypatch):
    monkeypatch.setattr("os.posix_fallocate", no_room)
    mine = ReservedMmapDict(str(tmp_path / "counter_1.db"))
    mine.write_value("key", 7.0, 0.0)
    assert mine.read_value("key") == (7.0, 0.0)
    assert mine.read_value("other") == (0.0, 0.0)
    mine.close()
    assert list(tmp_path.iterdir()) == []
    assert str(tmp_path) in without_disk_space()


def test_what_finds_no_room_later_is_in_memory_and_the_rest_stays(tmp_path, monkeypatch):
    path = str(tmp_path / "counter_1.db")
    mine = ReservedMmapDict(path)
    mine.write_value("first", 1.0, 0.0)
    monkeypatch.setattr("os.posix_fallocate", no_room)
    for number in range(2000):
        mine.write_value(f"key {number}" + "x" * 100, number, 0.0)
    mine.write_value("first", 2.0, 0.0)
    assert mine.read_value("key 1999" + "x" * 100) == (1999.0, 0.0)
    mine.close()
    found = {key: value for key, value, _, _ in MmapedDict.read_all_values_from_file(path)}
    assert found["first"] == 2.0
    assert "key 0" + "x" * 100 in found
    assert "key 1999" + "x" * 100 not in found


def test_figures_of_an_ended_process_stay_where_their_sum_has_no_room(tmp_path, monkeypatch):
    for process in (1, 2):
        mine = ReservedMmapDict(str(tmp_path / f"counter_{process}.db"))
        mine.write_value("key", 1.0, 0.0)
        mine.close()
    merge_ended(tmp_path, 1)
    monkeypatch.setattr("os.posix_fallocate", no_room)
    with pytest.raises(OSError, match="room"):
        merge_ended(tmp_path, 2)
    assert sorted(each.name for each in tmp_path.glob("*.db")) == ["counter_0.db", "counter_2.db"]


def no_room(*_):
    raise OSError("no room")


@pytest.mark.large
@pytest.mark.parametrize(("size", "errors"), [(16, 1), (256, 1), (256, 3000)])
def test_a_process_on_a_full_disk_goes_on(small_disk: SmallDisk, size, errors):
    folder = small_disk(size)
    if errors == 1:
        fill(folder)
    done = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-c", COUNT, str(errors)],
        env={"PROMETHEUS_MULTIPROC_DIR": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert str(folder) in done.stdout
