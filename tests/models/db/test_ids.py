"""The range of an id."""

from __future__ import annotations

from models.db.ids import MAX_ID, MIN_ID


def test_ids_are_integers_of_64_bits() -> None:
    assert (MIN_ID, MAX_ID) == (-(2**63), 2**63 - 1)
