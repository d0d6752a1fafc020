"""Records of a session hold what a provider claims, to the last digit."""

from dataclasses import dataclass, field
from typing import Any

from bff.store.protocol import Entry
from bff.store.records import Records
from bff.store.seal import Seal


@dataclass(frozen=True)
class Kept:
    claims: dict[str, Any] = field(default_factory=dict)


def test_claims_with_long_integers_are_kept_as_they_are():
    records = Records(Seal(["a secret of more than thirty-two characters"]))
    sealed = records.sealed("name", Kept({"tenant": 123456789012345678901}))
    opened = records.opened("name", Entry(sealed, "1", 1e10), Kept)
    assert opened == {"claims": {"tenant": 123456789012345678901}}
