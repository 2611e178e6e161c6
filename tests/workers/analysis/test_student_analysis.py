"""student_analysis: columns, cells and rows, against lines written by hand and a plain assembly."""

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.attempt_frames import STUDENT_ATTEMPTS, as_csv, attempt_frame
from workers.analysis import cells
from workers.analysis.cells import FEW_ROWS
from workers.analysis.frames import Item, Option
from workers.analysis.student_analysis import StudentAnalysis, StudentAnalysisOptions

CELLS = Item(
    4000001,
    "Which one makes ATP?",
    1.0,
    1,
    True,
    (Option(8001, "Mitochondrion", 100), Option(8002, "Ribosome", 0)),
)
ESSAY = Item(4000002, "Why, do you think?", 2.5, 2, False, ())

ANN: dict[str, Any] = {
    "name": "Ann Lee",
    "user_id": 7,
    "sis_user_id": "s0007",
    "root_account": "school.example.edu",
    "section": "Section A",
    "section_id": "31",
    "section_sis_id": "BIO-A",
    "logged_out": False,
    "finished_at": datetime(2026, 9, 10, 9, 12, 31, tzinfo=UTC),
    "attempt": 2,
    "question_set_id": 1,
    "answer_ids": [8001, None],
    "texts": [None, "Because."],
    "points": [1.0, 2.0],
    "n_correct": 2,
    "n_incorrect": 0,
    "score": 3.0,
}


def options(**switches: bool) -> StudentAnalysisOptions:
    """Options with everything off but what is named."""
    off = dict.fromkeys(
        ["includes_all_versions", "includes_sis_ids", "includes_root_accounts", "anonymous"], False
    )
    return StudentAnalysisOptions(**{**off, **switches})


def attempts(*rows: Mapping[str, Any]) -> pd.DataFrame:
    """A chunk of attempts, each what Ann's is but for the values given."""
    return attempt_frame([{**ANN, **row} for row in rows], STUDENT_ATTEMPTS)


def body(analysis: StudentAnalysis, *rows: Mapping[str, Any]) -> str:
    return as_csv(analysis.columns, analysis.rows(attempts(*rows))).removeprefix(as_csv(analysis.columns))


def names(analysis: StudentAnalysis) -> list[str]:
    return [column.name for column in analysis.columns]


def cells_of(
    *rows: Mapping[str, Any],
    questions: Sequence[Item] = (CELLS, ESSAY),
    question_sets: Mapping[int, Sequence[Item]] | None = None,
) -> list[str]:
    """The part of each line that belongs to the questions, in an anonymous report."""
    analysis = StudentAnalysis(options(anonymous=True), questions, question_sets or {1: questions})
    before = "Section A,31,2026-09-10 09:12:31 UTC,"
    return [line.removeprefix(before).removesuffix(",2,0,3.0") for line in body(analysis, *rows).splitlines()]


@pytest.mark.contract("7 Columns", "these, in this order")
def test_the_full_report_has_every_column_in_order() -> None:
    everything = options(includes_all_versions=True, includes_sis_ids=True, includes_root_accounts=True)
    analysis = StudentAnalysis(everything, [CELLS, ESSAY], {1: [CELLS, ESSAY]})

    assert as_csv(analysis.columns, analysis.rows(attempts({}))) == (
        "name,id,sis_id,root_account,section,section_id,section_sis_id,submitted,attempt,"
        '4000001: Which one makes ATP?,1.0,"4000002: Why, do you think?",2.5,n correct,n incorrect,score\n'
        "Ann Lee,7,s0007,school.example.edu,Section A,31,BIO-A,2026-09-10 09:12:31 UTC,2,"
        "Mitochondrion,1.0,Because.,2.0,2,0,3.0\n"
    )


