import traceback

import pytest

from bff.errors import BffError
from bff.store.seal import BadSeal, Seal

OLD, NEW = "an-old-secret-of-many-characters", "a-new-secret-of-many-characters"
PLAIN = b"what \0 nobody may read"


@pytest.fixture
def seal():
    return Seal([NEW])


@pytest.mark.parametrize("plain", [PLAIN, b"", b"\0", b"x" * 100_000])
def test_what_was_sealed_opens_again(seal, plain):
    assert seal.open(seal.seal(plain, "session:1"), "session:1") == plain


def test_what_is_sealed_cannot_be_read(seal):
    sealed = seal.seal(PLAIN, "session:1")
    assert PLAIN not in sealed
    assert b"session" not in sealed
    assert len(sealed) == len(PLAIN) + 33


def test_sealing_twice_never_gives_the_same(seal):
    assert len({seal.seal(PLAIN, "c") for _ in range(200)}) == 200


def test_another_process_with_the_secret_opens_it(seal):
    assert Seal([NEW]).open(seal.seal(PLAIN, "c"), "c") == PLAIN


def test_a_secret_is_replaced_without_losing_what_it_sealed():
    before = Seal([OLD]).seal(PLAIN, "c")
    between = Seal([NEW, OLD])
    after = between.seal(PLAIN, "c")
    assert between.open(before, "c") == PLAIN
    assert Seal([NEW]).open(after, "c") == PLAIN
    with pytest.raises(BadSeal):
        Seal([NEW]).open(before, "c")
    with pytest.raises(BadSeal):
        Seal([OLD]).open(after, "c")


def test_it_opens_nowhere_else(seal):
    sealed = seal.seal(PLAIN, "session:1")
    for context in ("session:2", "tokens:1", "", "session:1 "):
        with pytest.raises(BadSeal):
            seal.open(sealed, context)


def test_no_byte_of_it_can_be_changed(seal):
    sealed = seal.seal(PLAIN, "c")
    opened = []
    for place in range(len(sealed)):
        for change in (0x01, 0x80, 0xFF):
            changed = bytearray(sealed)
            changed[place] ^= change
            try:
                opened.append((place, seal.open(bytes(changed), "c")))
            except BadSeal:
                continue
    assert not opened


def test_no_part_of_it_opens_and_nothing_longer(seal):
    sealed = seal.seal(PLAIN, "c")
    for length in range(len(sealed)):
        with pytest.raises(BadSeal):
            seal.open(sealed[:length], "c")
    for longer in (sealed + b"\0", b"\x01" + sealed):
        with pytest.raises(BadSeal):
            seal.open(longer, "c")


def test_the_error_tells_nothing(seal):
    sealed = Seal([OLD]).seal(PLAIN, "session:1")
    with pytest.raises(BadSeal) as caught:
        seal.open(sealed, "session:1")
    told = "".join(traceback.format_exception(caught.value, chain=True))
    message = str(caught.value) + repr(caught.value)
    assert isinstance(caught.value, BffError)
    assert "session:1" not in message
    for secret in (OLD, NEW, sealed.hex(), repr(sealed)):
        assert secret not in told + message


def test_a_key_is_found_among_secrets_whose_ids_are_the_same(monkeypatch):
    seal = Seal([NEW, OLD])
    monkeypatch.setattr(seal, "_masters", [(b"same", key) for _, key in seal._masters])
    other = Seal([OLD])
    monkeypatch.setattr(other, "_masters", [(b"same", key) for _, key in other._masters])
    assert seal.open(other.seal(PLAIN, "c"), "c") == PLAIN


@pytest.mark.parametrize("secrets", [[], [""], [NEW, ""]])
def test_sealing_without_a_secret_is_refused(secrets):
    with pytest.raises(ValueError, match="secret"):
        Seal(secrets)
