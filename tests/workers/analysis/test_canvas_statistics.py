"""The statistics of questions in Canvas's shapes, where names of blanks resemble each other."""

from __future__ import annotations

import numpy as np

from workers.analysis.canvas_statistics import CanvasQuestion, question_statistics
from workers.analysis.quiz_statistics import ItemOption, OptionCount
from workers.analysis.score_table import ItemScores


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
    everybody = np.ones(3, bool)
    scores = ItemScores(
        shown=everybody,
        answered=everybody,
        graded=everybody,
        scores=np.ones(3),
        option_ids=np.full(3, -1),
        outcomes=np.full(3, ord("C"), np.uint8),
    )
    counts = {"a:1": 2, "a:b:2": 1, "a:b:-1": 2}
    found = question_statistics(
        question, scores, {key: OptionCount(np.array([0, n, 0]), n, 0.0) for key, n in counts.items()}, None
    )
    shown = {
        answers["text"]: [(answer["id"], answer["responses"]) for answer in answers["answers"]]
        for answers in found["answer_sets"]
    }
    assert shown == {"a": [("1", 2), ("none", 1)], "a:b": [("2", 1), ("other", 2)]}
