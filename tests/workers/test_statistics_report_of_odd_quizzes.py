"""The statistics of odd quizzes, from a push to JSON: every figure is in its range or says why it is null.

Each document is compared with the item_analysis of the same data, with which it never disagrees.
"""

from __future__ import annotations

import csv
import io
import itertools
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest

from models.db.session import Database
from models.errors import InvalidInputError
from models.lms.quizzes import Quiz
from models.reports.tables import QuizReport
from models.reports.variants import AttemptChoice, ReportFormat, ReportType, Variant
from tests import every_type
from tests.factories import request_variant
from tests.lms import Lms
from tests.payloads import QUIZ_ID, Json, attempt, entry, essay, essay_entry, question, roster
from tests.workbooks import sheets
from workers.analysis.figures import Reason
from workers.generation import generate
from workers.resources import Resources

STUDENTS = range(1000, 1024)
SHARES = ("facility", "share", "share_of_top", "share_of_middle", "share_of_bottom", "effective_weight")
CORRELATIONS = ("point_biserial_total", "item_rest_correlation", "point_biserial", "d27")
RANGES: Mapping[str, tuple[float, float]] = {
    **dict.fromkeys(SHARES, (0.0, 1.0)),
    **dict.fromkeys(CORRELATIONS, (-1.0, 1.0)),
    **dict.fromkeys(("alpha", "alpha_if_deleted", "discriminative_efficiency"), (-math.inf, 1.0)),
    **dict.fromkeys(("minutes_median", "minutes_lower_quartile", "minutes_upper_quartile"), (0.0, math.inf)),
    "standard_error_of_measurement": (0.0, math.inf),
}
COLUMNS = {
    "answered_student_count": "Answered Student Count",
    "top_student_count": "Top Student Count",
    "middle_student_count": "Middle Student Count",
    "bottom_student_count": "Bottom Student Count",
    "correct_student_count": "Correct Student Count",
    "incorrect_student_count": "Wrong Student Count",
    "correct_student_ratio": "Correct Student Ratio",
    "incorrect_student_ratio": "Wrong Student Ratio",
    "correct_top_student_count": "Correct Top Student Count",
    "correct_middle_student_count": "Correct Middle Student Count",
    "correct_bottom_student_count": "Correct Bottom Student Count",
    "variance": "Variance",
    "stdev": "Standard Deviation",
    "difficulty_index": "Difficulty Index",
}


COUNTS = {"points_possible", "answered", "omitted", "not_shown", "not_graded"}


class OddQuiz:
    """A quiz that students take, and what the service makes of it."""

    def __init__(self, database: Database, resources: Resources) -> None:
        self.lms = Lms(database)
        self._resources = resources
        self.lms.put_course(**roster(31, *STUDENTS))

    def put(self, questions: Sequence[Json], attempts: Sequence[Json], **fields: Any) -> None:
        self.lms.put_quiz(questions=questions, **{"points_possible": 10.0, **fields})
        self.lms.put_attempts(*attempts)

    def statistics(self, attempts: AttemptChoice = AttemptChoice.FIRST) -> Any:
        """Return the document, once it is checked by itself and against the item_analysis."""
        document = self.document(attempts)
        if attempts is AttemptChoice.FIRST:
            file = self._file(item_analysis_variant(ReportFormat.CSV)).decode()
            rows = list(csv.DictReader(io.StringIO(file, newline=""), strict=True))
            require_agreement(document["quiz_statistics"], document["psychometrics"], rows)
            require_the_same_statistics(document, self._made(item_analysis_variant(ReportFormat.JSON)))
        return document

    def document(self, attempts: AttemptChoice = AttemptChoice.FIRST) -> Any:
        """Return the document, once it is checked by itself."""
        document = self._made(statistics_variant(attempts))
        require_numbers_in_their_range(document)
        require_counts_that_add_up(document)
        return document

    def workbook(self) -> dict[str, list[list[Any]]]:
        """Return the sheets of the item_analysis."""
        return sheets(self._file(item_analysis_variant(ReportFormat.XLSX)))

    def _made(self, variant_of: Any) -> Any:
        return json.loads(self._file(variant_of), parse_constant=pytest.fail)

    def _file(self, variant_of: Any) -> bytes:
        with self.lms.database.transaction() as session:
            report = request_variant(session, variant_of(session.get_one(Quiz, QUIZ_ID))).report
        assert report.progress_id is not None
        generate(self._resources, report.id, report.progress_id)
        with self.lms.database.transaction() as session:
            made = session.get_one(QuizReport, report.id)
            assert made.file is not None, made.progress and made.progress.message
            return b"".join(self._resources.store.read(made.file.storage_key))