@pytest.mark.parametrize(
    ("switches", "header", "line"),
    [
        ({}, "name,id,section,section_id,submitted", "Ann Lee,7,Section A,31,2026-09-10 09:12:31 UTC"),
        (
            {"includes_sis_ids": True},
            "name,id,sis_id,section,section_id,section_sis_id,submitted",
            "Ann Lee,7,s0007,Section A,31,BIO-A,2026-09-10 09:12:31 UTC",
        ),
        (
            {"includes_root_accounts": True},
            "name,id,root_account,section,section_id,submitted",
            "Ann Lee,7,school.example.edu,Section A,31,2026-09-10 09:12:31 UTC",
        ),
        (
            {"includes_all_versions": True},
            "name,id,section,section_id,submitted,attempt",
            "Ann Lee,7,Section A,31,2026-09-10 09:12:31 UTC,2",
        ),
        ({"anonymous": True}, "section,section_id,submitted", "Section A,31,2026-09-10 09:12:31 UTC"),
        (
            {"anonymous": True, "includes_sis_ids": True, "includes_root_accounts": True},
            "section,section_id,section_sis_id,submitted",
            "Section A,31,BIO-A,2026-09-10 09:12:31 UTC",
        ),
    ],
)
@pytest.mark.contract("7 Columns", "these, in this order")
def test_options_choose_the_columns(switches: dict[str, bool], header: str, line: str) -> None:
    analysis = StudentAnalysis(options(**switches), [], {1: [CELLS, ESSAY]})

    assert as_csv(analysis.columns) == f"{header},n correct,n incorrect,score\n"
    assert body(analysis, {}) == f"{line},2,0,3.0\n"


def test_the_rows_are_named_like_the_header() -> None:
    analysis = StudentAnalysis(options(), [CELLS, ESSAY], {1: [CELLS, ESSAY]})

    assert list(analysis.rows(attempts({})).columns) == names(analysis)


def test_points_possible_are_a_float_and_repeat() -> None:
    whole = Item(5, "Five", 1, None, False, ())

    assert names(StudentAnalysis(options(), [CELLS, whole], {}))[5:9] == [
        "4000001: Which one makes ATP?",
        "1.0",
        "5: Five",
        "1.0",
    ]


@pytest.mark.contract("7 Rows", "a logged-out taker, an anonymous survey")
def test_a_logged_out_taker_has_empty_strings_for_who_and_where() -> None:
    everything = options(includes_sis_ids=True, includes_root_accounts=True)
    analysis = StudentAnalysis(everything, [CELLS], {1: [CELLS, ESSAY]})
    nobody = dict.fromkeys(["name", "user_id", "sis_user_id", "root_account"], None)

    assert body(analysis, {**nobody, "logged_out": True}, {}) == (
        '"","","","","","","",2026-09-10 09:12:31 UTC,Mitochondrion,1.0,2,0,3.0\n'
        "Ann Lee,7,s0007,school.example.edu,Section A,31,BIO-A,2026-09-10 09:12:31 UTC,"
        "Mitochondrion,1.0,2,0,3.0\n"
    )


def test_what_a_student_lacks_is_null_and_sections_pass_through() -> None:
    everything = options(includes_sis_ids=True, includes_root_accounts=True)
    analysis = StudentAnalysis(everything, [], {1: [CELLS, ESSAY]})
    lacking = {"sis_user_id": None, "root_account": None, "section_sis_id": None}
    nowhere = dict.fromkeys(["section", "section_id", "section_sis_id"], "")

    assert body(analysis, lacking, nowhere) == (
        "Ann Lee,7,,,Section A,31,,2026-09-10 09:12:31 UTC,2,0,3.0\n"
        'Ann Lee,7,s0007,school.example.edu,"","","",2026-09-10 09:12:31 UTC,2,0,3.0\n'
    )


def test_a_score_that_is_missing_is_null() -> None:
    analysis = StudentAnalysis(options(anonymous=True), [], {1: [CELLS, ESSAY]})

    assert body(analysis, {"score": None}, {"score": 0.1}) == (
        "Section A,31,2026-09-10 09:12:31 UTC,2,0,\nSection A,31,2026-09-10 09:12:31 UTC,2,0,0.1\n"
    )


