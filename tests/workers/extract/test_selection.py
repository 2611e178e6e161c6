from __future__ import annotations

import numpy as np
import pyarrow as pa
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


def batch(*attempts: tuple[int, int, tuple[int, int], bool]) -> pa.RecordBatch:
    """Return a batch of attempts: question set, moment of the update, key, whether it sent questions."""
    question_sets, moments, keys, sends_questions = zip(*attempts, strict=True)
    submission_ids, numbers = zip(*keys, strict=True)
    return pa.record_batch(
        {
            "id": pa.array(range(len(attempts)), pa.int64()),
            "size": pa.array([16] * len(attempts), pa.int32()),
            "question_set_id": pa.array(question_sets, pa.int64()),
            "updated_at": pa.array(moments, pa.timestamp("us", "UTC")),
            "submission_id": pa.array(submission_ids, pa.int64()),
            "attempt": pa.array(numbers, pa.int32()),
            "sends_questions": pa.array(sends_questions),
        }
    )


def test_question_sets_are_in_order_of_first_use_and_in_that_of_their_newest_attempts() -> None:
    selection = Selection.read(
        [
            batch((3, 10, (507, 1), False), (1, 30, (505, 1), False), (3, 20, (504, 1), True)),
            batch((2, 40, (501, 1), False), (3, 30, (502, 1), False)),
        ]
    )

    assert selection.question_set_ids == [3, 1, 2]
    # At the same moment, that of the greater submission id is the newer.
    assert selection.newest_first == [2, 1, 3]
    assert selection.sent == {3}


@pytest.mark.parametrize("batches", [1, 2])
@pytest.mark.parametrize("reverse", [False, True])
def test_the_newest_of_attempts_at_one_moment_does_not_depend_on_the_order_of_rows(
    batches: int, reverse: bool
) -> None:
    keys = sorted([(501, 1), (502, 1), (502, 2), (503, 1)], reverse=reverse)
    attempts = [
        (submission_id * 10 + number, 7, (submission_id, number), False) for submission_id, number in keys
    ]
    parts = [attempts] if batches == 1 else [attempts[:2], attempts[2:]]

    assert Selection.read([batch(*part) for part in parts]).newest_first == [5031, 5022, 5021, 5011]


def test_a_selection_of_no_attempts_has_no_question_sets() -> None:
    selection = Selection.read([])

    assert (selection.question_set_ids, selection.newest_first, selection.sent) == ([], [], frozenset())
