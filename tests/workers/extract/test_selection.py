from __future__ import annotations

import numpy as np
import pytest

from workers.extract.selection import Selection


def chunks(sizes: list[int], *, most_attempts: int, most_bytes: int) -> list[list[int]]:
    selection = Selection(np.arange(len(sizes)), np.array(sizes, np.int32), [1])
    return [
        selection.attempt_ids[part].tolist()
        for part in selection.chunks(most_attempts, most_bytes=most_bytes)
    ]


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ([], []),
        ([10, 10, 10, 10, 10], [[0, 1, 2], [3, 4]]),
        ([50, 50, 50], [[0, 1], [2]]),
        ([60, 60], [[0], [1]]),
        ([10, 900, 10, 10], [[0], [1], [2, 3]]),
    ],
    ids=["none", "as many as asked", "as long as asked", "not longer", "one too long to share"],
)
def test_a_chunk_has_at_most_so_many_attempts_and_bytes(sizes: list[int], expected: list[list[int]]) -> None:
    assert chunks(sizes, most_attempts=3, most_bytes=100) == expected


def test_sizes_may_add_up_beyond_what_one_of_them_can_hold() -> None:
    assert len(chunks([2**30] * 4, most_attempts=10, most_bytes=2**30)) == 4
