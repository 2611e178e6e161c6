"""Contract, section 7, "Cells": what an answer of each type comes to."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.content.questions import Question
from models.content.responses import ResponseParser, Responses
from models.errors import InvalidInputError, ValidationIssue
from models.issues import RefusedWhole
from models.lms.quizzes import QuestionType
from models.payloads.entries import EntryReader, PushedEntry
from models.payloads.questions import read_questions

PLACE = "quiz_submissions[0].submission_data"
ATTACHMENTS = {9: "essay.pdf", 10: "second.pdf"}


def parser(*questions: dict[str, Any]) -> ResponseParser:
    return ResponseParser(normalised(*questions))


def normalised(*questions: dict[str, Any]) -> list[Question]:
    policy = RefusedWhole()
    sources = [msgspec.Raw(msgspec.json.encode(q)) for q in questions]
    found, _ = read_questions(sources, "quiz.questions", policy)
    policy.finish()
    assert found is not None
    return [Question.of(pushed) for pushed in found.entries.values()]


def question(kind: str, **fields: Any) -> dict[str, Any]:
    return {"id": 1, "question_type": f"{kind}_question", **fields}


def entry(**fields: Any) -> dict[str, Any]:
    return {"question_id": 1, "correct": True, "points": 1.0, **fields}


def known(value: dict[str, Any]) -> PushedEntry:
    """Read an entry as a push does, which knows it if another attempt has it as well."""
    [found] = EntryReader().read(msgspec.json.encode([value]), PLACE)
    return found


def responses(asked: dict[str, Any], **fields: Any) -> Responses:
    found, issues = parser(asked).read([PushedEntry(entry(**fields))], ATTACHMENTS, PLACE)
    assert issues == []
    return found


def text(asked: dict[str, Any], **fields: Any) -> str | None:
    return responses(asked, **fields).texts[0]


def issues(asked: dict[str, Any], *entries: Any) -> list[ValidationIssue]:
    return parser(asked).read([PushedEntry(value) for value in entries], ATTACHMENTS, PLACE)[1]


CHOICE = question("multiple_choice", answers=[{"id": 8001, "text": "a"}, {"id": 8002, "text": "b"}])
BLANKS = question(
    "fill_in_multiple_blanks",
    answers=[
        {"id": 1, "text": "red", "blank_id": "second"},
        {"id": 2, "text": "blue", "blank_id": "first"},
        {"id": 3, "text": "green", "blank_id": "second"},
    ],
)
DROPDOWNS = question(
    "multiple_dropdowns",
    answers=[
        {"id": 1, "text": "6 &lt; 7", "blank_id": "a"},
        {"id": 2, "text": "one, two", "blank_id": "a"},
        {"id": 3, "html": "<b>three</b>", "blank_id": "b"},
    ],
)
SEVERAL = question(
    "multiple_answers",
    answers=[{"id": 1, "text": "one"}, {"id": 2, "text": "two, or 2"}, {"id": 3, "html": "<i>three</i>"}],
)
MATCHING = question(
    "matching",
    answers=[
        {"id": 1, "text": "a => b", "match_id": 51},
        {"id": 2, "left": "<p>left, two</p>", "match_id": 52},
        {"id": 3, "text": "three", "match_id": 53, "right": "by its right"},
    ],
    matches=[{"match_id": 51, "text": "x=>y"}, {"match_id": 52, "text": "6 &lt; 7"}],
)
CALCULATED = question(
    "calculated",
    answers=[
        {"id": 1, "variables": [{"name": "x", "value": 4.3}, {"name": "y", "value": 21}]},
        {"id": 2, "variables": [{"name": "x", "value": 9}]},
    ],
)


@pytest.mark.parametrize("kind", ["multiple_choice", "true_false"])
@pytest.mark.parametrize("answer_id", [8002, "8002"])
def test_a_choice_is_kept_as_the_id_of_its_answer(kind: str, answer_id: object) -> None:
    found = responses({**CHOICE, "question_type": f"{kind}_question"}, answer_id=answer_id, text="8002")

    assert found == Responses([8002], [None], [1.0], n_correct=1)


@pytest.mark.contract("7 Cells", "each question type has its cell")
def test_a_missing_word_is_a_choice_and_a_failed_import_a_text_block() -> None:
    chosen = responses({**CHOICE, "question_type": "missing_word_question"}, answer_id=8002)

    assert chosen.answer_ids == [8002]
    assert text({"id": 1, "question_type": "Error", "question_text": "?"}, text="") is None


@pytest.mark.parametrize("fields", [{}, {"answer_id": None}, {"answer_id": ""}, {"text": "8001"}])
def test_a_choice_without_an_answer_is_no_choice(fields: dict[str, Any]) -> None:
    assert responses(CHOICE, **fields) == Responses([None], [None], [1.0], n_correct=1)


@pytest.mark.parametrize("kind", ["short_answer", "essay", "numerical"])
@pytest.mark.parametrize(
    ("given", "cell"),
    [
        ("Golgi", "Golgi"),
        ("6 &lt; 7", "6 < 7"),
        ("a < b", "a < b"),
        ("<p>one</p><p>two</p>", "one\n\ntwo"),
        (" two  words ", "two words"),
        ("a, b => c", "a, b => c"),
        ("=1+1", "=1+1"),
        (4.5, "4.5"),
        (4, "4"),
        ("", None),
        (None, None),
    ],
)
def test_a_text_that_was_given_is_kept_as_plain_text(kind: str, given: object, cell: str | None) -> None:
    asked = question(kind, answers=[{"id": 5, "text": "Golgi"}])
    equal = {} if kind == "essay" else {"answer_id": 5}

    assert text(asked, text=given, **equal) == cell


@pytest.mark.parametrize(
    ("fields", "cell"),
    [
        ({"answer_for_first": "foo", "answer_for_second": "bar"}, "bar,foo"),
        ({"answer_for_first": "baz"}, "baz"),
        ({"answer_for_first": "baz", "answer_for_second": None}, "baz"),
        ({"answer_for_first": "baz", "answer_for_second": ""}, ",baz"),
        ({"answer_for_first": "", "answer_for_second": "bar"}, "bar,"),
        ({"answer_for_first": "", "answer_for_second": ""}, ","),
        ({"answer_for_second": "1,000", "answer_id_for_second": None}, "1\\,000"),
        ({"answer_for_second": "a=>b"}, "a=>b"),
        ({"answer_for_second": "6 &lt; 7&#44; 8", "answer_for_first": 3}, "6 < 7\\, 8,3"),
        ({"answer_for_second": "red", "answer_id_for_second": 1}, "red"),
        ({"answer_for_second": "rot", "answer_id_for_second": 99}, "rot"),
        ({"answer_for_gone": None}, None),
        ({}, None),
    ],
)
def test_blanks_stand_in_the_order_of_the_questions_answers(fields: dict[str, Any], cell: str | None) -> None:
    assert text(BLANKS, **fields) == cell


@pytest.mark.parametrize(
    ("fields", "cell"),
    [
        ({"answer_for_a": "1", "answer_for_b": 3}, "6 < 7,three"),
        ({"answer_for_a": 2, "answer_for_b": ""}, "one\\, two"),
        ({"answer_for_b": "3", "answer_id_for_b": "3"}, "three"),
        ({"answer_for_b": "three", "answer_id_for_b": 3}, "three"),
        ({"answer_for_a": None, "answer_for_b": 3}, "three"),
        ({"answer_for_a": "", "answer_for_b": None, "answer_for_gone": ""}, None),
        ({"text": ""}, None),
        ({}, None),
    ],
)
def test_dropdowns_show_what_was_chosen(fields: dict[str, Any], cell: str | None) -> None:
    assert text(DROPDOWNS, **fields) == cell


@pytest.mark.parametrize(
    ("fields", "cell"),
    [
        ({"answer_3": "1", "answer_1": "1", "answer_2": "0"}, "one,three"),
        ({"answer_2": "1"}, "two\\, or 2"),
        ({"answer_1": "0", "answer_2": "", "answer_3": None}, None),
        ({"answer_1": "1", "answer_99": "0"}, "one"),
    ],
)
def test_several_answers_stand_in_the_questions_order(fields: dict[str, Any], cell: str | None) -> None:
    assert text(SEVERAL, **fields) == cell


@pytest.mark.parametrize(
    ("fields", "cell"),
    [
        (
            {"answer_1": "51", "answer_2": 52, "answer_3": "53"},
            "a \\=> b=>x\\=>y,left\\, two=>6 < 7,three=>by its right",
        ),
        ({"answer_2": "51"}, "a \\=> b=>,left\\, two=>x\\=>y,three=>"),
        ({"answer_1": "", "answer_2": None}, "a \\=> b=>,left\\, two=>,three=>"),
    ],
)
def test_matches_stand_beside_their_left_sides(fields: dict[str, Any], cell: str) -> None:
    assert text(MATCHING, **fields) == cell


@pytest.mark.parametrize(
    ("given", "cell"),
    [
        ("14.3", "x=>4.3,y=>21,14.3"),
        (14.3, "x=>4.3,y=>21,14.3"),
        ("1,5", "x=>4.3,y=>21,1\\,5"),
        ("", "x=>4.3,y=>21,"),
    ],
)
def test_a_calculated_answer_stands_after_the_variables_that_were_shown(given: object, cell: str) -> None:
    assert text(CALCULATED, text=given) == cell


@pytest.mark.parametrize(
    ("set_id", "variables"), [(None, "x=>4.3,y=>21"), (1, "x=>4.3,y=>21"), ("2", "x=>9")]
)
def test_the_answer_id_names_the_variables_that_were_drawn(set_id: object, variables: str) -> None:
    assert text(CALCULATED, answer_id=set_id, text="14.0000") == f"{variables},14.0000"


def test_a_single_set_of_variables_without_an_id_was_drawn() -> None:
    asked = question("calculated", answers=[{"variables": [{"name": "x", "value": 4}]}])

    assert text(asked, answer_id=771, text="9") == "x=>4,9"


@pytest.mark.parametrize(
    ("ids", "cell"),
    [(["9"], "essay.pdf"), ([10, 9], "second.pdf"), (["", "10"], "second.pdf"), ([], None), (None, None)],
)
def test_an_upload_is_shown_by_the_name_of_its_first_file(ids: object, cell: str | None) -> None:
    assert text(question("file_upload"), attachment_ids=ids) == cell


def test_a_text_between_questions_has_no_answer() -> None:
    found = responses(question("text_only"), correct="no_score", points=0, text="")

    assert found == Responses([None], [None], [0.0], n_correct=1)


def test_a_question_without_an_entry_has_nothing_and_counts_nowhere() -> None:
    found, _ = parser(CHOICE, {**CALCULATED, "id": 2}).read([], {}, PLACE)

    assert found == Responses([None, None], [None, None], [None, None])


def test_entries_come_in_any_order_and_stand_in_the_forms() -> None:
    asked = parser({**CHOICE, "id": 5}, question("essay", id=3))

    entries = [
        PushedEntry({"question_id": "3", "text": "b", "points": 2}),
        PushedEntry({"question_id": 5, "answer_id": 8001, "points": 1.5}),
    ]
    found, _ = asked.read(entries, {}, PLACE)

    assert found == Responses([8001, None], [None, "b"], [1.5, 2.0], n_incorrect=2)


@pytest.mark.parametrize(
    ("fields", "outcome"),
    [
        ({"correct": True, "answer_id": 8001}, "C"),
        ({"correct": "partial", "answer_id": 8001}, "P"),
        ({"correct": "undefined", "answer_id": 8001}, "U"),
        ({"correct": False, "answer_id": 8002}, "I"),
        ({"correct": None}, "i"),
        ({"correct": "undefined"}, "u"),
    ],
)
def test_an_outcome_is_a_letter_in_capitals_if_something_was_answered(
    fields: dict[str, Any], outcome: str
) -> None:
    assert responses(CHOICE, **fields).outcomes == outcome


def test_a_question_without_an_entry_has_a_dash() -> None:
    found, _ = parser(CHOICE).read([], {}, PLACE)

    assert found.outcomes == "-"


@pytest.mark.parametrize(
    ("correct", "counts"),
    [
        *((word, (1, 0)) for word in ("partial", "undefined", "defined", "no_score", "true", "Falsch", "")),
        (True, (1, 0)),
        (False, (0, 1)),
        ("false", (0, 1)),
        (None, (0, 1)),
    ],
)
@pytest.mark.contract("6 Data in", "Canvas's own words are understood")
def test_all_but_false_and_null_count_as_correct(correct: object, counts: tuple[int, int]) -> None:
    found = responses(CHOICE, correct=correct)

    assert (found.n_correct, found.n_incorrect) == counts


@pytest.mark.parametrize(
    ("asked", "fields", "key"),
    [
        (CHOICE, {"correct": 1}, "correct"),
        (CHOICE, {"correct": ["true"]}, "correct"),
        (CHOICE, {"points": True}, "points"),
        (CHOICE, {"points": "1"}, "points"),
        (CHOICE, {"points": 10**400}, "points"),
        (CHOICE, {"answer_id": True}, "answer_id"),
        (CHOICE, {"answer_id": 8001.0}, "answer_id"),
        (CHOICE, {"answer_id": "b"}, "answer_id"),
        (CHOICE, {"answer_id": 8003}, "answer_id"),
        (CHOICE, {"question_id": True}, "question_id"),
        (CHOICE, {"question_id": 1.0}, "question_id"),
        (CHOICE, {"question_id": None}, "question_id"),
        (CHOICE, {"question_id": 2}, "question_id"),
        (question("essay"), {"text": True}, "text"),
        (question("essay"), {"text": ["a"]}, "text"),
        (BLANKS, {"answer_for_third": "a"}, "answer_for_third"),
        (BLANKS, {"answer_for_first": {}}, "answer_for_first"),
        (DROPDOWNS, {"answer_for_a": "3"}, "answer_for_a"),
        (DROPDOWNS, {"answer_for_a": "6 < 7"}, "answer_for_a"),
        (SEVERAL, {"answer_4": "1"}, "answer_4"),
        (SEVERAL, {"answer_1": True}, "answer_1"),
        (SEVERAL, {"answer_1": "51"}, "answer_1"),
        (CALCULATED, {"answer_id": 3}, "answer_id"),
        (BLANKS, {"answer_for_third": ""}, "answer_for_third"),
        (MATCHING, {"answer_4": ""}, "answer_4"),
        (MATCHING, {"answer_4": "51"}, "answer_4"),
        (MATCHING, {"answer_1": "99"}, "answer_1"),
        (question("file_upload"), {"attachment_ids": ["11"]}, "attachment_ids"),
        (question("file_upload"), {"attachment_ids": "9"}, "attachment_ids"),
        (question("file_upload"), {"attachment_ids": [True]}, "attachment_ids[0]"),
    ],
)
def test_what_a_question_cannot_be_answered_with_is_refused_at_its_place(
    asked: dict[str, Any], fields: dict[str, Any], key: str
) -> None:
    assert [issue.path for issue in issues(asked, entry(**fields))] == [f"{PLACE}[0].{key}"]


def test_a_question_or_answer_that_the_attempt_had_not_asks_for_its_quiz_data() -> None:
    for fields in ({"question_id": 2}, {"answer_id": 8003}):
        assert "quiz_data" in issues(CHOICE, entry(**fields))[0].reason


def test_a_question_that_is_answered_twice_is_refused() -> None:
    assert issues(CHOICE, entry(), entry()) == [
        ValidationIssue(f"{PLACE}[1].question_id", "is also answered by an earlier entry")
    ]


def test_every_wrong_entry_is_named() -> None:
    found = issues(CHOICE, 7, {}, entry(answer_id=1), entry(correct=0))

    assert [issue.path for issue in found] == [
        f"{PLACE}[0]",
        f"{PLACE}[1].question_id",
        f"{PLACE}[2].answer_id",
        f"{PLACE}[3].question_id",
    ]


KEYS = st.sampled_from(
    ["correct", "points", "text", "answer_id", "answer_1", "answer_2", "answer_for_first", "answer_for_a",
     "answer_id_for_a", "attachment_ids", "answer_99", "x"]
)  # fmt: skip
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5)
    | st.sampled_from(["1", "51", "9", 8001, "true"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)  # fmt: skip


@given(st.sampled_from(list(QuestionType)), st.dictionaries(KEYS, VALUES, max_size=5))
def test_any_entry_is_read_or_refused(question_type: QuestionType, fields: dict[str, Any]) -> None:
    asked = {**BLANKS, "question_type": question_type.value, "matches": MATCHING["matches"]}

    found, _ = parser(asked).read([PushedEntry({"question_id": 1, **fields})], ATTACHMENTS, PLACE)

    assert found.texts[0] is None or "\0" not in found.texts[0] or "\0" in str(fields)


def test_no_more_than_twenty_issues_of_an_attempt_are_named() -> None:
    assert len(issues(CHOICE, *[{}] * 10_000)) == InvalidInputError.MOST_ISSUES


def test_an_id_of_an_answer_may_have_leading_zeros() -> None:
    assert responses(CHOICE, answer_id="08001").answer_ids == [8001]


def test_an_entry_is_read_again_for_another_wording_and_another_attachment() -> None:
    shared = known(entry(answer_1="1"))
    for label in ("one", "two", "one"):
        asked = parser({**SEVERAL, "answers": [{"id": 1, "text": label}]})
        assert asked.read([shared], {}, PLACE)[0].texts == [label]

    uploads = parser(question("file_upload"))
    shared = known(entry(attachment_ids=["9"]))
    for name in ("a.pdf", "b.pdf"):
        assert uploads.read([shared], {9: name}, PLACE)[0].texts == [name]


@pytest.mark.parametrize("length", [1, 2_000])
def test_what_an_entry_chose_is_kept_unless_it_is_long(length: int) -> None:
    asked = parser({**SEVERAL, "answers": [{"id": 1, "text": "a" * length}]})
    shared = known(entry(answer_1="1"))

    for _ in range(2):
        assert asked.read([shared], {}, PLACE)[0].texts == ["a" * length]
    assert (shared.reading is None) == (length > 1)


def test_what_an_entry_says_is_kept_for_the_question_it_was_last_read_for() -> None:
    first, equal = normalised(CHOICE), normalised(CHOICE)
    shared = known(entry(answer_id=8002))

    for asked in (first, equal):
        ResponseParser(asked).read([shared], {}, PLACE)
        assert shared.reading.question() is asked[0]
        kept = shared.reading
        ResponseParser(asked).read([shared], {}, PLACE)
        assert shared.reading is kept


def test_an_entry_that_was_read_before_says_the_same_in_another_question_set() -> None:
    choice, calculated = normalised(CHOICE, {**CALCULATED, "id": 2})
    shared = [
        known(entry(answer_id=8002, correct="odd")),
        known(entry(question_id=2, text="5", correct=False, points=0.5)),
    ]

    first, _ = ResponseParser([choice, calculated]).read(shared, {}, PLACE)
    second, _ = ResponseParser([calculated, choice]).read(shared, {}, PLACE)

    assert (first.answer_ids, first.texts) == ([8002, None], [None, "x=>4.3,y=>21,5"])
    assert (second.answer_ids, second.texts) == ([None, 8002], ["x=>4.3,y=>21,5", None])
    assert (second.points, second.outcomes) == ([0.5, 1.0], "IC")
    for found in (first, second):
        assert (found.n_correct, found.n_incorrect) == (1, 1)
        assert (found.unknown_words, found.assumed_sets) == ([0], [1])
