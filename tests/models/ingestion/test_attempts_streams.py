"""NDJSON is read as a stream: many attempts in one transaction, few of them in memory."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import msgspec
import pytest

from models.errors import InvalidInputError
from models.ingestion import attempts as attempts_applied
from models.ingestion.attempts import apply_attempts
from models.ingestion.counts import PushCounts
from models.issues import Skipped
from models.payloads import attempts, batches
from models.payloads.batches import read_lines
from models.payloads.entries import EntryReader, PushedEntry
from tests.lms import MEGABYTE, Lms
from tests.payloads import COURSE_ID, QUIZ_ID, attempt, many_attempts, question

BATCH = 50


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "MAX_ATTEMPTS", BATCH)


def test_a_stream_of_many_batches_raises_the_revision_once(school: Lms) -> None:
    assert school.put_lines(many_attempts(5 * BATCH + 3)) == PushCounts(
        created=253, updated=0, unchanged=0, deleted=0, revision=2
    )
    assert school.value("SELECT count(*) FROM attempts") == 253


@pytest.mark.contract("6 Data in", "the same key twice in one request is invalid")
def test_the_same_key_twice_is_invalid_also_in_another_batch(school: Lms) -> None:
    with pytest.raises(InvalidInputError) as caught:
        school.put_lines([*many_attempts(2 * BATCH), attempt(1000)])

    assert [issue.path for issue in caught.value.issues] == ["quiz_submissions[100]"]
    assert school.value("SELECT count(*) FROM attempts") == 0


@pytest.mark.contract("6 Data in", "the same key twice in one request is invalid")
def test_the_same_key_twice_is_invalid_also_where_the_keys_are_in_a_file(
    school: Lms, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.payloads.batches.MOST_KEYS_IN_MEMORY", BATCH)
    issues = Skipped()
    lines = [*many_attempts(3 * BATCH), attempt(1000), attempt(1001, user_id="x"), attempt(1000, 2)]

    counts = school.put_lines(lines, issues)

    assert (counts.created, issues.n_skipped) == (3 * BATCH + 1, 2)
    assert [(counted.kind, counted.count, counted.examples) for counted in issues.counts] == [
        ("invalid_value", 1, ["quiz_submissions[151].user_id"]),
        ("repeated", 2, ["quiz_submissions[150]", "quiz_submissions[151]"]),
    ]


def test_a_submission_that_is_skipped_and_stored_in_later_batches_stays_claimed(
    school: Lms, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempts_applied, "_MOST_SKIPPED_SUBMISSIONS", BATCH)
    unknown: dict[str, Any] = {"user_id": 99}
    skipped = [attempt(number, **unknown) for number in range(1, 2 * BATCH + 1)]
    stored = [attempt(number, 2) for number in range(1, BATCH + 1)]

    school.put_lines([*skipped, *stored, attempt(1, 3, **unknown)], Skipped())

    claimed = [(number,) for number in range(1, BATCH + 1)]
    assert school.rows("SELECT submission_id FROM attempts ORDER BY 1") == claimed
    assert school.rows("SELECT id FROM submissions ORDER BY 1") == claimed


def test_problems_of_all_batches_are_named(school: Lms) -> None:
    wrong: dict[str, Any] = {"user_id": 99}

    with pytest.raises(InvalidInputError) as caught:
        school.put_lines([attempt(1, **wrong), *many_attempts(3 * BATCH), attempt(2, **wrong)])

    assert [issue.path for issue in caught.value.issues] == [
        "quiz_submissions[0].user_id",
        "quiz_submissions[151].user_id",
    ]


def test_a_stream_that_breaks_off_leaves_nothing(school: Lms) -> None:
    def breaking() -> Iterator[bytes]:
        for line in many_attempts(3 * BATCH):
            yield msgspec.json.encode(line) + b"\n"
        raise ConnectionError

    with pytest.raises(ConnectionError), school.database.transaction() as session:
        apply_attempts(session, COURSE_ID, QUIZ_ID, read_lines(breaking(), MEGABYTE))

    assert school.value("SELECT count(*) FROM attempts") == 0
    assert school.value("SELECT revision FROM quizzes") == 1


def peaks(*pushes: Callable[[], None]) -> list[int]:
    """Return the most bytes that Python held during each of these pushes."""
    found = []
    tracemalloc.start()
    try:
        for push in pushes:
            # What an earlier push left in cycles would count as well.
            gc.collect()
            tracemalloc.reset_peak()
            push()
            found.append(tracemalloc.get_traced_memory()[1])
    finally:
        tracemalloc.stop()
    return found


@pytest.mark.no_cover
@pytest.mark.contract("6 Data in", "bodies that are too large are a 413; lines are read as a stream")
def test_memory_stays_level_however_long_the_stream(school: Lms) -> None:
    comment = "x" * 20_000

    def push(count: int, first: int) -> None:
        school.put_lines({**line, "comment": comment} for line in many_attempts(count, first))

    short, long = peaks(partial(push, 5 * BATCH, 10_000), partial(push, 30 * BATCH, 20_000))

    assert long < short + 2 * MEGABYTE


@pytest.mark.no_cover
@pytest.mark.parametrize("fault", [{}, {"user_id": 99}], ids=["stored", "skipped"])
def test_memory_stays_level_however_many_short_attempts(
    school: Lms, monkeypatch: pytest.MonkeyPatch, fault: dict[str, Any]
) -> None:
    monkeypatch.setattr("models.payloads.batches.MOST_KEYS_IN_MEMORY", BATCH)
    monkeypatch.setattr(attempts_applied, "_MOST_SKIPPED_SUBMISSIONS", BATCH)
    short = {"submission_data": [], **fault}

    def push(count: int, first: int) -> None:
        school.put_lines(({**line, **short} for line in many_attempts(count, first)), Skipped())

    few, many = peaks(partial(push, 5 * BATCH, 10_000), partial(push, 100 * BATCH, 20_000))

    # The keys of so many attempts alone would take 700 kB.
    assert many < few + 200_000


@pytest.mark.no_cover
def test_memory_stays_level_however_large_the_rows_of_short_attempts(
    school: Lms, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempts_applied, "MAX_BYTES", MEGABYTE)
    label = {"id": 1, "left": "a" * 100_000, "match_id": 1}
    school.put_quiz(questions=[question(1, question_type="matching_question", answers=[label])])

    def push(count: int, first: int) -> None:
        chosen = {"submission_data": [{"question_id": 1}]}
        pushed = school.put_attempts(*({**line, **chosen} for line in many_attempts(count, first)))
        assert pushed.created == count

    short, long = peaks(partial(push, 10, 10_000), partial(push, BATCH, 20_000))

    assert long < short + 2 * MEGABYTE
    assert school.value("SELECT count(*) FROM attempts WHERE length(texts[1]) = 100002") == 10 + BATCH


@pytest.mark.no_cover
def test_memory_stays_level_however_many_long_questions_attempts_send(
    school: Lms, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "MAX_ATTEMPTS", 1)
    monkeypatch.setattr("models.ingestion.attempt_questions._MAX_BYTES", MEGABYTE)
    monkeypatch.setattr("models.ingestion.question_sets._MAX_CHARACTERS", MEGABYTE)

    def push(count: int, first: int) -> None:
        pushed = school.put_lines(
            attempt(
                number,
                submission_data=[],
                quiz_data=[question(1, question_text=f"{number}{'a' * 400_000}")],
            )
            for number in range(first, first + count)
        )
        assert pushed.created == count

    short, long = peaks(partial(push, 5, 10_000), partial(push, 25, 20_000))

    assert long < short + 2 * MEGABYTE


def test_no_more_responses_are_read_once_twenty_issues_are_found(
    school: Lms, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []

    class Counted(attempts.PushedAttempt):
        def read_entries(self, reader: EntryReader) -> list[PushedEntry]:
            read.append(self.path)
            return super().read_entries(reader)

    monkeypatch.setattr(attempts, "PushedAttempt", Counted)
    with pytest.raises(InvalidInputError):
        school.put_lines(attempt(n, submission_data=[{}]) for n in range(1, 3 * BATCH))

    assert len(read) == InvalidInputError.MOST_ISSUES
