"""What is written is HAR 1.2: by the schema that others have of it, not by ours."""

import json
from pathlib import Path

import pytest
from jsonschema import Draft6Validator, FormatChecker
from referencing import Registry, Resource

from bff.dev.recordings.waterfall import together
from bff.dev.shop.recordings import shop_recordings
from tests.dev.sample_exchanges import record_everything

SCHEMAS = Path(__file__).parents[1] / "har_schema"
RECORDINGS = shop_recordings()
NEW = Path(__file__).parents[3] / "bff/dev/new_project/config/recordings/greetings.har.in"


@pytest.fixture(scope="module")
def wrong():
    """What the schema finds wrong with a document."""
    schemas = {file.name: json.loads(file.read_text()) for file in SCHEMAS.glob("*.json")}
    assert len(schemas) == 18
    found = [(each["$id"].rstrip("#"), Resource.from_contents(each)) for each in schemas.values()]
    validator = Draft6Validator(
        schemas["har.json"],
        registry=Registry().with_resources(found),
        format_checker=FormatChecker(),
    )
    return lambda document: [
        f"{each.json_path}: {each.message}" for each in validator.iter_errors(document)
    ]


def test_the_schema_finds_what_is_wrong(wrong):
    document = json.loads((RECORDINGS / "users.har").read_text())
    del document["log"]["entries"][0]["request"]["headersSize"]
    document["log"]["entries"][1]["timings"]["wait"] = "long"
    first, second = sorted(wrong(document))
    assert first == "$.log.entries[0].request: 'headersSize' is a required property"
    assert second.startswith("$.log.entries[1].timings.wait")


@pytest.mark.parametrize("file", [*sorted(RECORDINGS.glob("*.har")), NEW], ids=lambda it: it.stem)
def test_what_is_shipped_is_valid(wrong, file):
    assert wrong(json.loads(file.read_text())) == []


def test_what_is_recorded_is_valid(wrong, tmp_path):
    folder = record_everything(tmp_path)
    files = sorted(folder.glob("*.har"))
    assert len(files) == 3
    for file in files:
        assert wrong(json.loads(file.read_text())) == [], file.name
    assert wrong(together(folder)) == []
