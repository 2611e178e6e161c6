"""Attempts are read from one document or by lines, and nothing unsound passes the quick look at a line."""

from __future__ import annotations

import hashlib
import itertools
import json
import tracemalloc
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import InvalidInputError, IssueKind, ValidationIssue
from models.issues import Checked, Skipped
from models.payloads import attempts, entries
from models.payloads.attempts import PushedAttempt, PushedState, read_document, read_lines
from models.payloads.entries import EntryReader

MOST_LINE_BYTES = 10_000


def attempt(**fields: Any) -> dict[str, Any]:
    return {
        "id": 501,
        "attempt": 1,
        "user_id": 7,
        "workflow_state": "complete",
        "updated_at": "2026-09-10T09:12:31Z",
        **fields,
    }


def lines(*sources: bytes) -> tuple[list[PushedAttempt], list[ValidationIssue]]:
    batches = read_lines(iter(sources), MOST_LINE_BYTES)
    attempts = [attempt for batch in batches for attempt in batch.attempts]
    try:
        batches.issues.finish()
    except InvalidInputError as error:
        return attempts, list(error.issues)
    return attempts, []


def line(**fields: Any) -> bytes:
    return msgspec.json.encode(attempt(**fields))


def of_line(source: bytes) -> list[ValidationIssue]:
    """What is wrong with a line, and with the answers in it, which are read later."""
    attempts, issues = lines(source)
    try:
        for found in attempts:
            found.read_entries(EntryReader())
    except InvalidInputError as error:
        issues += error.issues
    return issues


def values(found: PushedAttempt) -> list[Any]:
    return [entry.value for entry in found.read_entries(EntryReader())]


def read(**fields: Any) -> PushedAttempt:
    attempts, issues = lines(line(**fields))
    assert issues == []
    return attempts[0]


def test_lines_are_found_however_the_bytes_come_in() -> None:
    body = b"\n".join([line(id=1), b"", b"  \r", line(id=2) + b"\r", line(id=3)])

    for size in (1, 7, 100, len(body)):
        attempts, issues = lines(*(body[i : i + size] for i in range(0, len(body), size)))
        assert [a.submission.id for a in attempts] == [1, 2, 3]
        assert [a.path for a in attempts] == [f"quiz_submissions[{i}]" for i in (0, 3, 4)]
        assert issues == []


def test_a_body_without_a_line_holds_no_attempt() -> None:
    assert lines() == lines(b"") == lines(b"\n\n") == ([], [])


def test_a_line_that_does_not_end_is_not_collected() -> None:
    def endless() -> Iterator[bytes]:
        while True:
            yield b" " * 1000

    with pytest.raises(InvalidInputError, match=r"quiz_submissions\[0\]: is longer than 10000 bytes"):
        list(read_lines(endless(), MOST_LINE_BYTES))


def test_batches_are_small_whatever_is_pushed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "MAX_ATTEMPTS", 3)
    source = b"\n".join(line(id=i) for i in range(8))

    assert [len(batch.attempts) for batch in read_lines([source], MOST_LINE_BYTES)] == [3, 3, 2]
    monkeypatch.setattr(attempts, "MAX_BYTES", 1)
    assert [len(batch.attempts) for batch in read_lines([source], MOST_LINE_BYTES)] == [1] * 8


def test_a_document_holds_its_attempts_in_a_list() -> None:
    body = msgspec.json.encode({"quiz_submissions": [attempt(id=1), attempt(id=2)], "ignored": 1})

    (batch,) = read_document(body)

    assert [a.submission.id for a in batch.attempts] == [1, 2]
    assert json.loads(batch.attempts[1].payload) == attempt(id=2)


