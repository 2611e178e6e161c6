"""item_analysis: the golden table, whole lines, and what happens at the edges."""

import csv
import io
import math
import tracemalloc
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import pytest

from tests.attempt_frames import ITEM_ATTEMPTS, as_csv, attempt_frame
from workers.analysis.frames import Item, Option
from workers.analysis.item_analysis import OPTION_COLUMNS, ItemAnalysis

HEADER = (
    "Question Id,Question Title,Answered Student Count,Top Student Count,Middle Student Count,"
    "Bottom Student Count,Quiz Question Count,Correct Student Count,Wrong Student Count,"
    "Correct Student Ratio,Wrong Student Ratio,Correct Top Student Count,Correct Middle Student Count,"
    "Correct Bottom Student Count,Variance,Standard Deviation,Difficulty Index,Alpha,"
    "Point Biserial of Correct"
)


def question(
    id: int,  # noqa: A002  # The name of the field.
    weights: Sequence[float] = (100, 0),
    position: int | None = 1,
    title: str | None = None,
    points: float = 1.0,
) -> Item:
    """A question whose answers have the ids 10·id, 10·id + 1 and so on."""
    answers = tuple(
        Option(10 * id + index, f"answer {index}", weight) for index, weight in enumerate(weights)
    )
    return Item(id, title or f"Question {id}", points, position, True, answers)


def students(*rows: tuple[float | None, list[int | None]], question_set: int = 1) -> pd.DataFrame:
    """A chunk from pairs of a score and the ids of the chosen answers."""
    return attempt_frame(
        [{"score": score, "question_set_id": question_set, "answer_ids": chosen} for score, chosen in rows],
        ITEM_ATTEMPTS,
    )


def analysed(
    questions: Sequence[Item],
    *chunks: pd.DataFrame,
    question_sets: Mapping[int, Sequence[int]] | None = None,
) -> ItemAnalysis:
    """An analysis of chunks; its one question set, unless others are given, has the questions in order."""
    totals = [np.empty(0), *(chunk["score"].to_numpy(float, na_value=np.nan) for chunk in chunks)]
    question_sets = question_sets or {1: [q.id for q in questions]}
    analysis = ItemAnalysis(questions, question_sets, np.concatenate(totals))
    for chunk in chunks:
        analysis.add(chunk)
    return analysis


def written(analysis: ItemAnalysis) -> str:
    return as_csv(analysis.columns, analysis.rows())


def records(analysis: ItemAnalysis) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(written(analysis), newline="")))


# Key T D F A: true/false, four options, true/false, four options; one point each.
GOLDEN_QUESTIONS = [
    question(1, (100, 0), position=1),
    question(2, (0, 0, 0, 100), position=2),
    question(3, (0, 100), position=3),
    question(4, (100, 0, 0, 0), position=4),
]


def parser(answers: str) -> tuple[float, list[int | None]]:
    """A student's score and answer ids from a sheet such as "T B T A", ``-`` left blank."""
    options = ["TF", "ABCD", "TF", "ABCD"]
    score = sum(given == right for given, right in zip(answers.split(), "TDFA", strict=True))
    chosen = [
        None if given == "-" else 10 * (index + 1) + options[index].index(given)
        for index, given in enumerate(answers.split())
    ]
    return float(score), chosen


GOLDEN_STUDENTS = [
    parser(answers) for answers in ("T B T A", "T D F A", "F A T C", "T D F B", "T D F A", "F D - -")
]

GOLDEN = (
    HEADER
    + ",Point Biserial of Distractor 2,Point Biserial of Distractor 3,Point Biserial of Distractor 4\n"
    + "1,Question 1,6,2,2,2,4,4,2,0.6666666666666666,0.3333333333333333,2,2,0,0.22222222222222224,"
    + "0.4714045207910317,0.6666666666666666,N/A,0.8696263565463043,-0.8696263565463043,,\n"
    + "2,Question 2,6,2,2,2,4,4,2,0.6666666666666666,0.3333333333333333,2,1,1,0.22222222222222224,"
    + "0.4714045207910317,0.6666666666666666,N/A,0.6324555320336759,-0.7,-0.09999999999999999,\n"
    + "3,Question 3,5,2,2,1,4,3,2,0.6,0.4,2,1,0,0.24000000000000005,0.48989794855663565,0.6,N/A,"
    + "0.8728715609439694,-0.8728715609439694,,\n"
    + "4,Question 4,5,2,2,1,4,3,2,0.6,0.4,2,1,0,0.24000000000000005,0.48989794855663565,0.6,N/A,"
    + "0.6000991981489792,0.13363062095621223,-0.8685990362153794,\n"
)


