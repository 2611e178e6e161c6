"""The statistics of questions in Canvas's shapes, where names of blanks resemble each other."""

from __future__ import annotations

import numpy as np
import pandas as pd

from workers.analysis.canvas_statistics import CanvasQuestion, question_statistics
from workers.analysis.item_figures import OptionCount
from workers.analysis.score_table import NO_OPTION, ItemScores, ScoreTable
from workers.analysis.totals import ItemOption


def scores_of(outcomes: bytes, *, points: float) -> ItemScores:
    """Return the responses of as many students to one item."""
    table = ScoreTable(1)
    responses = {"respondent": range(len(outcomes)), "item": 0, "answer_id": NO_OPTION, "points": points}
    table.add(len(outcomes), pd.DataFrame(responses | {"outcome": [*outcomes]}))
    return table.item(0)


def test_a_blank_whose_name_begins_with_that_of_another_has_its_own_counts() -> None:
    options = [
        ItemOption(key=f"{blank}:{answer_id}", text="x", is_correct=True, blank=blank, blank_text=blank)
        for blank, answer_id in (("a", 1), ("a:b", 2))
    ]
    question = CanvasQuestion(
        id=10,
        question_type="fill_in_multiple_blanks_question",
        text="[a] [a:b]",
        position=1,
        points_possible=1.0,
        options=tuple(options),
    )
    scores = scores_of(b"CCC", points=1.0)
    counts = {"a:1": 2, "a:b:2": 1, "a:b:-1": 2}
    found = question_statistics(
        question,
        scores,
        {key: OptionCount(np.array([0, n, 0]), n, 0.0) for key, n in counts.items()},
        None,
    )
    shown = {
        answers["text"]: [(answer["id"], answer["responses"]) for answer in answers["answers"]]
        for answers in found["answer_sets"]
    }
    assert shown == {"a": [("1", 2), ("none", 1)], "a:b": [("2", 1), ("other", 2)]}


def test_an_essay_without_points_that_is_not_graded_has_no_full_credit() -> None:
    question = CanvasQuestion(
        id=10, question_type="essay_question", text="Why?", position=1, points_possible=0.0
    )
    scores = scores_of(b"UDD", points=0.0)

    found = question_statistics(question, scores, {}, None)

    assert (found["responses"], found["graded"], found["full_credit"]) == (3, 2, 2)


def test_responses_to_an_earlier_type_of_a_question_leave_no_negative_counts() -> None:
    question = CanvasQuestion(
        id=10,
        question_type="short_answer_question",
        text="Which?",
        position=1,
        points_possible=1.0,
        options=(ItemOption("1", "cell", is_correct=True),),
    )
    scores = scores_of(b"CCi", points=1.0)
    # Two students filled in two blanks each.
    counts = {key: OptionCount(np.array([0, 2, 0]), 2, 0.0) for key in ("color:1", "shape:2")}

    found = question_statistics(question, scores, counts, None)

    assert [(answer["id"], answer["responses"]) for answer in found["answers"]] == [
        ("1", 0), ("other", 2), ("none", 1),
    ]  # fmt: skip
