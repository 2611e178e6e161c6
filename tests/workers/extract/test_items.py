"""Items of a report: which versions are shown, and in which order."""

from __future__ import annotations

from dataclasses import replace

import pytest

from workers.analysis.frames import Item, Option
from workers.extract.items import QuizItems, read_points_of_groups, read_question, to_item


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


SETS = {100: [1, 5, 2], 101: [6, 4]}


@pytest.mark.parametrize(
    ("newest_first", "thirty"), [([100, 101], "thirty, later"), ([101, 100], "thirty, first")]
)
def test_the_quiz_comes_first_and_then_what_attempts_had(newest_first: list[int], thirty: str) -> None:
    items = QuizItems(present=[2, 3], question_sets=SETS, versions=VERSIONS, newest_first=newest_first)

    assert [item.title for item in items.in_order] == ["twenty", "ten, now", thirty, "forty"]


def test_an_item_of_the_quiz_is_shown_as_the_quiz_has_it_even_if_an_attempt_had_a_newer_version() -> None:
    items = QuizItems(present=[1], question_sets={100: [3]}, versions=VERSIONS, newest_first=[100])

    assert [item.title for item in items.in_order] == ["ten, first"]


def test_a_quiz_without_attempts_has_its_items() -> None:
    assert QuizItems([3, 2], {}, VERSIONS).in_order == [VERSIONS[3], VERSIONS[2]]
    assert QuizItems([], {}, VERSIONS).in_order == []


@pytest.mark.contract("6 Data in", "a drawn question is one of the attempts that drew it")
def test_a_drawn_item_is_listed_if_an_attempt_had_it() -> None:
    items = QuizItems(
        present=[2, 3, 6],
        question_sets={100: [2]},
        versions=VERSIONS,
        newest_first=[100],
        groups={2: 77, 6: 77},
    )

    assert [item.title for item in items.in_order] == ["twenty", "ten, now"]


@pytest.mark.parametrize(
    ("points_of_groups", "sent", "points"),
    [({77: 5.0}, {101}, 5.0), ({78: 5.0}, {101}, 2.0), ({}, {101, 102}, 3.0), ({}, set(), 1.0)],
)
@pytest.mark.contract("6 Data in", "a drawn question is one of the attempts that drew it")
def test_the_points_of_a_drawn_item_are_its_group_s_else_those_that_the_newest_attempt_sent_else_its_own(
    points_of_groups: dict[int, float], sent: set[int], points: float
) -> None:
    versions = {number: replace(version(10, "ten"), points_possible=float(number)) for number in (1, 2, 3)}
    items = QuizItems(
        present=[1],
        question_sets={100: [1], 101: [2], 102: [3]},
        versions=versions,
        newest_first=[102, 101, 100],
        sent=sent,
        groups={1: 77},
        points_of_groups=points_of_groups,
    )

    assert [item.points_possible for item in items.in_order] == [points]


def test_groups_whose_points_are_not_known_are_left_out() -> None:
    assert read_points_of_groups('{"77": 5.0, "78": null}') == {77: 5.0}


def test_question_sets_keep_the_order_of_their_responses() -> None:
    items = QuizItems(present=[2, 3], question_sets=SETS, versions=VERSIONS)

    assert items.ids_by_question_set == {100: [10, 30, 20], 101: [40, 30]}
    assert items.versions_by_question_set[101] == [VERSIONS[6], VERSIONS[4]]


def test_an_item_is_read_as_plain_text() -> None:
    content = (
        '{"id": 10, "question_type": "true_false_question", "question_text": "<p>Is <b>it</b>?</p>",'
        ' "points_possible": 2.5, "position": 4, "answers": [{"id": 1, "text": "True", "weight": 100},'
        ' {"id": 2, "text": " ", "html": "<em>False</em>"}]}'
    )

    options = (Option(1, "True", 100.0), Option(2, "False", 0.0))
    assert to_item(read_question(content)) == Item(
        10, "Is it?", 2.5, 4, True, options, question_type="true_false_question"
    )


def test_what_a_stored_question_leaves_out_has_its_default() -> None:
    question = read_question('{"id": 10, "question_type": "essay_question"}')

    assert to_item(question) == Item(10, "", 0.0, None, False, (), question_type="essay_question")