@pytest.mark.contract("8 Item analysis", "the golden values to the last digit")
def test_the_golden_quiz_is_written_to_the_last_digit() -> None:
    assert written(analysed(GOLDEN_QUESTIONS, students(*GOLDEN_STUDENTS))) == GOLDEN


def test_each_option_of_the_golden_quiz_has_its_counts_and_its_point_biserial() -> None:
    [options] = analysed(GOLDEN_QUESTIONS, students(*GOLDEN_STUDENTS)).option_frames()

    assert list(options.columns) == [column.name for column in OPTION_COLUMNS]
    second = options[options["Question Id"] == GOLDEN_QUESTIONS[1].id]
    assert second["Option Key"].tolist() == ["distractor", "distractor", "distractor", "correct"]
    counts = second.filter(regex="^Chosen (Student|Top|Middle|Bottom)").drop(columns="Chosen Student Ratio")
    assert counts.to_numpy().tolist() == [[1, 0, 0, 1], [1, 0, 1, 0], [0, 0, 0, 0], [4, 2, 1, 1]]
    assert second["Chosen Student Ratio"].tolist() == [1 / 6, 1 / 6, 0.0, 4 / 6]
    # Of the golden table, where the correct option comes first.
    assert second["Point Biserial"].fillna(0).tolist() == [
        -0.7,
        -0.09999999999999999,
        0,
        0.6324555320336759,
    ]


def test_chunks_make_no_difference() -> None:
    chunks = [students(), *(students(student) for student in GOLDEN_STUDENTS)]

    assert written(analysed(GOLDEN_QUESTIONS, *chunks)) == GOLDEN


def test_forms_in_another_order_make_no_difference() -> None:
    straight = students(*GOLDEN_STUDENTS[:3], question_set=7)
    turned = students(*((score, [5, *reversed(ids)]) for score, ids in GOLDEN_STUDENTS[3:]), question_set=8)

    both = pd.concat([straight, turned], ignore_index=True)
    question_sets = {7: [1, 2, 3, 4], 8: [99, 4, 3, 2, 1]}

    assert written(analysed(GOLDEN_QUESTIONS, both, question_sets=question_sets)) == GOLDEN


def test_a_question_that_a_students_form_lacks_is_a_blank() -> None:
    five = students(*GOLDEN_STUDENTS[:5])
    score, (first, second, *_) = GOLDEN_STUDENTS[5]
    sixth = students((score, [second, first]), question_set=2)
    question_sets = {1: [1, 2, 3, 4], 2: [2, 1]}

    assert written(analysed(GOLDEN_QUESTIONS, five, sixth, question_sets=question_sets)) == GOLDEN


def test_without_questions_only_the_header_is_left() -> None:
    analysis = analysed([], students((1.0, [50])), question_sets={1: [5]})

    assert written(analysis) == HEADER + "\n"


def test_without_students_every_count_is_zero_and_no_correlation_exists() -> None:
    assert written(analysed([question(1)])) == (
        f"{HEADER},Point Biserial of Distractor 2\n"
        "1,Question 1,0,0,0,0,1,0,0,0.0,0.0,0,0,0,0.0,0.0,0.0,N/A,,\n"
    )


def test_a_single_student_is_the_middle_and_has_no_variance() -> None:
    assert written(analysed([question(1)], students((1.0, [10])))).splitlines()[1] == (
        "1,Question 1,1,0,1,0,1,1,0,1.0,0.0,0,1,0,0.0,0.0,1.0,N/A,,"
    )


def test_students_of_one_score_are_all_on_top_and_nothing_correlates() -> None:
    chunk = students((0.1, [10]), (0.1, [11]), (0.1, [11]))

    [row] = records(analysed([question(1)], chunk))

    assert (row["Top Student Count"], row["Middle Student Count"], row["Bottom Student Count"]) == (
        "3",
        "0",
        "0",
    )
    assert row["Point Biserial of Correct"] == row["Point Biserial of Distractor 2"] == ""


def test_a_null_score_counts_as_zero() -> None:
    graded = analysed([question(1)], students((0.0, [10]), (2.0, [11]), (1.0, [10])))
    ungraded = analysed([question(1)], students((None, [10]), (2.0, [11]), (1.0, [10])))

    assert written(ungraded) == written(graded)


