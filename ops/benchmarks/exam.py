"""The questions of a synthetic quiz, each with all the responses that students give to it.

Each response is stated independently in three ways: as the LMS would push it, as the columns of an attempt
store it, and by its points.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Any

from models.lms.quizzes import QuestionType
from ops.benchmarks.words import sentence

Json = dict[str, Any]

_ESSAYS = 2_000
_ESSAY_POINTS = 4.0
_PARTS_POINTS = 2.0


@dataclass(frozen=True)
class Response:
    """One response to a question; `entry` is its part of a pushed attempt's `submission_data`."""

    entry: Json
    answer_id: int | None
    text: str | None

    @property
    def points(self) -> float:
        """The points given."""
        return float(self.entry["points"])

    @property
    def counts_as_correct(self) -> bool:
        """Whether `n correct` counts the response."""
        return self.entry["correct"] is not False


@dataclass(frozen=True)
class Item:
    """A question as pushed, and its responses: first none, then the correct one, then the others."""

    question: Json
    responses: Sequence[Response]

    @property
    def kind(self) -> QuestionType:
        """The type of the question."""
        return QuestionType(self.question["question_type"])


class ExamStyle(StrEnum):
    """What an exam is like: of mixed questions, or wordy, with 3 kB of text in a row of the report."""

    MIXED = "mixed"
    WORDY = "wordy"


_Maker = Callable[[random.Random, Json], Item]


def make_exam(quiz_id: int, questions: int, *, seed: int, style: ExamStyle = ExamStyle.MIXED) -> list[Item]:
    """Make the questions of an exam; the same arguments give the same questions."""
    dice = random.Random(f"exam {quiz_id} {questions} {seed}")  # noqa: S311 - synthetic data, not a secret.
    makers = _mixed(questions) if style is ExamStyle.MIXED else _wordy(questions)
    dice.shuffle(makers)
    items = []
    for position, make in enumerate(makers, start=1):
        question_id = quiz_id * 1_000 + position
        question = {
            "id": question_id,
            "position": position,
            "question_name": f"Question {position}",
            "question_text": f"<p>{sentence(dice, dice.randint(50, 180))}</p><p>Is 6 &lt; 7 &amp; true?</p>",
            "points_possible": 1.0,
        }
        items.append(make(dice, question))
    return items


