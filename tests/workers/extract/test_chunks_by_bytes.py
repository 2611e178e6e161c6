"""A chunk is bounded by what its responses take in memory, however well they compress."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np

from models.content.questions import Question
from models.content.responses import ResponseParser
from models.payloads.entries import PushedEntry
from models.payloads.json_values import convert_leaf
from models.payloads.questions import PushedQuestion
from workers.extract.selection import Selection

ESSAY = {"id": 1, "question_type": "essay_question"}


def response_bytes(question: dict[str, Any], **entry: Any) -> int:
    pushed = msgspec.json.decode(msgspec.json.encode(question), type=PushedQuestion, dec_hook=convert_leaf)
    entries = [PushedEntry({"question_id": 1, **entry})]
    responses, issues = ResponseParser([Question.of(pushed)]).read(entries, {}, "")
    assert issues == []
    return responses.response_bytes


def test_a_text_counts_by_its_bytes_and_not_by_those_of_its_row() -> None:
    assert response_bytes(ESSAY, text="word " * 100_000 + "end") == 500_003 + 16
    assert response_bytes(ESSAY, text="é" * 1_000) == 2_000 + 16
    assert response_bytes(ESSAY) == 16


def test_the_long_label_of_a_chosen_answer_counts() -> None:
    answers = [{"id": 1, "text": "a" * 5_000}, {"id": 2, "text": "b"}]
    question = {"id": 1, "question_type": "multiple_choice_question", "answers": answers}

    assert response_bytes(question, answer_id=1) == 5_000 + 16
    assert response_bytes(question, answer_id=2) == 16


def test_long_texts_make_small_chunks() -> None:
    sizes = np.full(600, response_bytes(ESSAY, text="word " * 100_000), np.int32)

    parts = list(Selection(np.arange(600), sizes, [1]).chunks(5_000))

    assert {part.stop - part.start for part in parts[:-1]} == {16}