def test_blanks_count_nowhere_but_in_the_cut_of_the_groups() -> None:
    chunk = students((1.0, [None]), (2.0, [10]), (3.0, [None]), (4.0, [11]), (5.0, [10]), (6.0, [None]))

    [row] = records(analysed([question(1)], chunk))

    assert row["Answered Student Count"] == "3"
    assert (row["Top Student Count"], row["Middle Student Count"], row["Bottom Student Count"]) == (
        "1",
        "1",
        "1",
    )
    assert (row["Correct Student Count"], row["Wrong Student Count"]) == ("2", "1")


def test_an_answer_that_is_gone_is_wrong_and_stands_in_no_distractor() -> None:
    gone = analysed([question(1, (100, 0))], students((0.0, [77]), (1.0, [10]), (2.0, [10])))

    [row] = records(gone)

    assert (row["Answered Student Count"], row["Wrong Student Count"]) == ("3", "1")
    assert row["Point Biserial of Distractor 2"] == ""
    # (M₁ − M₀)/σ·√(p(1 − p)) with M₁ = 1.5, M₀ = 0, σ² = 2/3, p = 2/3.
    assert float(row["Point Biserial of Correct"]) == pytest.approx(1.5 / math.sqrt(2 / 3) * math.sqrt(2 / 9))


def test_the_question_with_most_answers_decides_the_columns() -> None:
    analysis = analysed([question(1, (100, 0)), question(2, (0, 0, 0, 0, 100))])

    assert [column.name for column in analysis.columns][-4:] == [
        f"Point Biserial of Distractor {n}" for n in (2, 3, 4, 5)
    ]


@pytest.mark.contract("8 Item analysis", "the correct answer is the first of the highest weight")
def test_the_first_of_the_highest_weights_is_the_correct_answer() -> None:
    chunk = students((1.0, [11]), (0.0, [12]), (0.0, [10]))

    [row] = records(analysed([question(1, (0, 50, 50))], chunk))

    assert row["Correct Student Count"] == "1"
    # The distractors keep the question's order: the one of equal weight comes last.
    assert float(row["Point Biserial of Correct"]) == pytest.approx(1.0)
    assert float(row["Point Biserial of Distractor 2"]) == float(row["Point Biserial of Distractor 3"]) < 0


def test_a_question_without_answers_has_only_wrong_ones() -> None:
    [row] = records(analysed([question(1, ())], students((0.0, [10]), (1.0, [None]), (2.0, [11]))))

    assert (row["Answered Student Count"], row["Correct Student Count"]) == ("2", "0")
    assert row["Point Biserial of Correct"] == ""


@pytest.mark.contract("8 Item analysis", "rows by position, then text, then id")
def test_rows_go_by_position_then_title_then_id_and_no_position_is_last() -> None:
    questions = [
        question(1, position=None, title="A"),
        question(6, position=2, title="B"),
        question(5, position=2, title="B"),
        question(4, position=2, title="A"),
        question(2, position=None, title="B"),
        question(3, position=0, title="Z"),
    ]

    assert analysed(questions).rows()["Question Id"].tolist() == [3, 4, 5, 6, 1, 2]


def test_variance_is_in_points_squared() -> None:
    [row] = records(analysed([question(1, points=2.5)], students((1.0, [10]), (2.0, [11]))))

    assert float(row["Variance"]) == 1.5625
    assert float(row["Standard Deviation"]) == 1.25


def uneven_students(questions: Sequence[Item]) -> tuple[pd.DataFrame, float]:
    """Two students, one all right, the other all wrong; and the alpha that they have."""
    right = [q.options[0].id for q in questions]
    wrong = [q.options[1].id for q in questions]
    k = len(questions)
    # Item variances are 1/4 each, the totals k and 0 vary by k²/4.
    return students((float(k), [*right]), (0.0, [*wrong])), k / (k - 1) * (1 - (k / 4) / (k * k / 4))


@pytest.mark.contract("8 Item analysis", "variance by n, alpha from sixteen questions on, point biserials")
def test_alpha_is_printed_from_sixteen_questions_on_the_same_in_every_row() -> None:
    questions = [question(n) for n in range(1, 17)]
    chunk, alpha = uneven_students(questions)

    rows = records(analysed(questions, chunk))

    assert [row["Alpha"] for row in rows] == [repr(alpha)] * 16