def _mixed(questions: int) -> list[_Maker]:
    """Return a tenth multi-part questions, a twentieth essays (rounded up), the rest choice questions."""
    multi_part: Sequence[_Maker] = (
        _blanks,
        _dropdowns,
        _matching,
        partial(_multiple_answers, lengths=(8, 30)),
    )
    parts, essays = round(questions / 10), -(-questions // 20)
    makers = [multi_part[n % len(multi_part)] for n in range(parts)] + [partial(_essay, length=800)] * essays
    choices = questions - len(makers)
    multiple_choice = partial(_multiple_choice, lengths=(8, 60))
    return makers + [_true_false] * (choices // 4) + [multiple_choice] * (choices - choices // 4)


def _wordy(questions: int) -> list[_Maker]:
    """Return a tenth multiple answers, a twentieth essays (rounded down), the rest multiple choice.

    Options have thirty characters, essays six hundred.
    """
    makers: list[_Maker] = [partial(_multiple_answers, lengths=(30, 30))] * round(questions / 10)
    makers += [partial(_essay, length=600)] * (questions // 20)
    return makers + [partial(_multiple_choice, lengths=(30, 30))] * (questions - len(makers))


def _entry(question: Json, correct: bool | str, points: float, **given: Any) -> Json:
    return {"question_id": question["id"], "correct": correct, "points": points, **given}


def _answer_id(question: Json, number: int) -> int:
    return int(question["id"]) * 100 + number


def _nothing(question: Json) -> Response:
    return Response(_entry(question, correct=False, points=0.0, text=""), None, None)


def _choice(question: Json, kind: QuestionType, texts: Sequence[str], right: int) -> Item:
    """Make a question with one correct answer of several."""
    answers = [
        {"id": _answer_id(question, n), "text": text, "weight": 100 if n == right else 0}
        for n, text in enumerate(texts)
    ]
    responses = [
        Response(
            _entry(question, n == right, float(n == right), answer_id=answer["id"], text=str(answer["id"])),
            int(str(answer["id"])),
            None,
        )
        for n, answer in enumerate(answers)
    ]
    ordered = [responses[right], *responses[:right], *responses[right + 1 :]]
    return Item({**question, "question_type": kind, "answers": answers}, [_nothing(question), *ordered])


def _multiple_choice(dice: random.Random, question: Json, *, lengths: tuple[int, int]) -> Item:
    texts = [sentence(dice, dice.randint(*lengths)) for _ in range(4)]
    return _choice(question, QuestionType.MULTIPLE_CHOICE, texts, dice.randrange(4))


def _true_false(dice: random.Random, question: Json) -> Item:
    return _choice(question, QuestionType.TRUE_FALSE, ["True", "False"], dice.randrange(2))


def _essay(dice: random.Random, question: Json, *, length: int) -> Item:
    """Make an essay question, of which half the responses have two paragraphs."""
    responses = [_nothing_written(question)]
    for number in range(_ESSAYS):
        parts = 1 + number % 2
        paragraphs = [sentence(dice, length // parts) for _ in range(parts)]
        points = _ESSAY_POINTS * dice.randint(0, 8) / 8
        html = "".join(f"<p>{paragraph}</p>" for paragraph in paragraphs)
        entry = _entry(question, "undefined", points, text=html)
        responses.append(Response(entry, None, "\n\n".join(paragraphs)))
    essay = {**question, "question_type": QuestionType.ESSAY, "points_possible": _ESSAY_POINTS, "answers": []}
    return Item(essay, responses)


def _nothing_written(question: Json) -> Response:
    return Response(_entry(question, "undefined", 0.0, text=""), None, "")


@dataclass(frozen=True)
class _Part:
    """One part of a multi-part response: its fields of the entry, its text in the cell, its correctness."""

    given: Mapping[str, Any]
    piece: str | None
    is_right: bool


def _multi_part(
    question: Json, kind: QuestionType, answers: Sequence[Json], parts: Sequence[Sequence[_Part]], **more: Any
) -> Item:
    """Make a question of several parts, each with its possible contents, the empty one last.

    The responses are all combinations: first the empty one, then the correct one, then the others.
    """
    combinations = sorted(itertools.product(*parts), key=lambda parts: not all(p.is_right for p in parts))
    empty = tuple(contents[-1] for contents in parts)
    ordered = [empty, *(combination for combination in combinations if combination != empty)]
    definition = {**question, **more, "question_type": kind, "answers": list(answers)}
    definition["points_possible"] = _PARTS_POINTS
    return Item(definition, [_combined(question, combination) for combination in ordered])


def _combined(question: Json, parts: Sequence[_Part]) -> Response:
    right = sum(part.is_right for part in parts)
    correct: bool | str = "partial" if 0 < right < len(parts) else right == len(parts)
    entry = _entry(question, correct, _PARTS_POINTS * right / len(parts), text="")
    for part in parts:
        entry |= part.given
    return Response(entry, None, ",".join(part.piece for part in parts if part.piece is not None))


def _blanks(dice: random.Random, question: Json) -> Item:
    """Make two blanks: filled correctly, wrongly, with a comma, or left empty."""
    answers, parts = [], []
    for number, blank in enumerate(("first", "second")):
        answer_id, word = _answer_id(question, number), sentence(dice, 9).rstrip(".").replace(",", "")
        answers.append({"id": answer_id, "text": word, "weight": 100, "blank_id": blank})
        given = [(word, word, answer_id), ("osmosis", "osmosis", None), ("up, down", "up\\, down", None)]
        parts.append(
            [
                _Part(
                    {f"answer_for_{blank}": text, f"answer_id_for_{blank}": known}, piece, known is not None
                )
                for text, piece, known in [*given, ("", "", None)]
            ]
        )
    text = {"question_text": "<p>Write [first] and then [second].</p>"}
    return _multi_part({**question, **text}, QuestionType.FILL_IN_BLANKS, answers, parts)


def _dropdowns(dice: random.Random, question: Json) -> Item:
    """Make two dropdowns of three answers each; one that is not chosen is left out of the cell."""
    answers, parts = [], []
    for number, blank in enumerate(("cause", "effect")):
        ids = [_answer_id(question, 3 * number + n) for n in range(3)]
        texts = [sentence(dice, dice.randint(6, 14)).replace(",", "") for _ in ids]
        answers += [
            {"id": answer_id, "text": text, "weight": 100 if n == 0 else 0, "blank_id": blank}
            for n, (answer_id, text) in enumerate(zip(ids, texts, strict=True))
        ]
        parts.append(
            [
                _Part(_chosen(blank, answer_id), text, n == 0)
                for n, (answer_id, text) in enumerate(zip(ids, texts, strict=True))
            ]
            + [_Part({f"answer_for_{blank}": "", f"answer_id_for_{blank}": None}, None, is_right=False)]
        )
    text = {"question_text": "<p>Choose the [cause] and the [effect].</p>"}
    return _multi_part({**question, **text}, QuestionType.DROPDOWNS, answers, parts)


def _chosen(blank: str, answer_id: int) -> Json:
    return {f"answer_for_{blank}": str(answer_id), f"answer_id_for_{blank}": answer_id}


def _matching(dice: random.Random, question: Json) -> Item:
    """Make a matching question of three left sides and four right ones."""
    matches = [{"match_id": 10 + n, "text": sentence(dice, 12).replace(",", "")} for n in range(4)]
    answers, parts = [], []
    for number in range(3):
        answer_id, left = _answer_id(question, number), sentence(dice, 10).replace(",", "")
        answers.append(
            {
                "id": answer_id,
                "left": left,
                "text": left,
                "match_id": matches[number]["match_id"],
                "weight": 100,
            }
        )
        parts.append(list(_matched(answer_id, left, matches, number)))
    return _multi_part(question, QuestionType.MATCHING, answers, parts, matches=matches)


def _matched(answer_id: int, left: str, matches: Sequence[Json], right: int) -> Iterator[_Part]:
    for number, match in enumerate(matches):
        given = {f"answer_{answer_id}": str(match["match_id"])}
        yield _Part(given, f"{left}=>{match['text']}", number == right)
    yield _Part({f"answer_{answer_id}": ""}, f"{left}=>", is_right=False)


def _multiple_answers(dice: random.Random, question: Json, *, lengths: tuple[int, int]) -> Item:
    """Make four checkboxes, two of which are correct."""
    answers, parts = [], []
    for number in range(4):
        answer_id, wanted = _answer_id(question, number), number % 2 == 0
        text = sentence(dice, dice.randint(*lengths))
        answers.append({"id": answer_id, "text": text, "weight": 100 if wanted else 0})
        ticked = _Part({f"answer_{answer_id}": "1"}, text.replace(",", "\\,"), wanted)
        parts.append([ticked, _Part({f"answer_{answer_id}": "0"}, None, not wanted)])
    return _multi_part(question, QuestionType.MULTIPLE_ANSWERS, answers, parts)
