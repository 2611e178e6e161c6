"""Attempts are read from one document or by lines, and nothing unsound passes the quick look at a line."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import InvalidInputError, IssueKind, ValidationIssue
from models.issues import Checked, Skipped
from models.payloads import batches
from models.payloads.batches import read_document, read_lines
from tests.models.payloads.pushed_lines import MOST_LINE_BYTES, attempt, line, lines, of_line, read, values


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
    monkeypatch.setattr(batches, "MAX_ATTEMPTS", 3)
    source = b"\n".join(line(id=i) for i in range(8))

    assert [len(batch.attempts) for batch in read_lines([source], MOST_LINE_BYTES)] == [3, 3, 2]
    monkeypatch.setattr(batches, "MAX_BYTES", 1)
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


def test_a_wrong_line_does_not_hide_what_is_wrong_with_others() -> None:
    _, issues = lines(b"\n".join([b"{", line(id="x"), line(), b"[]"]))

    assert [issue.path for issue in issues] == [
        "quiz_submissions[0]",
        "quiz_submissions[1].id",
        "quiz_submissions[3]",
    ]


def test_a_row_that_holds_no_attempt_must_be_strict_json() -> None:
    source = b'{"workflow_state": "untaken", "submission_data": {"a": 1, "a": 2}}'

    assert [issue.path for issue in of_line(source)] == ["quiz_submissions[0].submission_data.a"]


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
