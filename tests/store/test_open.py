"""A further store is one class and one line of the registry: it opens, checks and is documented."""

from pathlib import Path

import pytest

from bff.store.open import OPENERS, check_address, is_local, open_store

DOCS = Path(__file__).parents[2] / "docs"


class FakeStore:
    """As a further store would be; of its verbs none is needed here."""

    def __init__(self, url, _now):
        if not url.startswith("fake://"):
            raise ValueError("the address of a fake store is `fake://name`")
        self.url = url


def test_a_store_is_added_by_one_line(monkeypatch, tmp_path, clock):
    monkeypatch.setitem(OPENERS, "fake", FakeStore)
    store = open_store("fake://shop", tmp_path / "default.db", clock)
    assert isinstance(store, FakeStore)
    assert store.url == "fake://shop"
    assert not is_local("fake://shop"), "so sessions in it need a declared secret"
    with pytest.raises(ValueError, match=r"begins with one of .*fake"):
        check_address("other://shop")
    with pytest.raises(ValueError, match="fake store"):
        check_address("fake:shop")


@pytest.mark.parametrize("url", ["sqlite:relative.db", "memory", "Redis://h", "h:1"])
def test_an_address_that_is_not_one_is_refused(url):
    with pytest.raises(ValueError, match="the address of"):
        check_address(url)


@pytest.mark.parametrize("scheme", sorted(OPENERS))
def test_every_store_is_documented(scheme):
    (row,) = [
        line
        for line in (DOCS / "configuration.md").read_text().splitlines()
        if line.startswith("| `store` | the address of the session store")
    ]
    assert f"`{scheme}:" in row
