"""The statistics as tables: a row for each figure, with its interval or the reason why it has no value."""

from __future__ import annotations

import tracemalloc
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from tests.provenance import PROVENANCE
from tests.reference.plain_statistics import PlainQuiz, Response
from tests.workers.analysis.test_quiz_statistics import figures, item_of, statistics_of
from workers.analysis import cells
from workers.analysis.figures import CONVENTIONS, Reason
from workers.analysis.findings import remarks
from workers.analysis.frames import Table
from workers.analysis.statistics_tables import Statistics, statistics_tables
from workers.formats import json


def found_in(plain: PlainQuiz) -> Statistics:
    quiz, items = statistics_of(plain)
    scored = [item_of(number, points) for number, points in enumerate(plain.possible)]
    return Statistics(quiz, items, remarks(quiz, scored, items))


def tables_of(plain: PlainQuiz) -> dict[str, list[tuple[Any, ...]]]:
    return read(found_in(plain))


def read(found: Statistics) -> dict[str, list[tuple[Any, ...]]]:
    return {
        title: [row for frame in table.frames for row in cells.rows(table.columns, frame)]
        for title, table in statistics_tables(lambda: found).items()
    }


def easy_and_hard(students: int) -> PlainQuiz:
    rows = [
        [Response(1.0, option=11), Response(float(student % 2), option=11 + (student + 1) % 2)]
        for student in range(students)
    ]
    return PlainQuiz(rows, [1.0, 1.0])


def test_each_figure_of_the_quiz_has_a_row() -> None:
    rows = {row[0]: row for row in tables_of(easy_and_hard(30))["Quiz Statistics"]}

    assert rows["totals_in"] == ("totals_in", None, None, None, "", "totals_in", "points")
    assert rows["n"] == ("n", 30.0, None, None, "", "n", "")
    assert rows["mean"] == ("mean", 1.5, None, None, "", "mean", "")
    assert rows["minutes_median"][1:6] == (None, None, None, Reason.NO_TIMES, "minutes")
    # The first question does not vary, so alpha is 2 · (1 − 1).
    assert rows["alpha"][1] == 0.0
    assert rows["alpha"][2] < 0.0 < rows["alpha"][3]


def test_each_figure_of_a_question_and_of_an_answer_has_a_row() -> None:
    tables = tables_of(easy_and_hard(30))

    of_questions = {(row[0], row[2]): row[3:] for row in tables["Question Statistics"]}
    assert of_questions[2, "facility"][0] == 0.5
    assert of_questions[1, "item_rest_correlation"] == (
        *(None, None, None, Reason.ALL_CORRECT),
        "item_rest_correlation",
    )
    assert of_questions[1, "answered"][0] == 30.0
    assert not {"id", "position", "analysed"} & {name for _, name in of_questions}
    of_answers = {(row[0], row[4], row[6]): row[7] for row in tables["Answer Statistics"]}
    assert (of_answers[2, "Option 11", "count"], of_answers[2, "Option 12", "share"]) == (15.0, 0.5)
    identities = {row[2:6] for row in tables["Answer Statistics"] if row[4] in {"Option 11", "Option 12"}}
    assert identities == {(1, "", "Option 11", "correct"), (2, "", "Option 12", "distractor")}


def test_each_figure_names_a_convention_that_the_tables_have() -> None:
    found = found_in(easy_and_hard(30))
    tables = read(found)

    conventions = dict(tables["Conventions"])
    assert conventions == CONVENTIONS
    owners = {
        "Quiz Statistics": (found.quiz, 0, 5),
        "Question Statistics": (found.items[0], 2, 7),
        "Answer Statistics": (found.items[0].options[0], 6, 11),
    }
    for title, (owner, name, convention) in owners.items():
        named = {row[name]: row[convention] for row in tables[title]}
        assert set(named.values()) - {""} <= conventions.keys()
        # The names of counts and of points explain themselves.
        assert all(named[figure] for figure in figures(owner)), title
    of_answers = {row[6]: row[11] for row in tables["Answer Statistics"]}
    assert of_answers == {
        "count": "",
        **dict.fromkeys(("share", "share_of_top", "share_of_middle", "share_of_bottom"), "option_share"),
        "mean_total": "option_mean_total",
        "point_biserial": "option_point_biserial",
    }


def test_totals_that_are_compared_as_shares_are_named_so() -> None:
    different = PlainQuiz([[Response(1.0), None], [None, Response(0.0)]], [1.0, 2.0])

    [row] = [row for row in tables_of(different)["Quiz Statistics"] if row[0] == "totals_in"]

    assert row[-1] == "share of the points that a student could get"


def with_texts(found: Statistics, title: str, answers: Sequence[str]) -> Statistics:
    """Return statistics whose first item has a title, and answers with these texts."""
    item, *others = found.items
    options = [replace(item.options[0], text=text, blank=text) for text in answers]
    return replace(found, items=[replace(item, title=title, options=options), *others])


def test_texts_are_cut_where_only_their_row_is_meant() -> None:
    found = with_texts(found_in(easy_and_hard(30)), "T" * 201, ["A" * 200, "A" * 200 + "B"])

    tables = read(found)

    title, cut = "T" * 199 + "…", "A" * 199 + "…"
    assert {row[1] for row in tables["Question Statistics"] if row[0] == 1} == {title}
    assert {row[3] for row in tables["Findings"] if row[2] == 1} == {title}
    of_answers = {row[:5] for row in tables["Answer Statistics"] if row[0] == 1}
    assert of_answers == {(1, title, 1, "A" * 200, "A" * 200), (1, title, 2, cut, cut)}


@pytest.mark.cost
@pytest.mark.no_cover
def test_a_long_title_is_not_repeated_in_memory_for_each_answer() -> None:
    found = with_texts(found_in(easy_and_hard(30)), "T" * 10**6, [f"Answer {n}" for n in range(1_000)])
    found = replace(found, remarks=[*found.remarks] * 1_000)
    report = Table([], iter([]), statistics_tables(lambda: found))
    tracemalloc.start()
    try:
        size = sum(map(len, json.write(report, PROVENANCE)))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    # Once for each of the 7,000 rows of answers, the title would take 7 GB.
    assert size < 6 * 2**20
    assert peak < 20 * 2**20


def test_totals_are_counted_and_findings_named() -> None:
    tables = tables_of(easy_and_hard(30))

    assert tables["Score Distribution"] == [(50, 15), (100, 15)]
    assert tables["Score Distribution in Points"] == [(1, 15), (2, 15)]
    easy = next(row for row in tables["Findings"] if row[1] == "too_easy")
    assert easy[:4] == ("note", "too_easy", 1, "Question 1")
    assert easy[4] == "The students got 100% of the points on average."


def test_a_finding_on_the_whole_quiz_marks_no_question() -> None:
    found = found_in(easy_and_hard(30))
    [remark, *_] = found.remarks

    [marked, unmarked] = read(replace(found, remarks=[remark, replace(remark, item_id=None)]))["Findings"]

    assert (marked[2:4], unmarked[2:4]) == ((1, "Question 1"), (None, ""))


def test_a_quiz_without_attempts_has_its_tables() -> None:
    tables = tables_of(PlainQuiz([], [1.0]))

    assert tables["Score Distribution"] == tables["Findings"] == []
    assert {row[6] for row in tables["Question Statistics"] if row[2] == "facility"} == {
        Reason.NO_RESPONDENTS
    }
