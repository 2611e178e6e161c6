"""Items of a report: which versions are shown, and in which order."""

from __future__ import annotations

from workers.analysis.frames import Item, Option
from workers.extract.items import QuizItems, read_item


def version(item_id: int, title: str) -> Item:
    return Item(item_id, title, 1.0, None, True, ())


# Item 10 was reworded (versions 1, 3), and so was 30 (4, 5), which the quiz no longer has.
VERSIONS = {
    1: version(10, "ten, first"),
    2: version(20, "twenty"),
    3: version(10, "ten, now"),
    4: version(30, "thirty, first"),
    5: version(30, "thirty, later"),
    6: version(40, "forty"),
}


def test_the_quiz_comes_first_and_then_what_attempts_had() -> None:
    items = QuizItems(present=[2, 3], question_sets={100: [1, 5, 2], 101: [6, 4]}, versions=VERSIONS)

    assert [item.title for item in items.in_order] == ["twenty", "ten, now", "thirty, later", "forty"]


def test_an_item_of_the_quiz_is_shown_as_the_quiz_has_it_even_if_an_attempt_had_a_newer_version() -> None:
    items = QuizItems(present=[1], question_sets={100: [3]}, versions=VERSIONS)

    assert [item.title for item in items.in_order] == ["ten, first"]


def test_a_quiz_without_attempts_has_its_items() -> None:
    assert QuizItems([3, 2], {}, VERSIONS).in_order == [VERSIONS[3], VERSIONS[2]]
    assert QuizItems([], {}, VERSIONS).in_order == []


def test_question_sets_keep_the_order_of_their_responses() -> None:
    items = QuizItems(present=[2, 3], question_sets={100: [1, 5, 2], 101: [6, 4]}, versions=VERSIONS)

    assert items.ids_by_question_set == {100: [10, 30, 20], 101: [40, 30]}
    assert items.versions_by_question_set[101] == [VERSIONS[6], VERSIONS[4]]


def test_an_item_is_read_as_plain_text() -> None:
    content = (
        '{"id": 10, "question_type": "true_false_question", "question_text": "<p>Is <b>it</b>?</p>",'
        ' "points_possible": 2.5, "position": 4, "answers": [{"id": 1, "text": "True", "weight": 100},'
        ' {"id": 2, "text": " ", "html": "<em>False</em>"}]}'
    )

    assert read_item(content) == Item(
        10, "Is it?", 2.5, 4, True, (Option(1, "True", 100.0), Option(2, "False", 0.0))
    )


def test_what_a_stored_question_leaves_out_has_its_default() -> None:
    assert read_item('{"id": 10, "question_type": "essay_question"}') == Item(10, "", 0.0, None, False, ())
