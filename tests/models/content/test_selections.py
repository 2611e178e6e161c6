"""Which answers a response selected, for each type of question that has answers to select from."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from models.content.questions import Question
from models.content.responses import ResponseParser, Responses
from models.payloads.entries import PushedEntry
from models.payloads.questions import PushedQuestion, read_entry

BLANKS = [
    {"id": 1, "text": "Red", "blank_id": "color", "weight": 100},
    {"id": 2, "text": "rot", "blank_id": "color", "weight": 100},
    {"id": 3, "text": "round", "blank_id": "shape", "weight": 100},
]
ANSWERS = [{"id": 1, "text": "Ribosome", "weight": 100}, {"id": 2, "text": "Golgi", "weight": 0}]
PAIRS = [{"id": 1, "text": "Rome", "match_id": 91}, {"id": 2, "text": "Oslo", "match_id": 92}]
MATCHES = [{"match_id": 91, "text": "Italy"}, {"match_id": 92, "text": "Norway"}]


def read(kind: str, answers: list[Any], entry: dict[str, Any], **fields: Any) -> Responses:
    pushed = {"id": 7, "question_type": f"{kind}_question", "answers": answers, **fields}
    question, refused = read_entry(msgspec.json.encode(pushed), "")
    assert isinstance(question, PushedQuestion)
    assert not refused
    parser = ResponseParser([Question.of(question)])
    found, issues = parser.read([PushedEntry({"question_id": 7, "correct": True, **entry})], {}, "")
    assert not issues
    return found


@pytest.mark.parametrize(
    ("kind", "answers", "entry", "selection"),
    [
        ("multiple_answers", ANSWERS, {"answer_1": "1", "answer_2": "0"}, "[1]"),
        ("multiple_answers", ANSWERS, {"answer_1": "1", "answer_2": "1"}, "[1,2]"),
        ("multiple_answers", ANSWERS, {"answer_1": "0", "answer_2": "0"}, None),
        (
            "multiple_dropdowns",
            BLANKS,
            {"answer_for_color": "2", "answer_id_for_shape": 3},
            {"color": 2, "shape": 3},
        ),
        ("multiple_dropdowns", BLANKS, {"answer_for_color": ""}, None),
        ("fill_in_multiple_blanks", BLANKS, {"answer_for_color": " RED "}, {"color": 1}),
        (
            "fill_in_multiple_blanks",
            BLANKS,
            {"answer_for_color": "", "answer_for_shape": "flat"},
            {"shape": -1},
        ),
        ("fill_in_multiple_blanks", BLANKS, {"answer_for_color": " "}, None),
        ("matching", PAIRS, {"answer_1": "92", "answer_2": ""}, {"1": 92}),
        ("matching", PAIRS, {}, None),
        ("short_answer", ANSWERS, {"text": "ribosome"}, "1"),
        ("short_answer", ANSWERS, {"text": "nucleus"}, "-1"),
        ("short_answer", ANSWERS, {"text": "ribosomes", "answer_id": 1}, "1"),
        ("short_answer", ANSWERS, {"text": " "}, None),
        ("numerical", [{"id": 4, "weight": 100}], {"text": "12.01", "answer_id": "4"}, "4"),
        ("numerical", [{"id": 4, "weight": 100}], {"text": "13"}, "-1"),
        ("numerical", [{"id": 4, "exact": 3.14, "margin": 0.01}], {"text": " 3.13 "}, "4"),
        ("numerical", [{"id": 4, "exact": 3.14, "margin": 0.01}], {"text": "3.16"}, "-1"),
        ("numerical", [{"id": 4, "exact": 3.14}], {"text": "3.140"}, "4"),
        ("numerical", [{"id": 4, "exact": 1}, {"id": 5, "start": 2, "end": 4}], {"text": "4e0"}, "5"),
        ("numerical", [{"id": 4, "start": -1, "end": 1}], {"text": "nan"}, "-1"),
        ("numerical", [{"id": 4, "start": -1, "end": 1}], {"text": "one"}, "-1"),
        ("numerical", [{"id": 4, "exact": 10}], {"text": "1_0"}, "-1"),
        ("numerical", [{"id": 4, "exact": 1}, {"id": 5, "exact": 2}], {"text": "1", "answer_id": 5}, "5"),
    ],
)
def test_each_type_has_its_selection(
    kind: str, answers: list[Any], entry: dict[str, Any], selection: str | dict[str, int] | None
) -> None:
    found = read(kind, answers, entry, matches=MATCHES if kind == "matching" else None)

    [own] = found.selections
    assert (msgspec.json.decode(own) if isinstance(selection, dict) and own else own) == selection
    # What selected nothing is not answered, though a matching question that was left alone has a text.
    assert found.outcomes == ("c" if selection is None else "C")


@pytest.mark.parametrize(
    ("kind", "entry", "answered"),
    [
        ("essay", {"text": "<p>Yes.</p>"}, True),
        ("essay", {"text": "<p> </p>"}, False),
        ("essay", {}, False),
        ("calculated", {"text": "4.3"}, True),
        ("calculated", {"text": ""}, False),
        ("file_upload", {"attachment_ids": []}, False),
        ("file_upload", {}, False),
    ],
)
def test_other_types_have_none_and_tell_whether_they_are_answered(
    kind: str, entry: dict[str, Any], answered: bool
) -> None:
    found = read(kind, [], entry)

    assert found.selections == [None]
    assert found.outcomes == ("C" if answered else "c")
