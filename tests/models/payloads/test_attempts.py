"""Attempts are refused where they are wrong, and their digest is that of their content."""

from __future__ import annotations

import hashlib
import json
import tracemalloc
from typing import Any

import msgspec
import pytest

from models.errors import InvalidInputError, ValidationIssue
from models.payloads import entries
from models.payloads.attempts import PushedAttempt, PushedState
from models.payloads.batches import read_document, read_lines
from models.payloads.entries import EntryReader
from tests.models.payloads.pushed_lines import MOST_LINE_BYTES, attempt, line, lines, of_line, read, values


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"id": None}, "id"),
        ({"attempt": 0}, "attempt"),
        ({"attempt": 2**31}, "attempt"),
        ({"attempt": True}, "attempt"),
        ({"workflow_state": ["untaken"]}, "workflow_state"),
        ({"submitted_at": "0001-01-01T00:00:00+14:00"}, "submitted_at"),
        ({"finished_at": "0001-01-01T00:00:00+14:00"}, "finished_at"),
        ({"workflow_state": "done"}, "workflow_state"),
        ({"updated_at": None}, "updated_at"),
        ({"updated_at": "2026-09-10T09:12:31"}, "updated_at"),
        ({"updated_at": 1757495551}, "updated_at"),
        ({"updated_at": "0001-01-01T00:00:00+14:00"}, "updated_at"),
        ({"started_at": "9999-12-31T23:59:59-14:00"}, "started_at"),
        ({"user_id": None}, "user_id"),
        ({"user_id": None, "temporary_user_code": ""}, "user_id"),
        ({"was_preview": 1}, "was_preview"),
        ({"score": "1"}, "score"),
        ({"submission_data": {}}, "submission_data"),
        ({"attachments": [{"id": 9}]}, "attachments[0].display_name"),
    ],
)
def test_a_wrong_attempt_is_refused_at_its_place(fields: dict[str, Any], path: str) -> None:
    assert [issue.path for issue in of_line(line(**fields))] == [f"quiz_submissions[0].{path}"]


@pytest.mark.contract("6 Data in", "rows that hold no attempt are taken and counted as unchanged")
@pytest.mark.parametrize(
    "row",
    [
        {"workflow_state": "settings_only", "attempt": None},
        {"workflow_state": "untaken", "submission_data": {}},
        {"workflow_state": "unsubmitted", "attempt": 1},
        attempt(workflow_state="untaken"),
        attempt(workflow_state="settings_only", user_id=None, score="none"),
        attempt(attempt=None),
        attempt(attempt=None, workflow_state="graded"),
        attempt(attempt=None, workflow_state="deleted"),
        {"attempt": None},
    ],
)
def test_a_row_that_holds_no_attempt_is_counted_whatever_its_data(row: dict[str, Any]) -> None:
    for batches in (
        read_lines([msgspec.json.encode(row)], MOST_LINE_BYTES),
        read_document(msgspec.json.encode({"quiz_submissions": [row]})),
    ):
        (batch,) = batches
        batches.issues.finish()
        assert (batch.attempts, batch.not_attempts) == ([], 1)


@pytest.mark.parametrize(
    ("word", "stored"),
    [("graded", PushedState.COMPLETE), ("submitted", PushedState.PENDING_REVIEW)],
)
@pytest.mark.contract("6 Data in", "Canvas's own words are understood")
def test_the_states_of_an_assignment_s_submission_are_those_of_an_attempt(
    word: str, stored: PushedState
) -> None:
    pushed = read(workflow_state=word)

    assert pushed.submission.workflow_state is stored
    assert pushed.digest([], b"") == read(workflow_state=stored).digest([], b"")


def test_a_code_beside_a_user_is_history() -> None:
    found = read(temporary_user_code="was 3.0 until Tue Sep 15").submission

    assert (found.user_id, found.temporary_user_code) == (7, None)


def test_an_attempt_ends_when_it_was_finished_or_submitted() -> None:
    submitted, finished = "2026-09-10T09:00:00Z", "2026-09-10T09:12:31Z"

    assert (
        read(submitted_at=submitted).submission.finished_at
        == read(finished_at=submitted).submission.finished_at
    )
    assert read(submitted_at=submitted, finished_at=finished).submission.finished_at == (
        read(finished_at=finished).submission.finished_at
    )


def test_an_attempt_without_data_is_not_one_without_responses() -> None:
    nothing, empty = read(submission_data=None), read(submission_data=[])

    assert (nothing.submission.has_data, empty.submission.has_data) == (False, True)
    assert nothing.digest([], b"") != empty.digest([], b"")


