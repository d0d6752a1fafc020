"""Whatever stands wherever in a file: it is read as far as it goes, or refused by its place."""

import copy
import json

import pytest

from bff.dev.har_files import RecordingError
from bff.dev.recordings.archive import Archive
from bff.dev.recordings.replay_cursor import replay_cursors
from bff.dev.recordings.waterfall import together
from bff.dev.rules import RedactionRules
from tests.dev.sample_exchanges import exchanged, record_everything

JUNK = [None, 7, -1.5, True, "", "x", "http://[", "\ud800", [], [None], [[]], {}, {"a": None}, [{}]]


def places(tree, path=()):
    """Each place in a document, once for all elements of a list that are alike."""
    if path:
        yield path
    items = tree.items() if isinstance(tree, dict) else ()
    if isinstance(tree, list):
        items = list(enumerate(tree))[:1]
    for key, each in items:
        yield from places(each, (*path, key))


def changed(document, path, junk):
    made = copy.deepcopy(document)
    inner = made
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = junk
    return made


def without(document, path):
    made = copy.deepcopy(document)
    inner = made
    for step in path[:-1]:
        inner = inner[step]
    del inner[path[-1]]
    return made


@pytest.fixture(scope="module")
def document(tmp_path_factory):
    folder = record_everything(tmp_path_factory.mktemp("whole"))
    log = json.loads((folder / "orders.har").read_text())
    log["log"]["entries"][0]["response"]["content"]["encoding"] = "base64"
    log["log"]["entries"][0]["response"]["content"]["text"] = "e30="
    return log


def read_every_way(folder):
    """Why it cannot be read; empty if it can."""
    new = exchanged("orders", "/new", b"1", visit="9", title="/web/new")
    try:
        replay_cursors(folder)["orders"].unused()
        together(folder)
        Archive(folder, b"a key", "new").save([new], RedactionRules())
    except RecordingError as error:
        return str(error)
    return ""


def test_junk_is_refused_by_its_place_or_does_no_harm(document, tmp_path):
    file, refused = tmp_path / "orders.har", 0
    for path in places(document):
        made = [changed(document, path, junk) for junk in JUNK]
        if isinstance(path[-1], str):
            made.append(without(document, path))
        for each in made:
            file.write_text(json.dumps(each))
            said = read_every_way(tmp_path)
            known = tuple(f"{file}: {start}" for start in ("log", "the file", "is not JSON"))
            assert not said or said.startswith(known), (path, said)
            refused += bool(said)
    assert refused > 100


def test_a_file_that_is_cut_short_anywhere_is_refused(document, tmp_path):
    text = json.dumps(document)
    file = tmp_path / "orders.har"
    for end in range(0, len(text) - 1, 97):
        file.write_text(text[:end])
        with pytest.raises(RecordingError, match="is not JSON"):
            replay_cursors(tmp_path)
