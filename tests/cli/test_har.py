"""`bff har`: one file of all recordings."""

import json


def test_it_prints_or_writes_one_file_of_all_services(bff, tmp_path):
    done = bff("har")
    assert done.returncode == 0, done.stderr
    log = json.loads(done.stdout)["log"]
    assert {each["comment"] for each in log["entries"]} > {"users", "orders", "catalog"}
    begun = [each["startedDateTime"] for each in log["entries"]]
    assert begun == sorted(begun)
    file = tmp_path / "all.har"
    assert bff("har", "--output", str(file)).stdout == ""
    assert file.read_text() == done.stdout


def test_what_cannot_be_done_is_said(bff, tmp_path):
    done = bff("har", "--recordings", str(tmp_path))
    assert done.returncode == 2
    assert "no .har file in this folder" in done.stderr
    done = bff("har", "--output", str(tmp_path / "none/all.har"))
    assert done.returncode == 1
    assert "none/all.har: No such file" in done.stderr