def test_alpha_is_not_printed_of_fifteen_questions() -> None:
    questions = [question(n) for n in range(1, 16)]

    assert {row["Alpha"] for row in records(analysed(questions, uneven_students(questions)[0]))} == {"N/A"}


def test_alpha_is_not_printed_where_totals_are_equal() -> None:
    questions = [question(n) for n in range(1, 18)]
    chunk = students((0.7, [q.options[0].id for q in questions]), (0.7, [q.options[1].id for q in questions]))

    assert {row["Alpha"] for row in records(analysed(questions, chunk))} == {"N/A"}


def test_more_answers_than_a_byte_can_tell_apart() -> None:
    weights = [0.0] * 299 + [100.0]
    chunk = students((1.0, [10 + 299]), (0.0, [10 + 298]), (0.0, [10 + 254]), (0.0, [None]))

    [row] = records(analysed([question(1, weights)], chunk))

    assert (row["Answered Student Count"], row["Correct Student Count"]) == ("3", "1")
    assert float(row["Point Biserial of Correct"]) == pytest.approx(1.0)
    # Distractor 2 is the answer of index 0, so index 298 is distractor 300.
    assert float(row["Point Biserial of Distractor 300"]) == pytest.approx(-0.5)


def test_what_does_not_fit_its_form_is_refused() -> None:
    with pytest.raises(ValueError, match="more or fewer responses"):
        analysed([question(1)]).add(students((1.0, [10, 20])))


def test_many_rows_and_columns_come_in_frames_of_limited_size() -> None:
    questions = [question(n, position=n) for n in range(99)] + [question(99, [100] + [0] * 4_999)]
    first_answers: list[int | None] = [10 * n for n in range(100)]
    analysis = analysed(questions, students((1.0, first_answers)))

    rows, options = list(analysis.row_frames()), list(analysis.option_frames())

    assert len(rows) > 1
    assert max(frame.size for frame in rows) <= 2**18
    assert pd.concat(rows, ignore_index=True).equals(analysis.rows())
    assert sum(map(len, options)) == 2 * 99 + 5_000


def test_long_texts_come_in_frames_of_limited_size() -> None:
    long = [question(n, position=n, title=f"{n} " * 2**20) for n in range(10)]
    analysis = analysed(long, students((1.0, [10 * n for n in range(10)])))

    rows, [options] = list(analysis.row_frames()), list(analysis.option_frames())

    assert [len(frame) for frame in rows] == [4, 4, 2]
    assert pd.concat(rows, ignore_index=True).equals(analysis.rows())
    assert set(options["Question Title"].str.len()) == {200}


@pytest.mark.cost
def test_memory_does_not_grow_with_the_number_of_questions() -> None:
    items = [question(n) for n in range(1_000)]
    analysis = ItemAnalysis(items, {1: [item.id for item in items]}, np.zeros(4_000))
    answer_ids: list[int | None] = [item.options[0].id for item in items]
    chunk = students(*[(0.0, answer_ids)] * 500)
    tracemalloc.start()
    try:
        for _ in range(8):
            analysis.add(chunk)
        analysis.rows()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    # At the same time, the responses of all students would take 330 MB.
    assert peak < 150 * 2**20


def test_large_data_agrees_with_plain_loops() -> None:
    generator = np.random.default_rng(11)
    count, asked = 3_000, [question(n, (0, 100, 0), points=0.5 * n) for n in range(1, 5)]
    chosen = generator.integers(-1, 3, (count, len(asked)))
    scores = np.round(generator.gamma(2.0, 3.0, count), 2)
    ids = [
        [None if choice < 0 else 10 * (item + 1) + int(choice) for item, choice in enumerate(row)]
        for row in chosen
    ]

    rows = records(analysed(asked, students(*zip(scores.tolist(), ids, strict=True))))

    for item, row in enumerate(rows):
        answered = [(float(t), int(c)) for t, c in zip(scores, chosen[:, item], strict=True) if c >= 0]
        x = [asked[item].points_possible if c == 1 else 0.0 for _, c in answered]
        mean = sum(x) / len(x)
        assert float(row["Variance"]) == pytest.approx(sum((v - mean) ** 2 for v in x) / len(x), rel=1e-9)
        names = ["Correct", "Distractor 2", "Distractor 3"]
        for name, option in zip(names, [1, 0, 2], strict=True):
            expected = np.corrcoef([t for t, _ in answered], [c == option for _, c in answered])[0, 1]
            assert float(row[f"Point Biserial of {name}"]) == pytest.approx(expected, rel=1e-9)
