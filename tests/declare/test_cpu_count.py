"""Processors are counted as a container has them, not as the machine does."""

import os

import pytest

from bff.declare.cpu_count import cpu_count

ALL = len(os.sched_getaffinity(0))


@pytest.fixture
def machine(tmp_path):
    """Writes files of control groups; says where they and the name of ours are."""
    ours = tmp_path / "cgroup"

    def made(group="0::/", **files):
        ours.write_text(f"{group}\n")
        for name, text in files.items():
            path = tmp_path / "sys" / name.replace("__", "/").replace("_DOT_", ".")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return tmp_path / "sys", ours

    return made


@pytest.mark.parametrize(
    ("quota", "wanted"),
    [
        ("100000 100000", 1),
        ("50000 100000", 1),
        ("max 100000", ALL),
        ("999900000 100000", ALL),
        ("no numbers", ALL),
        ("", ALL),
        ("1 0", ALL),
    ],
)
def test_a_quota_of_version_2_binds_where_it_is_less(machine, quota, wanted):
    assert cpu_count(*machine(cpu_DOT_max=quota)) == wanted


def test_the_quota_of_a_group_above_ours_binds_too(machine):
    where = machine(
        "0::/system.slice/bff.service",
        system_DOT_slice__cpu_DOT_max="70000 100000",
        system_DOT_slice__bff_DOT_service__cpu_DOT_max="max 100000",
    )
    assert cpu_count(*where) == 1


@pytest.mark.parametrize(("quota", "wanted"), [("100000", 1), ("-1", ALL)])
def test_a_quota_of_version_1_binds_too(machine, quota, wanted):
    files = {"cpu__cpu_DOT_cfs_quota_us": quota, "cpu__cpu_DOT_cfs_period_us": "100000"}
    assert cpu_count(*machine("4:cpu,cpuacct:/", **files)) == wanted


def test_without_control_groups_all_are_ours(tmp_path):
    assert cpu_count(tmp_path / "none", tmp_path / "nor this") == ALL


def test_here_there_is_one_at_least():
    assert 1 <= cpu_count() <= ALL