@pytest.mark.contract("7 Cells", "had but not answered; not had at all")
def test_had_but_not_answered_is_an_empty_cell_and_the_points_of_its_entry() -> None:
    unanswered = {"answer_ids": [None, None], "texts": [None, None], "points": [0.5, None]}

    assert cells_of(unanswered) == ['"",0.5,"",0.0']


@pytest.mark.contract("7 Cells", "had but not answered; not had at all")
def test_a_question_that_the_attempt_did_not_have_is_two_empty_strings() -> None:
    elsewhere = {"question_set_id": 2, "answer_ids": [8002], "texts": [None], "points": [0.0]}
    question_sets = {1: [CELLS, ESSAY], 2: [CELLS]}

    assert cells_of({}, elsewhere, {}, question_sets=question_sets) == [
        "Mitochondrion,1.0,Because.,2.0",
        'Ribosome,0.0,"",""',
        "Mitochondrion,1.0,Because.,2.0",
    ]


def test_a_question_that_no_attempt_of_the_chunk_had_is_two_empty_strings_in_every_row() -> None:
    only_essay = {"question_set_id": 2, "answer_ids": [None], "texts": ["x"], "points": [1.0]}

    assert cells_of(only_essay, only_essay, question_sets={2: [ESSAY]}) == ['"","",x,1.0'] * 2
    assert cells_of(only_essay, questions=[ESSAY, CELLS], question_sets={2: [ESSAY]}) == ['x,1.0,"",""']


def test_forms_bring_the_same_questions_in_another_order() -> None:
    turned = {"question_set_id": 2, "answer_ids": [None, 8002], "texts": ["Hm.", None], "points": [0.25, 0.0]}

    assert cells_of(turned, {}, turned, question_sets={1: [CELLS, ESSAY], 2: [ESSAY, CELLS]}) == [
        "Ribosome,0.0,Hm.,0.25",
        "Mitochondrion,1.0,Because.,2.0",
        "Ribosome,0.0,Hm.,0.25",
    ]


def test_an_attempt_shows_the_answers_wording_that_it_saw() -> None:
    reworded = Item(CELLS.id, "Reworded", 1.0, 1, True, (Option(8001, "The mitochondrion", 100),))
    other = {"question_set_id": 2}

    assert cells_of({}, other, question_sets={1: [CELLS, ESSAY], 2: [reworded, ESSAY]}) == [
        "Mitochondrion,1.0,Because.,2.0",
        "The mitochondrion,1.0,Because.,2.0",
    ]


def test_an_answer_that_the_version_does_not_have_is_an_empty_cell() -> None:
    reworded = Item(CELLS.id, "Reworded", 1.0, 1, True, (Option(8003, "Golgi", 100),))
    question_sets = {1: [CELLS, ESSAY], 2: [reworded, ESSAY]}

    # 8003 is known to the question's other version only.
    assert (
        cells_of(
            {"answer_ids": [8003, None]},
            {"answer_ids": [9, None]},
            {"question_set_id": 2},
            question_sets=question_sets,
        )
        == ['"",1.0,Because.,2.0'] * 3
    )


def test_an_answer_id_may_serve_two_questions() -> None:
    other = Item(6, "Other", 1.0, 2, True, (Option(8001, "Cell wall", 100),))
    both = {"answer_ids": [8001, 8001], "texts": [None, None]}

    assert cells_of(both, questions=[CELLS, other]) == ["Mitochondrion,1.0,Cell wall,2.0"]


def test_a_finished_text_goes_before_the_chosen_answer_within_one_column() -> None:
    rows: list[Mapping[str, Any]] = [
        {"texts": ["Finished", None]},
        {"texts": [None, None]},
        {"texts": ["", None]},
    ]

    assert cells_of(*rows) == ['Finished,1.0,"",2.0', 'Mitochondrion,1.0,"",2.0', '"",1.0,"",2.0']