@pytest.mark.parametrize(
    ("body", "path", "reason"),
    [
        (b"{}", "quiz_submissions", "is missing"),
        (b'{"quiz_submissions": {}}', "quiz_submissions", "expected `array`, got `object`"),
        (b'{"quiz_submissions": [], "quiz_submissions": []}', "quiz_submissions", "is given twice"),
        (b'{"quiz_submissions": [{"id": NaN}]}', "quiz_submissions[0].id", "is not a finite number"),
    ],
)
def test_a_document_of_another_form_is_refused(body: bytes, path: str, reason: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        list(read_document(body))

    assert caught.value.issues == (ValidationIssue(path, reason),)


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


def test_a_wrong_line_does_not_hide_what_is_wrong_with_others() -> None:
    _, issues = lines(b"\n".join([b"{", line(id="x"), line(), b"[]"]))

    assert [issue.path for issue in issues] == [
        "quiz_submissions[0]",
        "quiz_submissions[1].id",
        "quiz_submissions[3]",
    ]


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


def test_a_row_that_holds_no_attempt_must_be_strict_json() -> None:
    source = b'{"workflow_state": "untaken", "submission_data": {"a": 1, "a": 2}}'

    assert [issue.path for issue in of_line(source)] == ["quiz_submissions[0].submission_data.a"]


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


@pytest.mark.parametrize(
    "unsound",
    [
        b'"user_id": 7, "user_id": 7',
        b'"user_id": 7, "user_id": "a:b"',
        b'"user_id": 7, "x": {"a": 1, "a": 2}',
        b'"user_id": 7, "submission_data": [{"question_id": 1, "text": "a", "text": "b"}]',
        b'"user_id": 7, "submission_data": [{"question_id": 1, "text": ":", "text": "b"}]',
        b'"user_id": 7, "submission_data": [{"text": "b", "te\\u0078t": ":"}]',
        b'"user_id": 7, "submission_data": [{"text": "\\u003a", "question_id": 1, "question_id": 2}]',
        b'"user_id": 7, "submission_data": [{"text": "\\u0000"}]',
        b'"user_id": 7, "submission_data": [{"x": {"a": {"b": 1, "b": 2}}}]',
        b'"user_id": 7, "submission_data": [], "submission_data": [{"a": 1}]',
        b'"user_id": 7, "submission_data": [{"x": ' + b"[" * 20 + b"]" * 20 + b"}]",
        b'"user_id": 7, "x": ' + b"[" * 20 + b"]" * 20,
        b'"user_id": 7, "quiz_data": [{"a": 1}], "quiz_data": [{"a": 1}]',
        b'"user_id": 7, "submission_data":[], "submission_data":[]',
        b'"user_id": 7, "submission_data": [{"text": "\\u003A", "question_id": 1, "question_id": 2}]',
        b'"user_id": 7, "x": "\\u003a", "x": 1',
        b'"user_id": 7, "x": "\xff"',
        b'"user_id": 7, "x": "\\ud800"',
        b'"user_id": 7, "submission_data": [{"x": 1e400}]',
    ],
)
def test_unsound_lines_are_refused(unsound: bytes) -> None:
    assert of_line(line(user_id=7)[:-1].replace(b'"user_id":7', unsound) + b"}")


@pytest.mark.parametrize(
    "sound",
    [
        {"submission_data": [{"question_id": 1, "text": 'a: b {c} [d] " \\ ,'}]},
        {"submission_data": [{"question_id": 1, "text": ":" * 9}, {"a:b": "c:d"}]},
        {"submission_data": [{"question_id": 1, "attachment_ids": ["9"], "x": {"y": {"z": ":"}}}]},
        {"html_url": "https://lms.example.edu:443/x", "nested": {"a": [1, {"b": "c:d"}]}},
        {
            "quiz_data": [{"id": 1, "question_type": "essay_question"}],
            "started_at": "2026-01-01T00:00:00+05:30",
        },
        {"text": "\ud7ff\U0001f600", "other": '"submission_data":[]'},
        {"submission_data": [{"question_id": 1, "text": '"quiz_data":[] \\u0000'}]},
    ],
)
def test_sound_lines_are_read(sound: dict[str, Any]) -> None:
    found = read(**sound)

    assert json.loads(found.payload) == attempt(**sound)
    assert values(found) == sound.get("submission_data", [])


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


PAIRS = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "a:", "text"]),
        st.sampled_from(
            ['"x"', '":"', '"\\u003a"', "1", "{}", '{"a":1}', '{"a":1,"a":1}', "[]", '"{["', '"\\""']
        ),
    ),
    max_size=4,
)


@given(PAIRS, PAIRS)
def test_no_repeated_key_passes_the_quick_look(
    top: list[tuple[str, str]], answer: list[tuple[str, str]]
) -> None:
    def written(pairs: list[tuple[str, str]]) -> str:
        return ",".join(f'"{key}":{value}' for key, value in pairs)

    extra = f",{written(top)}" if top else ""
    source = line()[:-1] + f',"submission_data":[{{{written(answer)}}}]{extra}}}'.encode()
    repeats = any(
        len({key for key, _ in pairs}) < len(pairs) or any(value.count('"a"') == 2 for _, value in pairs)
        for pairs in (top, answer)
    )

    assert bool(of_line(source)) == repeats


RAW_VALUES = ["1", "12", "1.5", "null", '"x"', '"[]"', '"[1,"', "{}", "[]", "[1]", "[[]]", '[",", ":1,"]']


@pytest.mark.parametrize("key", ["submission_data", "quiz_data"])
@pytest.mark.parametrize("colon", [":", ": ", ":  "])
def test_a_line_is_read_or_refused_whatever_comes_before_its_data(key: str, colon: str) -> None:
    for first, second in itertools.product(RAW_VALUES, repeat=2):
        before, data = (f',"{key}"{colon}{value}' for value in (first, second))
        nested = f',"odd":{{{before[1:]}}}'

        assert lines(f"{line().decode()[:-1]}{nested}{data}}}".encode())[1] == []
        [issue] = lines(f"{line().decode()[:-1]}{before}{data}}}".encode())[1]
        assert issue.reason == "is given twice"


def test_a_user_whose_id_is_zero_has_a_digest_of_their_own() -> None:
    found = read(user_id=0)
    assert found.digest([], b"form") != read(user_id=1).digest([], b"form")


def test_nothing_is_read_once_a_check_has_its_last_issue() -> None:
    issues = Checked(most_issues=1)

    body = b"\n".join([line(user_id=None), line(id=1), line(id=2)])
    batches = list(read_lines([body], MOST_LINE_BYTES, issues))

    assert [batch.attempts for batch in batches] == [[]]
    assert (issues.n_invalid, issues.is_complete) == (1, False)


@pytest.mark.parametrize("size", [1, 7, 5_000, 20_000])
def test_what_follows_a_line_that_is_too_long_is_read(size: int) -> None:
    issues = Skipped()
    body = b"\n".join([b" " * (MOST_LINE_BYTES + 1), line(id=2), b" " * 3 * MOST_LINE_BYTES, line(id=4)])

    chunks = (body[start : start + size] for start in range(0, len(body), size))
    [batch] = read_lines(chunks, MOST_LINE_BYTES, issues)

    assert [found.path for found in batch.attempts] == ["quiz_submissions[1]", "quiz_submissions[3]"]
    assert [(found.kind, found.count) for found in issues.counts] == [(IssueKind.TOO_LONG, 2)]


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