def test_an_attempt_that_is_taken_back_needs_no_taker() -> None:
    assert read(workflow_state="deleted", user_id=None).submission.is_deleted


def test_the_digest_is_that_of_the_content_not_of_its_spelling() -> None:
    def digest(found: PushedAttempt, form: bytes = b"form") -> bytes:
        return found.digest(found.read_entries(EntryReader()), form)

    entries = [{"question_id": 1, "points": 1.0}]
    first = read(submission_data=entries, score=None)
    respelled = dict(reversed(attempt(submission_data=[{"points": 1.0, "question_id": 1}]).items()))
    second = lines(json.dumps(respelled, indent=1).replace("\n", " ").encode())[0][0]

    assert digest(first) == digest(second)
    assert digest(first) != digest(first, b"other form")
    assert digest(first) != digest(read(submission_data=entries, score=1))
    assert digest(first) != digest(read(submission_data=[{"question_id": 1, "points": 2.0}]))
    assert digest(first) != digest(
        read(submission_data=entries, attachments=[{"id": 9, "display_name": "a"}])
    )


@pytest.mark.parametrize("data", [None, [], [{"question_id": 1, "points": 1.0}, {"text": "é", "a": [{}, 2]}]])
def test_the_digest_is_that_of_one_list_of_json_as_stored_digests_are(data: Any) -> None:
    found = read(submission_data=data, score=2, attachments=[{"id": "9", "display_name": "a"}])
    digest = found.digest(found.read_entries(EntryReader()), b"form")

    fields = ["complete", "2026-09-10T09:12:31Z", 7, None, 2.0, None, None, None, False]
    content = msgspec.json.encode([fields, data, [[9, "a"]]], order="deterministic")
    assert digest == hashlib.sha256(b"form" + content).digest()


def test_the_digest_of_an_attempt_is_what_it_was() -> None:
    found = read(submission_data=[{"question_id": 1, "points": 1.0, "text": "é"}])

    digest = found.digest(found.read_entries(EntryReader()), b"form")

    assert digest.hex() == "6047e810a5690e3a8a46cbf67ceac26292f4e6b87cb45feac287ca8f4029f064"


@pytest.mark.cost
@pytest.mark.no_cover
@pytest.mark.parametrize("count", [1, 4])
def test_a_large_attempt_takes_little_more_memory_than_its_texts(count: int) -> None:
    source = line(submission_data=[{"question_id": n, "text": "a" * 2**20} for n in range(count)])
    [batch] = read_lines([source], 2**23)
    [found] = batch.attempts
    tracemalloc.start()
    try:
        found.digest(found.read_entries(EntryReader()), b"form")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert peak < 3.6 * len(source)


def test_a_user_whose_id_is_zero_has_a_digest_of_their_own() -> None:
    found = read(user_id=0)
    assert found.digest([], b"form") != read(user_id=1).digest([], b"form")


ENTRY = {"question_id": 1, "text": "a", "attachment_ids": ["9"]}


def test_many_responses_are_read_without_what_is_nested_in_them(monkeypatch: pytest.MonkeyPatch) -> None:
    found = read(submission_data=[{**ENTRY, "odd": {"deep": [1]}, "list": []}, ENTRY])
    monkeypatch.setattr(entries, "_MOST_OBJECTS", 1)

    assert values(found) == [ENTRY, ENTRY]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ([ENTRY, ENTRY], "has more than 1 entries"),
        ({"a": [], "b": []}, "expected `array | null`, got `object`"),
    ],
)
def test_many_responses_are_refused_as_few_are(
    monkeypatch: pytest.MonkeyPatch, data: Any, reason: str
) -> None:
    found = read(submission_data=data)
    monkeypatch.setattr(entries, "_MOST_OBJECTS", 1)
    monkeypatch.setattr(entries, "MOST_QUESTIONS", 1)

    with pytest.raises(InvalidInputError) as caught:
        found.read_entries(EntryReader())
    assert caught.value.issues == (ValidationIssue("quiz_submissions[0].submission_data", reason),)


@pytest.mark.parametrize("limit", [1, 100_000])
def test_a_response_that_is_no_object_is_left_to_the_parser_of_responses(
    monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    found = read(submission_data=[{"question_id": 1, "text": "{"}, None])
    monkeypatch.setattr(entries, "_MOST_OBJECTS", limit)

    assert values(found) == [{"question_id": 1, "text": "{"}, None]


def test_responses_that_cannot_be_read_answer_no_question() -> None:
    assert read(submission_data=[ENTRY, {}]).answered_question_ids() == {1}
    assert read(submission_data={"question_id": 1}).answered_question_ids() == set()
    assert read(submission_data=None).answered_question_ids() == set()
