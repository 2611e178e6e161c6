"""The document of the statistics: from the database to JSON, for each choice of attempts."""

from __future__ import annotations

import dataclasses
import json
from itertools import accumulate
from typing import Any

import pytest
from sqlalchemy import text

from models.db.session import Database
from models.lms.quizzes import Quiz
from models.reports.tables import Progress, QuizReport, ReportState
from models.reports.variants import AttemptChoice, Variant
from tests import every_type
from tests.factories import request_variant
from tests.lms import Lms
from tests.payloads import QUIZ_ID, roster
from workers import generation
from workers.analysis.figures import CONVENTIONS, Reason
from workers.analysis.score_table import ItemScores, ScoreTable
from workers.generation import Completion, generate
from workers.resources import Resources

STUDENTS = len(every_type.STUDENTS)
# Attempts are read, their selections are read, and the responses to each item are gathered four times.
PASSES, TIMES_GATHERED = 3, 4


@pytest.fixture
def lms(database: Database) -> Lms:
    """A quiz with every type of question, which six students have taken."""
    lms = Lms(database)
    lms.put_course(**roster(31, *every_type.STUDENTS))
    lms.put_quiz(points_possible=13.0, questions=every_type.questions())
    lms.put_attempts(*every_type.attempts())
    return lms


def queued(lms: Lms, attempts: AttemptChoice = AttemptChoice.FIRST, **options: Any) -> tuple[int, int]:
    """Queue the job of the statistics; return the ids of the report and its Progress."""
    with lms.database.transaction() as session:
        quiz = session.get_one(Quiz, QUIZ_ID)
        variant = Variant.of_statistics(quiz, all_versions=False, attempt_choice=attempts, **options)
        report = request_variant(session, variant).report
    assert report.progress_id is not None
    return report.id, report.progress_id


def document(
    lms: Lms, resources: Resources, attempts: AttemptChoice = AttemptChoice.FIRST, **options: Any
) -> Any:
    """Make the statistics as a worker does, and read them."""
    report_id, progress_id = queued(lms, attempts, **options)
    generate(resources, report_id, progress_id)
    with lms.database.transaction() as session:
        made = session.get_one(QuizReport, report_id)
        assert made.file is not None, made.progress and made.progress.message
        return json.loads(b"".join(resources.store.read(made.file.storage_key)))


def item(statistics: Any, number: int) -> Any:
    [found] = [item for item in statistics["psychometrics"]["items"] if item["id"] == number]
    return found


def test_figures_of_every_type_of_question(lms: Lms, resources: Resources) -> None:
    statistics = document(lms, resources)

    quiz = statistics["psychometrics"]["quiz"]
    # An essay is not graded yet for three of six students, so totals are shares.
    assert (quiz["n"], quiz["items"]) == (6, 10)
    assert quiz["totals_in"].startswith("share")
    assert quiz["minutes_median"] == {"value": 12.5}
    assert quiz["alpha"] == {"value": None, "reason": Reason.FEW_RESPONDENTS}
    choice = item(statistics, every_type.CHOICE)
    assert choice["facility"]["value"] == 0.5
    assert len(choice["facility"]["interval"]) == 2
    assert (choice["answered"], choice["omitted"], choice["not_shown"]) == (5, 1, 0)
    assert [(option["text"], option["count"]) for option in choice["options"]] == [
        ("Mitochondrion", 3),
        ("Ribosome", 2),
    ]
    essay = item(statistics, every_type.ESSAY)
    assert (essay["not_graded"], essay["facility"]["value"]) == (3, 6.5 / 3 / 4)
    several = item(statistics, every_type.SEVERAL)
    assert several["facility"]["value"] == 4 / 6
    assert [option["count"] for option in several["options"]] == [5, 3, 0]
    assert [
        (option["blank"], option["text"]) for option in item(statistics, every_type.MATCHING)["options"]
    ] == [
        ("Rome", "Italy"),
        ("Rome", "Norway"),
        ("Oslo", "Italy"),
        ("Oslo", "Norway"),
    ]
    assert statistics["psychometrics"]["conventions"] == CONVENTIONS


