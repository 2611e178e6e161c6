"""A response that does not fit its question is refused with the remedy, never shown as something else."""

from __future__ import annotations

from typing import Any

import pytest

from tests.models.content.test_responses import (
    CALCULATED,
    CHOICE,
    DROPDOWNS,
    SEVERAL,
    entry,
    issues,
    question,
)

# An answer to each type of question, as Canvas sends it.
ANSWERED: dict[str, dict[str, Any]] = {
    "multiple_choice": {"answer_id": 8001, "text": "8001"},
    "short_answer": {"answer_id": None, "text": "Golgi"},
    "essay": {"text": "<p>because</p>"},
    "fill_in_multiple_blanks": {"text": "", "answer_for_first": "foo", "answer_id_for_first": None},
    "multiple_dropdowns": {"text": "", "answer_for_a": "41", "answer_id_for_a": 41},
    "multiple_answers": {"text": "", "answer_1": "1", "answer_2": "0"},
    "matching": {"text": "", "answer_1": "51"},
    "file_upload": {"text": "", "attachment_ids": ["9"]},
}
NOW: dict[str, dict[str, Any]] = {
    "multiple_choice": CHOICE,
    "true_false": {**CHOICE, "question_type": "true_false_question"},
    "missing_word": {**CHOICE, "question_type": "missing_word_question"},
    "short_answer": question("short_answer", answers=[{"id": 5, "text": "Golgi"}]),
    "essay": question("essay"),
    "fill_in_multiple_blanks": question(
        "fill_in_multiple_blanks", answers=[{"id": 5, "text": "y", "blank_id": "a"}]
    ),
    "multiple_dropdowns": DROPDOWNS,
    "multiple_answers": SEVERAL,
    "matching": question("matching", answers=[{"id": 1, "text": "a", "match_id": 52}]),
    "numerical": question("numerical"),
    "calculated": CALCULATED,
    "file_upload": question("file_upload"),
    "text_only": question("text_only"),
    "Error": {"id": 1, "question_type": "Error"},
}
# A text is a text to all of these, and an id of a choice is one to all of the others.
FITS = {
    ("multiple_choice", "true_false"),
    ("multiple_choice", "missing_word"),
    *(
        (text, now)
        for text in ("short_answer", "essay")
        for now in ("short_answer", "essay", "numerical", "calculated")
    ),
    *((kind, kind) for kind in NOW),
}


@pytest.mark.contract("6 Data in", "an entry that does not fit its question's type is invalid")
@pytest.mark.parametrize(
    ("before", "now"),
    [(before, now) for before in ANSWERED for now in NOW if (before, now) not in FITS],
)
def test_an_answer_to_a_question_that_has_changed_its_type_asks_for_its_quiz_data(
    before: str, now: str
) -> None:
    (issue,) = issues(NOW[now], entry(**ANSWERED[before]))

    assert "send its quiz_data" in issue.reason


@pytest.mark.parametrize(
    ("asked", "fields"),
    [
        # These questions kept the ids of their answers when their type was changed.
        (question("short_answer", answers=[{"id": 8001, "text": "a"}]), {"answer_id": 8001, "text": "8001"}),
        (
            question("fill_in_multiple_blanks", answers=[{"id": 41, "text": "y", "blank_id": "a"}]),
            {"answer_for_a": 41, "answer_id_for_a": 41},
        ),
        (question("numerical"), {"answer_id": 8001, "text": ""}),
    ],
)
def test_the_id_of_a_choice_is_never_the_text_of_a_cell(
    asked: dict[str, Any], fields: dict[str, Any]
) -> None:
    (issue,) = issues(asked, entry(**fields))

    assert "send its quiz_data" in issue.reason


@pytest.mark.parametrize("value", [1, 0, True, False])
def test_a_selection_that_is_not_written_as_a_text_is_told_so(value: object) -> None:
    (issue,) = issues(NOW["multiple_answers"], entry(answer_1=value))

    assert issue.reason == 'must be the text "1" or "0"'


@pytest.mark.parametrize("now", NOW)
@pytest.mark.parametrize(
    "nothing",
    [
        {},
        {"text": ""},
        {"text": " "},
        {"answer_id": None, "attachment_ids": []},
        {"answer_for_a": None, "answer_id_for_a": ""},
    ],
)
def test_an_entry_without_a_response_fits_every_type(now: str, nothing: dict[str, Any]) -> None:
    assert issues(NOW[now], entry(**nothing)) == []
