"""What is pushed has bounds, and what is refused costs no more than its size."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from models.errors import InvalidInputError
from models.payloads import entries, strict_json
from models.payloads.batches import Batches, read_document, read_lines
from models.payloads.courses import read_course
from models.payloads.entries import EntryReader
from models.payloads.quizzes import read_quiz
from tests.cost import cpu_seconds

MOST_BYTES = 2**25
LARGE = 320_000
# Endless lists are tried with a twelfth of the real bound, so that they are no larger.
MOST_ENTRIES = 40_000
# For each byte; `make bench` reads larger bodies. The memory is what may be built to name twenty issues.
MOST_SECONDS = 4e-6
MOST_MEMORY = 60


def read_attempts(body: bytes) -> None:
    """Read attempts as a push does, up to the first batch with an issue."""
    read_all_entries(read_document(body))


def read_attempt_lines(body: bytes) -> None:
    chunks = (body[start : start + 2**18] for start in range(0, len(body), 2**18))
    read_all_entries(read_lines(chunks, MOST_BYTES))


def read_all_entries(batches: Batches) -> None:
    for batch in batches:
        batches.issues.finish()
        for attempt in batch.attempts:
            attempt.read_entries(EntryReader())
    batches.issues.finish()


ATTEMPT = {
    "id": 1, "user_id": 1, "attempt": 1, "workflow_state": "complete", "updated_at": "2026-09-10T09:12:31Z",
}  # fmt: skip
QUESTION = {"id": 1, "question_type": "essay_question"}


def course(**fields: Any) -> bytes:
    return msgspec.json.encode({"course": {"name": "a", **fields}})


def quiz(**fields: Any) -> bytes:
    return msgspec.json.encode({"quiz": {"title": "a", "quiz_type": "survey", **fields}})


def attempt(**fields: Any) -> bytes:
    return msgspec.json.encode({"quiz_submissions": [{**ATTEMPT, **fields}]})


def question(**fields: Any) -> bytes:
    return quiz(questions=[{**QUESTION, **fields}])


@pytest.mark.parametrize(
    ("read", "body", "path"),
    [
        (read_course, lambda name: course(name=name), "course.name"),
        (read_course, lambda name: course(course_code=name), "course.course_code"),
        (read_course, lambda name: course(sections=[{"id": 1, "name": name}]), "course.sections[0].name"),
        (
            read_course,
            lambda name: course(sections=[{"id": 1, "name": "a", "sis_section_id": name}]),
            "course.sections[0].sis_section_id",
        ),
        (read_course, lambda name: course(users=[{"id": 1, "name": name}]), "course.users[0].name"),
        (
            read_course,
            lambda name: course(users=[{"id": 1, "name": "a", "sis_user_id": name}]),
            "course.users[0].sis_user_id",
        ),
        (
            read_course,
            lambda name: course(users=[{"id": 1, "name": "a", "root_account": name}]),
            "course.users[0].root_account",
        ),
        (read_quiz, lambda name: quiz(title=name), "quiz.title"),
        (
            read_attempts,
            lambda name: attempt(user_id=None, temporary_user_code=name),
            "quiz_submissions[0].temporary_user_code",
        ),
        (
            read_attempts,
            lambda name: attempt(attachments=[{"id": 1, "display_name": name}]),
            "quiz_submissions[0].attachments[0].display_name",
        ),
    ],
)
def test_a_name_has_at_most_255_characters(
    read: Callable[[bytes], object], body: Callable[[str], bytes], path: str
) -> None:
    read(body("é" * 255))

    assert paths(read, body("é" * 256)) == [path]


@pytest.mark.parametrize("number", [1.1e12, -1.1e12, 1e308, 10**30])
def test_numbers_lie_within_a_million_millions(number: float) -> None:
    assert paths(read_quiz, quiz(points_possible=number)) == ["quiz.points_possible"]
    assert paths(read_quiz, question(points_possible=number)) == ["quiz.questions[0].points_possible"]
    assert paths(read_quiz, question(answers=[{"weight": number}])) == ["quiz.questions[0].answers[0].weight"]
    assert paths(read_attempts, attempt(score=number)) == ["quiz_submissions[0].score"]
    assert paths(read_attempts, attempt(kept_score=number)) == ["quiz_submissions[0].kept_score"]


def test_the_largest_numbers_are_taken() -> None:
    read_quiz(quiz(points_possible=1e12, questions=[{**QUESTION, "points_possible": -1e12}]))
    read_attempts(attempt(score=1e12, kept_score=-1e12))


def test_lists_have_bounds() -> None:
    assert paths(read_quiz, quiz(questions=[QUESTION] * 10_001)) == ["quiz.questions"]
    assert paths(read_quiz, question(answers=[{}] * 5_001)) == ["quiz.questions[0].answers"]
    assert paths(read_course, course(unknown=[1] * 500_002)) == [""]
    assert paths(read_attempts, attempt(submission_data=[{"a": [1] * 500_002}])) == [""]
    read_quiz(question(answers=[{}] * 5_000))


def test_the_pairs_of_a_matching_question_have_a_bound() -> None:
    answers = [{"id": number, "left": "a", "match_id": 1} for number in range(1, 101)]
    matches = [{"match_id": number, "text": "b"} for number in range(1, 102)]
    matching = {"question_type": "matching_question", "answers": answers}

    read_quiz(question(**matching, matches=matches[:100]))
    assert paths(read_quiz, question(**matching, matches=matches)) == ["quiz.questions[0].matches"]


def test_a_text_has_at_most_eight_megabytes() -> None:
    read_quiz(question(question_text="a" * 2**23))

    assert paths(read_quiz, question(question_text="é" * (2**22 + 1))) == ["quiz.questions[0].question_text"]


def of(start: bytes, unit: bytes, end: bytes) -> Callable[[int], bytes]:
    return lambda size: start + b",".join([unit] * (size // (len(unit) + 1))) + end


def endless(start: bytes, unit: bytes, end: bytes) -> bytes:
    """Make a body that is refused for the length of its list only."""
    return start + b",".join([unit] * (MOST_ENTRIES + 2)) + end


QUESTIONS = b'{"quiz": {"title": "a", "quiz_type": "survey", "questions": [{"id": 1, "question_type": '
LINE = msgspec.json.encode(ATTEMPT)[:-1]
REFUSED: dict[str, tuple[Callable[[bytes], object], Callable[[int], bytes]]] = {
    "attempts that are nothing": (read_attempts, of(b'{"quiz_submissions": [', b"{}", b"]}")),
    "numbers for attempts": (read_attempts, of(b'{"quiz_submissions": [', b"1", b"]}")),
    "lines that are nothing": (read_attempt_lines, lambda size: b"{}\n" * (size // 3)),
    "answers that are nothing": (read_attempt_lines, of(LINE + b',"submission_data":[', b"{}", b"]}")),
    "lists for answers": (read_attempt_lines, of(LINE + b',"submission_data":[', b"[]", b"]}")),
    "users that are nothing": (read_course, of(b'{"course": {"users": [', b"{}", b"]}}")),
    "the same key": (read_course, of(b'{"course": {', b'"a":1', b"}}")),
    "questions that are nothing": (read_quiz, of(b'{"quiz": {"questions": [', b"{}", b"]}}")),
    "answers of a question": (read_quiz, of(QUESTIONS + b'"Error", "answers": [', b"{}", b"]}]}}")),
    "no number": (read_course, of(b'{"course": {"other": [', b"NaN", b"]}}")),
    "a long number": (read_course, lambda size: b'{"course": {"name": %b}}' % (b"1" * size)),
}
ENDLESS: dict[str, tuple[Callable[[bytes], object], bytes]] = {
    "an answer of lists": (read_attempt_lines, endless(LINE + b',"submission_data":[{"a":[', b"[]", b"]}]}")),
    "a course of other things": (read_course, endless(b'{"course": {"other": [', b"{}", b"]}}")),
    "other things in others": (read_course, endless(b'{"course": {"other": [', b'{"a":1}', b"]}}")),
    "not finished": (read_course, endless(b'{"course": {"other": [', b"{}", b"")),
}


@pytest.mark.cost
@pytest.mark.no_cover
@pytest.mark.parametrize(("read", "body"), REFUSED.values(), ids=REFUSED.keys())
def test_a_refusal_takes_little_time_and_memory(
    read: Callable[[bytes], object], body: Callable[[int], bytes]
) -> None:
    require_cheap(read, body(LARGE))


@pytest.mark.cost
@pytest.mark.no_cover
@pytest.mark.parametrize(("read", "source"), ENDLESS.values(), ids=ENDLESS.keys())
def test_the_refusal_of_an_endless_list_takes_little_time_and_memory(
    read: Callable[[bytes], object], source: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(strict_json, "MOST_ENTRIES", MOST_ENTRIES)
    monkeypatch.setattr(entries, "MOST_ENTRIES", MOST_ENTRIES)

    require_cheap(read, source)


def require_cheap(read: Callable[[bytes], object], source: bytes) -> None:
    tracemalloc.start()
    try:
        found = paths(read, source)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert 1 <= len(found) <= InvalidInputError.MOST_ISSUES
    assert peak < MOST_MEMORY * len(source)

    # Others on the processor take its caches, at worst from one try of three.
    assert any(cpu_seconds(lambda: paths(read, source)) < MOST_SECONDS * len(source) for _ in range(3))


def test_reading_stops_at_the_twentieth_issue() -> None:
    read: list[int] = []

    def lines() -> Any:
        for number in range(1_000):
            read.append(number)
            yield b"{}\n" * 10

    with pytest.raises(InvalidInputError) as caught:
        list(read_lines(lines(), MOST_BYTES))

    assert len(caught.value.issues) == InvalidInputError.MOST_ISSUES
    assert len(read) < 10


def paths(read: Callable[[bytes], object], body: bytes) -> list[str]:
    with pytest.raises(InvalidInputError) as caught:
        read(body)
    return [issue.path for issue in caught.value.issues]