def test_the_ids_of_students_are_not_taken_for_a_text_that_looks_like_them(
    lms: Lms, resources: Resources
) -> None:
    text = 'Which of "user_ids":[] is "user_ids":[1]?'
    questions = [question | {"question_text": text} for question in every_type.questions()]
    lms.put_quiz(points_possible=13.0, questions=questions)

    shown = document(lms, resources)["quiz_statistics"]

    assert shown["submission_statistics"]["user_ids"] == list(every_type.STUDENTS)
    assert {question["question_text"] for question in shown["question_statistics"]} == {text}


@pytest.mark.parametrize(
    ("attempts", "facility"),
    [(AttemptChoice.FIRST, 3 / 6), (AttemptChoice.LAST, 2 / 6), (AttemptChoice.KEPT, 3 / 6)],
)
def test_the_caller_chooses_the_attempts(
    lms: Lms, resources: Resources, attempts: AttemptChoice, facility: float
) -> None:
    worse = {**every_type.attempts()[5], "id": 500, "user_id": 51, "attempt": 2}
    lms.put_attempts({**worse, "updated_at": "2026-09-11T09:00:00Z"})

    statistics = document(lms, resources, attempts)

    assert statistics["attempts"] == attempts
    assert statistics["psychometrics"]["quiz"]["n"] == 6
    assert item(statistics, every_type.CHOICE)["facility"]["value"] == pytest.approx(facility)
    # Canvas's figures are always of the first attempts, so other choices have none.
    assert ("quiz_statistics" in statistics) == (attempts is AttemptChoice.FIRST)


def test_choices_of_attempts_are_variants_of_their_own(lms: Lms) -> None:
    with lms.database.transaction() as session:
        quiz = session.get_one(Quiz, QUIZ_ID)
        variants = {
            Variant.of_statistics(quiz, all_versions=False, attempt_choice=choice).lock_name
            for choice in AttemptChoice
        }

    assert len(variants) == len(AttemptChoice)


def test_the_completion_moves_over_both_passes_and_the_computing(
    lms: Lms, resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    add = Completion.add
    shown: list[float] = []

    def noted(completion: Completion, attempts: float) -> None:
        add(completion, attempts)
        with lms.database.transaction() as session:
            shown.append(session.query(Progress.completion).scalar())

    monkeypatch.setattr(Completion, "add", noted)
    # Each call renews the lease and shows the completion.
    monkeypatch.setattr(generation, "_HEARTBEAT_SECONDS", 0.0)
    resources.settings = dataclasses.replace(resources.settings, chunk_attempts=2)

    items = document(lms, resources)["psychometrics"]["items"]

    chunk, item = 2 / STUDENTS / PASSES, 1 / len(items) / TIMES_GATHERED / PASSES
    totals, others = [item] * len(items), [item] * len(items) * (TIMES_GATHERED - 1)
    steps = [chunk, chunk, *totals, chunk, chunk, chunk, chunk, *others, 0.0]
    assert shown == pytest.approx([10 + 80 * share for share in accumulate(steps)])
    assert shown[-1] == pytest.approx(90)


def test_a_lease_that_is_lost_while_totals_are_added_up_stops_the_work(
    lms: Lms, resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    gather = ScoreTable.item
    gathered: list[int] = []

    def taken_over(table: ScoreTable, item: int) -> ItemScores:
        gathered.append(item)
        with lms.database.transaction() as session:
            session.execute(text("UPDATE quiz_reports SET claim_token = gen_random_uuid()"))
        return gather(table, item)

    monkeypatch.setattr(ScoreTable, "item", taken_over)
    monkeypatch.setattr(generation, "_HEARTBEAT_SECONDS", 0.0)

    report = queued(lms)
    generate(resources, *report)

    assert gathered == [0]
    with lms.database.transaction() as session:
        lost = session.get_one(QuizReport, report[0])
        assert (lost.state, lost.file) == (ReportState.RUNNING, None)


def test_a_quiz_without_attempts(lms: Lms, resources: Resources) -> None:
    lms.put_attempts(
        *(
            {**a, "workflow_state": "deleted", "updated_at": "2026-10-01T09:00:00Z"}
            for a in every_type.attempts()
        )
    )

    statistics = document(lms, resources)

    assert statistics["quiz_statistics"]["question_statistics"] == []
    assert statistics["psychometrics"]["quiz"]["n"] == 0
    assert {i["facility"]["reason"] for i in statistics["psychometrics"]["items"]} == {Reason.NO_RESPONDENTS}
