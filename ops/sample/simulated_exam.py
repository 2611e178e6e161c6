"""Two hundred simulated students who sit the sample's exam: the same responses from the same seed.

Each student has an ability, each question a difficulty; the chance of a right response follows the
three-parameter logistic model (Birnbaum, in Lord and Novick, *Statistical Theories of Mental Test Scores*,
1968).
Three questions are faulty on purpose, so that the pages have something to find.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Final

_SEED: Final = 204
_STUDENTS: Final = 200
_FIRST_STUDENT: Final = 8001
_FIRST_SUBMISSION: Final = 400001
_BEGIN: Final = datetime(2026, 6, 8, 9, 0, tzinfo=UTC)

_DISCRIMINATION: Final = 1.7
_MEAN_DIFFICULTY: Final = -0.6
_SPREAD: Final = 0.8
_GUESSING: Final = 0.2
_BLANK: Final = 0.01
# How attractive the wrong options are, relative to each other.
_ATTRACTION: Final = (5.0, 3.0, 2.0)

# By the number of the question: the option that is right, though another is marked.
_WRONGLY_MARKED: Final[Mapping[int, str]] = {17: "Heterozygous"}
# The option that no student takes.
_NEVER_CHOSEN: Final[Mapping[int, str]] = {8: "Cell wall"}
# A question that nearly every student gets right.
_TOO_EASY: Final = 5
_VERY_LOW: Final = -5.0

Json = dict[str, Any]


def simulated_submissions(questions: Sequence[Json]) -> Iterator[Json]:
    """Yield an attempt of each student, as the LMS pushes it."""
    random = Random(_SEED)  # noqa: S311 - it simulates students, and keeps no secret.
    difficulties = [_MEAN_DIFFICULTY + _SPREAD * _normal(random) for _ in questions]
    difficulties[_TOO_EASY - 1] = _VERY_LOW
    for number in range(_STUDENTS):
        ability = _normal(random)
        entries = [
            _entry(random, question, ability - difficulty)
            for question, difficulty in zip(questions, difficulties, strict=True)
        ]
        finished = _BEGIN + timedelta(seconds=int(60 * (32 + 22 * random.random())))
        yield {
            "id": _FIRST_SUBMISSION + number,
            "user_id": _FIRST_STUDENT + number,
            "attempt": 1,
            "workflow_state": "complete",
            "score": sum(entry["points"] for entry in entries),
            "started_at": f"{_BEGIN:%Y-%m-%dT%H:%M:%SZ}",
            "finished_at": f"{finished:%Y-%m-%dT%H:%M:%SZ}",
            "updated_at": f"{finished:%Y-%m-%dT%H:%M:%SZ}",
            "submission_data": entries,
        }


def _entry(random: Random, question: Json, advantage: float) -> Json:
    answers = {answer["text"]: answer for answer in question["answers"]}
    marked = next(text for text, answer in answers.items() if answer["weight"] == 100)
    right = _WRONGLY_MARKED.get(question["position"], marked)
    # Of the wrong options, the one that is marked by mistake is the most attractive.
    wrong = sorted(answers.keys() - {right}, key=lambda text: (text != marked, answers[text]["id"]))
    chosen = answers.get(_choice(random, question["position"], right, wrong, advantage))
    is_correct = chosen is not None and chosen["weight"] == 100
    entry = {"question_id": question["id"], "correct": is_correct, "points": float(is_correct), "text": ""}
    return entry if chosen is None else {**entry, "answer_id": chosen["id"], "text": str(chosen["id"])}


def _choice(random: Random, number: int, right: str, wrong: Sequence[str], advantage: float) -> str:
    """Return the chosen text, or the empty string if the question is left blank."""
    if random.random() < _BLANK:
        return ""
    knows = 1 / (1 + math.exp(-_DISCRIMINATION * advantage))
    if random.random() < _GUESSING + (1 - _GUESSING) * knows:
        return right
    weights = [
        0.0 if text == _NEVER_CHOSEN.get(number) else w for text, w in zip(wrong, _ATTRACTION, strict=True)
    ]
    point = random.random() * sum(weights)
    for text, weight in zip(wrong, weights, strict=True):
        point -= weight
        if point < 0:
            return text
    return wrong[0]


def _normal(random: Random) -> float:
    # Only random() gives the same numbers in every version of Python; twelve of them are nearly normal.
    return sum(random.random() for _ in range(12)) - 6