def test_groups_of_the_form_that_the_file_does_not_show_are_passed_over() -> None:
    assert cells_of({}, questions=[ESSAY], question_sets={1: [CELLS, ESSAY]}) == ["Because.,2.0"]


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("a,b", '"a,b"'),
        ('say "hi"', '"say ""hi"""'),
        ("one\ntwo\rthree", '"one\ntwo\rthree"'),
        ("=1+1", "=1+1"),
        ("😀 שלום", "😀 שלום"),
        (" ", " "),
    ],
)
def test_texts_and_labels_are_written_as_they_are(text: str, cell: str) -> None:
    labelled = Item(1, "Q", 1.0, 1, True, (Option(8001, text, 100),))
    analysis = StudentAnalysis(options(anonymous=True), [labelled, ESSAY], {1: [labelled, ESSAY]})

    assert body(analysis, {"texts": [None, text]}) == (
        f"Section A,31,2026-09-10 09:12:31 UTC,{cell},1.0,{cell},2.0,2,0,3.0\n"
    )


def test_points_read_as_repr_writes_them() -> None:
    assert cells_of({"points": [1e-05, 0.1]}, {"points": [1 / 3, -1.0]}) == [
        "Mitochondrion,1e-05,Because.,0.1",
        "Mitochondrion,0.3333333333333333,Because.,-1.0",
    ]


def test_a_chunk_without_attempts_has_no_rows() -> None:
    analysis = StudentAnalysis(options(), [CELLS, ESSAY], {1: [CELLS, ESSAY]})

    assert len(analysis.rows(attempts())) == 0
    assert body(analysis) == ""


def test_columns_may_come_in_any_order_with_other_types_and_others_beside_them() -> None:
    analysis = StudentAnalysis(options(), [CELLS, ESSAY], {1: [CELLS, ESSAY]})
    frame = attempts({}, {})
    narrow = frame.astype(
        {
            "name": pd.ArrowDtype(pa.large_string()),
            "attempt": pd.ArrowDtype(pa.int16()),
            "texts": pd.ArrowDtype(pa.list_(pa.large_string())),
        }
    )[[*reversed(STUDENT_ATTEMPTS.names)]].assign(other=1)

    assert as_csv(analysis.columns, analysis.rows(narrow)) == as_csv(analysis.columns, analysis.rows(frame))


def test_a_chunk_may_be_a_part_of_a_longer_frame() -> None:
    analysis = StudentAnalysis(options(anonymous=True), [CELLS], {1: [CELLS, ESSAY]})
    frame = attempts(*({"answer_ids": [answer, None]} for answer in (8001, 8002, None, 8002)))

    assert analysis.rows(frame.iloc[1:3]).iloc[:, 3].tolist() == ["Ribosome", ""]


def test_responses_that_do_not_fit_the_form_are_refused() -> None:
    analysis = StudentAnalysis(options(), [CELLS], {1: [CELLS]})

    with pytest.raises(ValueError, match="more or fewer responses"):
        analysis.rows(attempts({}))


def test_lists_of_different_lengths_are_refused() -> None:
    analysis = StudentAnalysis(options(), [CELLS], {1: [CELLS, ESSAY]})

    with pytest.raises(ValueError, match="differ in length"):
        analysis.rows(attempts({"points": [1.0]}))


def test_an_unknown_form_is_refused() -> None:
    with pytest.raises(KeyError):
        StudentAnalysis(options(), [CELLS], {}).rows(attempts({}))


def plainly(
    rows: Sequence[Mapping[str, Any]],
    questions: Sequence[Item],
    question_sets: Mapping[int, Sequence[Item]],
) -> list[list[tuple[str, float | None]]]:
    """Assemble each attempt's cells and points as the contract says, one by one."""
    report = []
    for row in rows:
        line: list[tuple[str, float | None]] = []
        for question in questions:
            had = [
                (j, version)
                for j, version in enumerate(question_sets[row["question_set_id"]])
                if version.id == question.id
            ]
            if not had:
                line.append(("", None))
                continue
            [(j, version)] = had
            text, chosen = row["texts"][j], row["answer_ids"][j]
            if text is None:
                text = next((answer.text for answer in version.options if answer.id == chosen), "")
            line.append((text, row["points"][j] or 0.0))
        report.append(line)
    return report


