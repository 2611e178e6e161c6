"""The reader of each question type's responses; cells are tested in test_responses."""

from __future__ import annotations

import pytest

from models.content.cell_text import READERS
from models.content.entry_fit import InvalidResponseError, read_id
from models.lms.quizzes import QuestionType


def test_every_type_that_is_no_choice_has_a_reader() -> None:
    assert set(READERS) == {kind for kind in QuestionType if not kind.is_choice}


@pytest.mark.parametrize(("value", "found"), [(8, 8), ("8", 8), (None, None), ("", None)])
def test_an_id_is_read_from_either_spelling(value: object, found: int | None) -> None:
    assert read_id({"answer_id": value}, "answer_id") == found


@pytest.mark.parametrize("value", [True, 8.0, "x", [8]])
def test_what_is_no_id_is_named_by_its_key(value: object) -> None:
    with pytest.raises(InvalidResponseError, match="answer_id must be an integer") as caught:
        read_id({"answer_id": value}, "answer_id")
    assert caught.value.key == "answer_id"