def statistics_variant(attempts: AttemptChoice) -> Any:
    return lambda quiz: Variant.of_statistics(quiz, all_versions=False, attempt_choice=attempts)


def item_analysis_variant(report_format: ReportFormat) -> Any:
    kind = ReportType.ITEM_ANALYSIS
    return lambda quiz: Variant.of(quiz, kind, report_format, all_versions=True, sis_ids=False)


def require_numbers_in_their_range(document: Any) -> None:
    for name, figure in figures(document["psychometrics"]):
        value = figure["value"]
        assert (value is None) == bool(figure.get("reason")), (name, figure)
        low, high = RANGES.get(name, (-math.inf, math.inf))
        assert value is None or low <= value <= high, (name, figure)
        lower, upper = figure.get("interval", (low, high))
        assert low <= lower <= upper <= high, (name, figure)
        assert value is None or lower <= value <= upper, (name, figure)


def figures(owner: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Find the figures of a document, with their names."""
    if isinstance(owner, list):
        for part in owner:
            yield from figures(part, name)
    elif isinstance(owner, dict):
        if "value" in owner:
            yield name, owner
        for key, part in owner.items():
            yield from figures(part, key)


def require_counts_that_add_up(document: Any) -> None:
    quiz = document["psychometrics"]["quiz"]
    assert sum(quiz["score_distribution"].values()) in {0, quiz["n"]}
    for item in document["psychometrics"]["items"]:
        counts = [item[name] for name in ("answered", "omitted", "not_shown")]
        assert min(*counts, item["not_graded"]) >= 0
        assert sum(counts) == quiz["n"]
    for shown in document.get("quiz_statistics", {}).get("question_statistics", ()):
        sets = [shown, *shown.get("answer_sets", ())]
        for answer in itertools.chain.from_iterable(each.get("answers", ()) for each in sets):
            assert answer["responses"] > 0 or answer["id"] not in {"none", "other"}, shown


def require_agreement(canvas: Any, psychometrics: Any, file: Sequence[Mapping[str, str]]) -> None:
    """Compare the questions of Canvas's statistics with the rows of the CSV file of the item_analysis."""
    rows = {int(row["Question Id"]): row for row in file}
    choices = [question for question in canvas["question_statistics"] if "point_biserials" in question]
    # Without students, the API lists no questions and the file has a row for each.
    assert not canvas["question_statistics"] or {int(choice["id"]) for choice in choices} == rows.keys()
    items = {item["id"]: item for item in psychometrics["items"]}
    for choice in choices:
        row, item = rows[int(choice["id"])], items[int(choice["id"])]
        assert {name: str(choice[name]) for name in COLUMNS} == {name: row[COLUMNS[name]] for name in COLUMNS}
        assert ("N/A" if choice["alpha"] is None else str(choice["alpha"])) == row["Alpha"]
        cells = [cell for name, cell in row.items() if name.startswith("Point Biserial")]
        shown = [pair["point_biserial"] for pair in choice["point_biserials"]]
        assert ["" if r is None else str(r) for r in shown] == cells[: len(shown)]
        assert not any(cells[len(shown) :])
        counts = {answer["id"]: answer["responses"] for answer in choice["answers"]}
        assert sum(counts.values()) == item["answered"] + item["omitted"]
        assert sum(counts.values()) - counts.get("none", 0) == choice["responses"]
        assert str(choice["responses"]) == row["Answered Student Count"]
        assert all(option["count"] == counts[option["key"]] for option in item["options"])


def require_the_same_statistics(document: Any, item_analysis: Any) -> None:
    """Compare the document with the tables of the item_analysis in the formats that hold several."""
    tables = {table["title"]: table["rows"] for table in item_analysis["supplements"]}
    psychometrics = document["psychometrics"]
    expected = [
        (item["id"], name, item[name]["value"], item[name].get("reason", ""))
        for item in psychometrics["items"]
        for name in item
        if isinstance(item[name], dict)
    ]
    found = [(row[0], row[2], row[3], row[6]) for row in tables["Question Statistics"]]
    assert [row for row in found if row[1] not in COUNTS] == expected
    values = {row[0]: row[1] for row in tables["Quiz Statistics"]}
    assert {row[-1] for row in tables["Quiz Statistics"]} == {"", psychometrics["quiz"]["totals_in"]}
    assert values["n"] == psychometrics["quiz"]["n"]
    assert values["alpha"] == psychometrics["quiz"]["alpha"]["value"]
    assert [row[4] for row in tables["Findings"]] == [found["seen"] for found in psychometrics["findings"]]


@pytest.fixture
def odd(database: Database, resources: Resources) -> OddQuiz:
    return OddQuiz(database, resources)


def attempts_of(responses: Any, students: Sequence[int] = STUDENTS, **fields: Any) -> list[Json]:
    """Give an attempt of each student, whose responses are those that a function returns for its number."""
    return [
        attempt(5000 + number, user_id=user_id, submission_data=entries, score=points(entries), **fields)
        for number, user_id in enumerate(students)
        for entries in [responses(number)]
    ]


def points(entries: Sequence[Json]) -> float:
    """Return the score of an attempt, within what a score may be."""
    return min(1e12, max(-1e12, sum(entry.get("points") or 0.0 for entry in entries)))


def of_every_type(students: Sequence[int]) -> list[Json]:
    """Give attempts at `every_type`, its six repeated."""
    samples = itertools.cycle(every_type.attempts())
    return [
        {**sample, "id": 5000 + n, "user_id": user_id}
        for n, (user_id, sample) in enumerate(zip(students, samples, strict=False))
    ]


@pytest.mark.parametrize("n", [0, 1, 2, 3, 19, 20, 24])
def test_any_number_of_students_at_every_type_of_question(odd: OddQuiz, n: int) -> None:
    odd.put(every_type.questions(), of_every_type(STUDENTS[:n]))

    statistics = odd.statistics()

    assert statistics["psychometrics"]["quiz"]["n"] == n
    coefficients = [item["item_rest_correlation"] for item in statistics["psychometrics"]["items"]]
    assert len(coefficients) == 10
    assert any(figure["value"] is not None for figure in coefficients) == (n >= 20)
    assert not statistics["psychometrics"]["findings"] or n >= 20


@pytest.mark.parametrize("attempts", [AttemptChoice.FIRST, AttemptChoice.LAST, AttemptChoice.KEPT])
@pytest.mark.parametrize("policy", ["keep_highest", "keep_latest", "keep_average"])
def test_several_attempts_of_each_student(odd: OddQuiz, attempts: AttemptChoice, policy: str) -> None:
    first = attempts_of(lambda n: [entry(1, 1 + n % 3), entry(2, 1 + n % 2)])
    second = [
        {**again, "attempt": 2, "updated_at": "2026-09-11T09:00:00Z"}
        for again in attempts_of(lambda n: [entry(1, 1), entry(2, 1 + n % 3)])
    ]
    odd.put([question(1), question(2)], [*first, *second], scoring_policy=policy)

    quiz = odd.statistics(attempts)["psychometrics"]["quiz"]

    expected = {AttemptChoice.FIRST: first, AttemptChoice.LAST: second}.get(attempts)
    if expected:
        assert quiz["mean"]["value"] == pytest.approx(sum(a["score"] for a in expected) / len(STUDENTS))
    assert quiz["mean"]["value"] == pytest.approx(quiz["quiz_score_mean"]["value"])


@pytest.mark.parametrize("choice", [1, 2])
def test_no_variance(odd: OddQuiz, choice: int) -> None:
    odd.put([question(1), question(2)], attempts_of(lambda _: [entry(1, choice), entry(2, choice)]))

    psychometrics = odd.statistics()["psychometrics"]

    assert psychometrics["quiz"]["alpha"]["reason"] == Reason.EQUAL_TOTALS
    reason = Reason.ALL_CORRECT if choice == 1 else Reason.ALL_WRONG
    assert {item["effective_weight"]["reason"] for item in psychometrics["items"]} == {reason}
    assert {item["d27"]["reason"] for item in psychometrics["items"]} == {Reason.EMPTY_GROUP}


def test_everything_left_blank(odd: OddQuiz) -> None:
    [blank] = every_type.attempts()[5:]
    odd.put(every_type.questions(), [{**blank, "id": n, "user_id": n} for n in STUDENTS])

    items = odd.statistics()["psychometrics"]["items"]

    assert {(item["answered"], item["omitted"], item["facility"]["value"]) for item in items} == {
        (0, len(STUDENTS), 0.0)
    }


def test_essays_that_are_not_graded(odd: OddQuiz) -> None:
    odd.put(
        [question(1), essay(2, points_possible=5.0)],
        [
            {**pending, "score": None, "workflow_state": "pending_review"}
            for pending in attempts_of(lambda n: [entry(1, 1 + n % 2), essay_entry(2, "A text.")])
        ],
    )

    statistics = odd.statistics()

    [_, shown] = statistics["psychometrics"]["items"]
    assert (shown["analysed"], shown["facility"]["reason"]) == (False, Reason.NOT_GRADED)
    assert statistics["psychometrics"]["quiz"]["quiz_score_mean"]["reason"] == Reason.NO_SCORES
    [_, graded] = statistics["quiz_statistics"]["question_statistics"]
    assert (graded["responses"], graded["graded"], graded["full_credit"]) == (len(STUDENTS), 0, 0)


@pytest.mark.parametrize("given", [7.5, -3.0, 1 / 3, 4e11, -4e11, 1e-12])
def test_points_of_any_size(odd: OddQuiz, given: float) -> None:
    odd.put(
        [question(1), question(2), essay(3)],
        attempts_of(
            lambda n: [
                entry(1, 1 + n % 2, points=given * (n % 3)),
                entry(2, 1 + n % 3),
                essay_entry(3, "A text.", correct="defined", points=given * (n % 2)),
            ]
        ),
    )

    items = odd.statistics()["psychometrics"]["items"]

    is_possible = 0 <= given <= 1
    assert (items[2]["facility"].get("reason") != Reason.OUT_OF_RANGE) == is_possible


@pytest.mark.parametrize("possible", [0.0, 1e-12, -1.0, 1e12, 1 / 3])
def test_points_possible_of_any_size(odd: OddQuiz, possible: float) -> None:
    odd.put(
        [question(n, points_possible=possible) for n in (1, 2)],
        attempts_of(lambda n: [entry(1, 1 + n % 2), entry(2, 1 + n % 3)]),
        points_possible=possible,
    )

    quiz = odd.statistics()["psychometrics"]["quiz"]

    carries_points = possible > 1e-9
    assert (quiz["mean"].get("reason") == Reason.NO_ITEMS) != carries_points


@pytest.mark.parametrize(
    ("questions", "responses"),
    [
        ([question(1, points_possible=1e300)], [entry(1)]),
        ([question(1)], [entry(1, points=1e300)]),
        ([question(1), {"id": 9, "entry_type": "quiz_group", "question_points": 1e300}], [entry(1)]),
    ],
)
def test_points_that_are_no_points_are_refused(
    odd: OddQuiz, questions: list[Json], responses: list[Json]
) -> None:
    with pytest.raises(InvalidInputError):
        odd.put(questions, attempts_of(lambda _: responses))


def test_drawn_questions(odd: OddQuiz) -> None:
    drawn = [question(n, quiz_group_id=9) for n in (1, 2, 3)]
    group = {"id": 9, "entry_type": "quiz_group", "question_points": 2.0}
    odd.put(
        [group, *drawn, question(4)],
        attempts_of(lambda n: [entry(1 + n % 2, 1 + n // 2 % 2), entry(4, 1 + n % 3)]),
    )

    psychometrics = odd.statistics()["psychometrics"]

    # The third was drawn by nobody.
    assert [(item["id"], item["not_shown"]) for item in psychometrics["items"]] == [(1, 12), (2, 12), (4, 0)]
    assert psychometrics["quiz"]["totals_in"].startswith("share")
    assert psychometrics["quiz"]["alpha"]["reason"] == Reason.DIFFERENT_ITEMS
    assert psychometrics["items"][0]["item_rest_correlation"]["reason"] == Reason.FEW_RESPONDENTS


@pytest.mark.parametrize("kind", ["text_only_question", "Error"])
def test_a_quiz_of_text_blocks(odd: OddQuiz, kind: str) -> None:
    odd.put(
        [question(1, question_type=kind, answers=[])],
        attempts_of(lambda _: [{"question_id": 1, "correct": "no_score", "points": 0.0}]),
    )

    statistics = odd.statistics()

    assert statistics["psychometrics"]["items"] == []
    assert statistics["quiz_statistics"]["question_statistics"] == []
    assert statistics["psychometrics"]["quiz"]["mean"]["reason"] == Reason.NO_ITEMS


def test_questions_that_were_of_another_type(odd: OddQuiz) -> None:
    by_type = {question["id"]: question for question in every_type.questions()}
    # Each type became each other one.
    pairs = dict(enumerate(itertools.permutations(range(every_type.CHOICE, every_type.TEXT), 2), 1))
    present = [{**by_type[now], "id": n, "position": n} for n, (_, now) in pairs.items()]
    sent = [{**by_type[before], "id": n, "position": n} for n, (before, _) in pairs.items()]

    def as_sent(answered: Json) -> Json:
        by_question = {entry["question_id"]: entry for entry in answered["submission_data"]}
        entries = [{**by_question[before], "question_id": n} for n, (before, _) in pairs.items()]
        return {**answered, "submission_data": entries, "quiz_data": sent}

    odd.put(present, [as_sent(answered) for answered in of_every_type(STUDENTS)])

    statistics = odd.statistics()

    # What was an essay has no answer that could have been chosen.
    essay_then_choice = next(n for n, pair in pairs.items() if pair == (every_type.ESSAY, every_type.CHOICE))
    shown = statistics["quiz_statistics"]["question_statistics"][essay_then_choice - 1]
    assert (shown["responses"], shown["answered_student_count"]) == (0, 0)
    assert shown["answers"][-1] == {
        "id": "none", "text": "No Answer", "correct": False, "responses": len(STUDENTS),
    }  # fmt: skip


def test_attempts_without_a_score_and_that_end_before_they_begin(odd: OddQuiz) -> None:
    odd.put(
        [question(1)],
        [
            {**late, "score": None, "started_at": "2026-09-10T10:00:00Z"}
            for late in attempts_of(lambda n: [entry(1, 1 + n % 2)])
        ],
    )

    statistics = odd.statistics()

    assert statistics["psychometrics"]["quiz"]["minutes_median"]["reason"] == Reason.NO_TIMES
    submissions = statistics["quiz_statistics"]["submission_statistics"]
    assert (submissions["duration_average"], submissions["score_average"]) == (0, None)


def test_a_question_of_five_thousand_answers(odd: OddQuiz) -> None:
    answers = [{"id": n, "text": f"Answer {n}", "weight": 100 * (n == 1)} for n in range(1, 5001)]
    odd.put(
        [question(1, answers=answers)],
        attempts_of(
            lambda n: [{"question_id": 1, "correct": n == 0, "points": float(n == 0), "answer_id": n + 1}]
        ),
    )

    # A file of as many columns takes seconds.
    [item] = odd.document()["psychometrics"]["items"]

    assert len(item["options"]) == 5000


def test_texts_that_no_cell_holds_of_questions_that_are_no_choices(odd: OddQuiz) -> None:
    long = "long " * 20_000
    matching = {
        "question_type": "matching_question",
        "answers": [{"id": 31, "left": f"left {long}", "right": f"right {long}", "match_id": 41}],
        "matches": [{"match_id": 41, "text": f"right {long}"}],
    }
    odd.put(
        [question(1), essay(2, question_text=f"essay {long}"), question(3, **matching)],
        attempts_of(lambda n: [entry(1, 1 + n % 2), essay_entry(2, "A text.")]),
    )

    workbook = odd.workbook()

    titles = {row[0]: row[1] for row in workbook["Question Statistics"][1:]}
    assert (titles[2][:10], len(titles[2])) == ("essay long", 200)
    blanks = [row[3:5] for row in workbook["Answer Statistics"][1:] if row[0] == 3]
    assert blanks
    assert {(blank[:9], answer[:10], len(blank), len(answer)) for blank, answer in blanks} == {
        ("left long", "right long", 200, 200)
    }