def _none_if_missing(points: float | None) -> float | None:
    return None if points is None or math.isnan(points) else points


labels = st.text(st.sampled_from('ab,"\n é😀'), max_size=3)
answer_ids = st.none() | st.integers(1, 5)
given_points = st.sampled_from([None, 0.0, -0.0, 0.1])


@st.composite
def versions(draw: st.DrawFn, question_id: int) -> Item:
    ids = draw(st.lists(st.integers(1, 4), unique=True, max_size=3))
    answers = tuple(Option(answer_id, draw(labels), 0.0) for answer_id in ids)
    return Item(question_id, "Q", 1.0, 1, True, answers)


@st.composite
def chunks(draw: st.DrawFn) -> tuple[list[dict[str, Any]], list[Item], dict[int, list[Item]]]:
    known = [draw(st.lists(versions(question_id), min_size=1, max_size=2)) for question_id in range(1, 5)]
    questions = [of_question[0] for of_question in draw(st.permutations(known))[: draw(st.integers(0, 4))]]
    question_sets = {}
    for question_set in range(1, draw(st.integers(2, 4))):
        had = draw(st.permutations(known))[: draw(st.integers(0, 4))]
        question_sets[question_set] = [draw(st.sampled_from(of_question)) for of_question in had]
    rows = []
    for question_set in draw(st.lists(st.sampled_from([*question_sets]), max_size=6)):
        size = len(question_sets[question_set])
        rows.append(
            {
                "question_set_id": question_set,
                "answer_ids": draw(st.lists(answer_ids, min_size=size, max_size=size)),
                "texts": draw(st.lists(st.none() | labels, min_size=size, max_size=size)),
                "points": draw(
                    st.lists(st.sampled_from([None, 0.0, -0.0, 0.1]), min_size=size, max_size=size)
                ),
            }
        )
    return rows, questions, question_sets


@settings(deadline=None)
@given(chunks())
def test_rows_are_those_of_a_plain_assembly(
    chunk: tuple[list[dict[str, Any]], list[Item], dict[int, list[Item]]],
) -> None:
    rows, questions, question_sets = chunk

    frame = StudentAnalysis(options(anonymous=True), questions, question_sets).rows(attempts(*rows))

    columns = [frame.iloc[:, 3 + index].tolist() for index in range(2 * len(questions))]
    assembled = [
        [(columns[2 * q][row], _none_if_missing(columns[2 * q + 1][row])) for q in range(len(questions))]
        for row in range(len(rows))
    ]
    assert assembled == plainly(rows, questions, question_sets)


respondents = st.fixed_dictionaries(
    {
        "name": st.none() | labels,
        "user_id": st.none() | st.integers(1, 2**63 - 1),
        "section": labels,
        "section_sis_id": st.none() | labels,
        "logged_out": st.booleans(),
        "finished_at": st.none() | st.datetimes(datetime.fromisoformat("1900-01-01"), timezones=st.just(UTC)),
        "score": st.none() | st.floats(allow_nan=False, allow_infinity=False),
    }
)


@settings(deadline=None)
@given(chunks(), st.lists(respondents, min_size=6, max_size=6))
def test_a_few_rows_are_those_of_many(
    chunk: tuple[list[dict[str, Any]], list[Item], dict[int, list[Item]]], takers: list[dict[str, Any]]
) -> None:
    rows, questions, question_sets = chunk
    everything = options(includes_all_versions=True, includes_sis_ids=True, includes_root_accounts=True)
    analysis = StudentAnalysis(everything, questions, question_sets)
    few = attempts(*({**row, **taker} for row, taker in zip(rows, takers, strict=False)))
    times = 1 + FEW_ROWS // max(1, len(few))

    many = analysis.rows(few.take([*range(len(few))] * times))

    # Their texts tell 1 from 1.0 and 0.0 from -0.0, too.
    shown = [repr(row) for row in cells.rows(analysis.columns, analysis.rows(few))]
    assert [repr(row) for row in cells.rows(analysis.columns, many)] == shown * times
