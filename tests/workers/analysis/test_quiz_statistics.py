"""The statistics of whole quizzes against a plain computation, at their floors, and with odd data."""

from __future__ import annotations

import dataclasses
import json
import math
import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.reference.plain_statistics import PlainQuiz, Response, Row
from workers.analysis.figures import CONVENTIONS, Figure, Reason
from workers.analysis.findings import remarks
from workers.analysis.item_figures import ItemFigures
from workers.analysis.option_counts import OptionCounts
from workers.analysis.quiz_statistics import QuizFigures, QuizStatistics
from workers.analysis.score_table import NO_OPTION, ScoreTable
from workers.analysis.totals import ItemOption, ScoredItem, Totals

OPTIONS = (11, 12, 13)


def item_of(number: int, points: float, options: Sequence[int] = OPTIONS) -> ScoredItem:
    return ScoredItem(
        id=number + 1,
        title=f"Question {number + 1}",
        question_type="multiple_choice_question",
        points_possible=points,
        position=number + 1,
        is_choice=True,
        options=tuple(ItemOption(str(o), f"Option {o}", o == options[0]) for o in options),
    )


def statistics_of(
    quiz: PlainQuiz, minutes: Sequence[float] = (), chunk: int = 7, scores: Sequence[float] = ()
) -> tuple[QuizFigures, list[ItemFigures]]:
    items = [item_of(number, points) for number, points in enumerate(quiz.possible)]
    table = ScoreTable(len(items))
    for start in range(0, len(quiz.rows), chunk):
        rows = quiz.rows[start : start + chunk]
        table.add(len(rows), long_frame(rows))
    times = np.array(minutes or [math.nan] * len(quiz.rows))
    statistics = QuizStatistics(items, table, Totals(items, table), times, {}, np.array(scores, float))
    quiz_figures, item_figures = statistics.quiz(), statistics.items()
    # Whatever the data, what is found can be put into words.
    remarks(quiz_figures, items, item_figures)
    return quiz_figures, item_figures


def long_frame(rows: Sequence[Row]) -> pd.DataFrame:
    shown = [
        (respondent, item, response)
        for respondent, row in enumerate(rows)
        for item, response in enumerate(row)
        if response is not None
    ]
    return pd.DataFrame(
        {
            "respondent": np.array([respondent for respondent, _, _ in shown], np.int64),
            "item": np.array([item for _, item, _ in shown], np.int64),
            "answer_id": np.array(
                [NO_OPTION if r.option is None else r.option for _, _, r in shown], np.int64
            ),
            "points": np.array([response.points for _, _, response in shown], float),
            "outcome": np.array([outcome(response) for _, _, response in shown], np.uint8),
        }
    )


def outcome(response: Response) -> int:
    letter = "C" if response.graded else "U"
    return ord(letter if response.answered else letter.lower())


POINTS = st.sampled_from([0.0, 0.0, 0.5, 1.0, 1.0, 2.0, -1.0, 0.1, 3.7])
SHOWN = st.builds(
    Response,
    points=POINTS,
    graded=st.sampled_from([True, True, True, False]),
    answered=st.just(True),
    option=st.sampled_from(OPTIONS),
)
BLANK = st.builds(Response, points=st.just(0.0), answered=st.just(False))


@st.composite
def quizzes(draw: st.DrawFn) -> PlainQuiz:
    items = draw(st.integers(1, 4))
    response: Any = st.one_of(SHOWN, BLANK)
    if draw(st.booleans()):
        response = st.one_of(SHOWN, SHOWN, BLANK, st.none())
    elif draw(st.booleans()):
        response = st.builds(Response, points=st.sampled_from([0.0, 1.0]), option=st.sampled_from(OPTIONS))
    rows = draw(st.lists(st.lists(response, min_size=items, max_size=items), max_size=40))
    return PlainQuiz(rows, draw(st.lists(st.sampled_from([1.0, 2.0, 0.5]), min_size=items, max_size=items)))


@given(quizzes())
@settings(max_examples=150)
def test_every_figure_agrees_with_the_plain_computation(plain: PlainQuiz) -> None:
    quiz, items = statistics_of(plain)

    analysed, weights = plain.analysed(), plain.weights()
    agrees(quiz.alpha, plain.alpha())
    for name, expected in plain.summary().items():
        agrees(getattr(quiz, name), expected)
    for number, figures in enumerate(items):
        assert figures.analysed == (number in analysed)
        agrees(figures.facility, plain.facility(number))
        if number not in analysed:
            assert figures.item_rest_correlation.value is None
            continue
        agrees(figures.point_biserial_total, plain.correlation(number, rest=False))
        agrees(figures.item_rest_correlation, plain.correlation(number, rest=True))
        agrees(figures.d27, plain.d27(number))
        agrees(figures.discriminative_efficiency, plain.efficiency(number))
        agrees(figures.greatest_rest_covariance, plain.greatest_rest_covariance(number))
        agrees(figures.effective_weight, weights[number])
        agrees(
            figures.alpha_if_deleted,
            plain.alpha_without(number) if len(analysed) > 2 and plain.count(number) >= 20 else None,
        )
        for option, its_figures in zip(OPTIONS, figures.options, strict=True):
            agrees(its_figures.point_biserial, plain.option(number, option)[1])
            agrees(its_figures.mean_total, plain.mean_total(number, option))
            for group in ("top", "middle", "bottom"):
                found = getattr(its_figures, f"share_of_{group}")
                agrees(found, plain.share_of_group(number, option, group))


def agrees(figure: Figure, expected: float | None) -> None:
    if expected is None:
        assert figure.value is None
        assert figure.reason
    else:
        assert figure.value == pytest.approx(expected, rel=1e-7, abs=1e-7)
        assert figure.reason is None


ODD = st.floats(-1e12, 1e12) | st.sampled_from([1e-12, 1e-300, 5e-324, -0.0])


@given(
    st.lists(st.lists(ODD, min_size=3, max_size=3), max_size=45),
    st.lists(ODD, min_size=3, max_size=3),
)
def test_every_figure_is_a_finite_number_in_its_range_or_null_with_a_reason(
    rows: list[list[float]], possible: list[float]
) -> None:
    quiz, items = statistics_of(PlainQuiz([[Response(x) for x in row] for row in rows], possible))

    require_in_range(quiz, items)


def require_in_range(quiz: QuizFigures, items: Sequence[ItemFigures]) -> None:
    for owner in (quiz, *items, *(option for item in items for option in item.options)):
        for name, figure in vars(owner).items():
            if isinstance(figure, Figure):
                assert (figure.value is None) == (figure.reason is not None), name
                low, high = RANGES.get(name, (-math.inf, math.inf))
                assert figure.value is None or low <= figure.value <= high, (name, figure)
                assert figure.value is None or math.isfinite(figure.value), name
                if figure.interval is not None:
                    assert figure.value is not None
                    lower, upper = figure.interval
                    assert low <= lower <= upper <= high, (name, figure)
                    assert lower <= figure.value <= upper, (name, figure)
    json.dumps([dataclasses.asdict(quiz), *map(dataclasses.asdict, items)], allow_nan=False)


RANGES = {
    "facility": (0.0, 1.0),
    "point_biserial_total": (-1.0, 1.0),
    "item_rest_correlation": (-1.0, 1.0),
    "point_biserial": (-1.0, 1.0),
    "d27": (-1.0, 1.0),
    "discriminative_efficiency": (-math.inf, 1.0),
    "effective_weight": (0.0, 1.0),
    "alpha": (-math.inf, 1.0),
    "alpha_if_deleted": (-math.inf, 1.0),
    "share": (0.0, 1.0),
    "share_of_top": (0.0, 1.0),
    "share_of_middle": (0.0, 1.0),
    "share_of_bottom": (0.0, 1.0),
    "standard_deviation_sample": (0.0, math.inf),
    "standard_error_of_measurement": (0.0, math.inf),
}


def right_and_wrong(n: int, items: int = 3) -> PlainQuiz:
    """Students of ascending ability: each item is answered by those above its difficulty."""
    return PlainQuiz(
        [[Response(float(s * (i + 2) % 7 < 4), option=11) for i in range(items)] for s in range(n)],
        [1.0] * items,
    )


def test_below_twenty_respondents_there_are_counts_and_facility_only() -> None:
    quiz, items = statistics_of(right_and_wrong(19))

    assert {quiz.alpha.reason, quiz.skewness.reason, quiz.kurtosis.reason} == {Reason.FEW_RESPONDENTS}
    assert quiz.standard_error_of_measurement.reason is Reason.FEW_RESPONDENTS
    assert quiz.mean.value is not None
    for item in items:
        shown = {
            name for name, figure in vars(item).items() if isinstance(figure, Figure) and not figure.reason
        }
        assert shown == {"facility"}
        assert item.item_rest_correlation.reason is Reason.FEW_RESPONDENTS


def test_from_twenty_respondents_on_coefficients_have_intervals() -> None:
    quiz, items = statistics_of(right_and_wrong(20))

    for figure in (quiz.alpha, items[0].facility, items[0].item_rest_correlation):
        assert figure.value is not None
        assert figure.interval is not None
        assert figure.interval[0] <= figure.value <= figure.interval[1]


@pytest.mark.parametrize("n", [1, 2, 3, 19, 20, 99, 100])
@pytest.mark.parametrize("score", [None, 0.0, 1.0])
def test_every_number_of_respondents_has_figures_in_their_range(n: int, score: float | None) -> None:
    plain = right_and_wrong(n)
    if score is not None:
        # All have the same points, so all totals tie and the best are everybody.
        plain = PlainQuiz([[Response(score, option=11)] * 3] * n, [1.0] * 3)

    quiz, items = statistics_of(plain)

    require_in_range(quiz, items)
    assert quiz.n == n
    has_coefficients = n >= 20 and score is None
    assert (quiz.alpha.value is not None) == has_coefficients
    if score is not None and n >= 20:
        assert {item.d27.reason for item in items} == {Reason.EMPTY_GROUP}
        assert {item.effective_weight.reason for item in items} == {
            Reason.ALL_CORRECT if score else Reason.ALL_WRONG
        }
        assert {option.share_of_bottom.reason for item in items for option in item.options} == {
            Reason.SMALL_GROUP
        }


def test_no_attempts() -> None:
    quiz, items = statistics_of(PlainQuiz([], [1.0, 1.0]))

    assert (quiz.n, quiz.score_distribution) == (0, {})
    assert {quiz.mean.reason, quiz.skewness.reason, quiz.quiz_score_mean.reason} == {Reason.NO_RESPONDENTS}
    assert {item.facility.reason for item in items} == {Reason.NO_RESPONDENTS}


def test_responses_without_a_question_that_is_analysed_say_so() -> None:
    quiz, _ = statistics_of(PlainQuiz([[Response(1.0), Response(0.0, graded=False)]] * 30, [0.0, 5.0]))

    assert (quiz.n, quiz.items, quiz.points_possible, quiz.score_distribution) == (30, 0, 0.0, {})
    for figure in (quiz.mean, quiz.mean_percent, quiz.standard_deviation_sample, quiz.skewness):
        assert figure == Figure(None, None, Reason.NO_ITEMS)


def test_the_scores_of_the_quiz_itself_stand_beside_the_totals() -> None:
    plain = PlainQuiz([[Response(1.0), Response(0.0)]] * 3, [1.0, 1.0])

    quiz, _ = statistics_of(plain, scores=[2.0, math.nan, 5.0])

    assert (quiz.mean.value, quiz.quiz_score_mean.value, quiz.quiz_score_maximum.value) == (1.0, 3.5, 5.0)
    assert quiz.quiz_score_standard_deviation_population.value == 1.5
    ungraded, _ = statistics_of(plain, scores=[math.nan] * 3)
    assert ungraded.quiz_score_mean.reason is Reason.NO_SCORES


def test_one_student() -> None:
    quiz, [first, _] = statistics_of(PlainQuiz([[Response(1.0), Response(0.0)]], [1.0, 1.0]))

    assert (quiz.mean.value, quiz.median.value, quiz.standard_deviation_population.value) == (1.0, 1.0, 0.0)
    assert quiz.standard_deviation_sample.value is None
    assert first.facility.value == 1.0


@pytest.mark.parametrize(
    ("points", "reason"),
    [(1.0, Reason.ALL_CORRECT), (0.0, Reason.ALL_WRONG), (0.5, Reason.EQUAL_SCORES)],
)
def test_what_does_not_vary_says_so_in_words(points: float, reason: Reason) -> None:
    rows = [[Response(points), Response(float(student % 2))] for student in range(30)]

    _, [first, _] = statistics_of(PlainQuiz(rows, [1.0, 1.0]))

    assert first.item_rest_correlation == Figure(None, None, reason)
    assert first.discriminative_efficiency.reason is reason


def test_all_blank() -> None:
    rows = [[Response(0.0, answered=False)] * 3 for _ in range(30)]

    quiz, items = statistics_of(PlainQuiz(rows, [1.0] * 3))

    assert quiz.alpha.reason is Reason.EQUAL_TOTALS
    assert [(item.answered, item.omitted, item.facility.value) for item in items] == [(0, 30, 0.0)] * 3


def test_essays_that_are_mostly_ungraded_are_listed_without_coefficients() -> None:
    rows = [
        [Response(0.0, graded=student < 12), *(Response(float(student % 3 == i)) for i in range(3))]
        for student in range(30)
    ]

    quiz, [essay, *others] = statistics_of(PlainQuiz(rows, [5.0, 1.0, 1.0, 1.0]))

    assert (essay.analysed, essay.not_graded) == (False, 18)
    assert essay.item_rest_correlation.reason is Reason.NOT_GRADED
    # The totals are those of the other questions, which everybody has.
    assert (quiz.items, quiz.points_possible, quiz.totals_in) == (3, 3.0, "points")
    assert all(item.item_rest_correlation.value is not None for item in others)


def test_one_ungraded_response_makes_totals_shares_and_leaves_no_alpha() -> None:
    plain = right_and_wrong(30)
    rows = [[Response(0.0, graded=False), *plain.rows[0][1:]], *plain.rows[1:]]

    quiz, [first, *_] = statistics_of(PlainQuiz(rows, plain.possible))

    assert quiz.alpha.reason is Reason.DIFFERENT_ITEMS
    assert quiz.totals_in.startswith("share")
    assert first.alpha_if_deleted.reason is Reason.DIFFERENT_ITEMS
    assert first.item_rest_correlation.value is not None


@pytest.mark.parametrize("is_choice", [True, False])
def test_who_has_no_total_counts_for_an_option_and_not_in_its_totals(is_choice: bool) -> None:
    right, wrong, ungraded = (
        Response(1.0, option=11),
        Response(0.0, option=12),
        Response(0.0, False, option=11),
    )
    rows = [[ungraded], *[[right]] * 10, *[[wrong]] * 19]
    item = dataclasses.replace(item_of(0, 1.0), is_choice=is_choice)
    table = ScoreTable(1)
    frame = long_frame(rows)
    table.add(len(rows), frame)
    totals = Totals([item], table)
    counts = OptionCounts(totals)
    counts.add(0, frame.assign(selection=frame["answer_id"].astype(str)))

    [figures] = QuizStatistics([item], table, totals, np.full(30, math.nan), counts.by_item).items()

    assert [option.count for option in figures.options] == [11, 19, 0]
    # Those who chose it got all of the points, and the others none.
    assert figures.options[0].mean_total.value == 1.0
    assert figures.options[0].point_biserial.value == pytest.approx(1.0)


def test_points_above_the_possible_leave_no_facility() -> None:
    _, [item, _] = statistics_of(PlainQuiz([[Response(3.0), Response(1.0)]] * 5, [1.0, 1.0]))

    assert item.facility.reason is Reason.OUT_OF_RANGE


def test_a_question_without_points_is_listed_and_not_analysed() -> None:
    quiz, [item, _] = statistics_of(PlainQuiz([[Response(1.0), Response(1.0)]] * 5, [0.0, 1.0]))

    assert (item.analysed, item.facility.reason, quiz.items) == (False, Reason.NO_POINTS, 1)


def test_students_with_the_same_points_tie_whatever_order_they_are_added_in() -> None:
    # 0.1 + 0.2 is not 0.3 in floats.
    rows = [[Response(0.1), Response(0.2), Response(0.0)], [Response(0.0), Response(0.0), Response(0.3)]]

    quiz, _ = statistics_of(PlainQuiz(rows * 15, [1.0] * 3))

    assert quiz.alpha.reason is Reason.EQUAL_TOTALS
    assert quiz.standard_deviation_population.value == 0.0


def test_rests_that_differ_by_a_rounding_only_leave_no_alpha_without_the_item() -> None:
    # 0.4 - 0.1 is not 0.5 - 0.2 in floats.
    rows = [
        [Response(first), Response(0.1 + 0.1 * (s % 2)), Response(0.2 - 0.1 * (s % 2))]
        for s in range(10)
        for first in (0.1, 0.2, 0.7)
    ]

    _, [item, *_] = statistics_of(PlainQuiz(rows, [1.0] * 3))

    assert item.item_rest_correlation.reason is Reason.EQUAL_RESTS
    assert item.alpha_if_deleted.reason is Reason.EQUAL_RESTS


def test_groups_of_fewer_than_five_are_not_broken_out() -> None:
    rows = [[Response(1.0, option=11), Response(float(s % 2))] for s in range(26)]
    rows += [[Response(0.0, option=12), Response(0.0)] for _ in range(4)]

    _, [item, _] = statistics_of(PlainQuiz(rows, [1.0, 1.0]))

    [key, rare, unchosen] = item.options
    assert (key.count, rare.count, unchosen.count) == (26, 4, 0)
    assert (rare.mean_total.reason, rare.point_biserial.reason) == (Reason.SMALL_GROUP, Reason.SMALL_GROUP)
    assert unchosen.point_biserial.reason is Reason.ALL_OR_NONE
    assert key.mean_total.value == pytest.approx(1.5)


def test_totals_that_tie_leave_too_few_at_the_bottom_to_compare() -> None:
    rows = [[Response(float(student > 1)), Response(float(student > 1))] for student in range(30)]

    _, [item, _] = statistics_of(PlainQuiz(rows, [1.0, 1.0]))

    assert item.d27.reason is Reason.FEW_IN_GROUP


def test_a_question_that_few_of_the_best_were_shown_is_not_compared_between_groups() -> None:
    others = [Response(float(n < 15)) for n in range(30)]
    rows = [[Response(1.0) if 3 < n < 25 else None, other] for n, other in enumerate(others)]

    _, [item, _] = statistics_of(PlainQuiz(rows, [1.0, 1.0]))

    assert item.d27.reason in {Reason.FEW_IN_GROUP, Reason.EMPTY_GROUP}


def test_fewer_than_twenty_students_with_other_points_leave_no_correlation_with_the_rest() -> None:
    # All were shown the first question, twelve of them nothing else.
    rows = [[Response(float(n % 2)), Response(float(n % 3 > 0)) if n >= 12 else None] for n in range(30)]

    _, [item, _] = statistics_of(PlainQuiz(rows, [1.0, 1.0]))

    assert item.point_biserial_total.value is not None
    for figure in (item.item_rest_correlation, item.discriminative_efficiency, item.greatest_rest_covariance):
        assert figure.reason is Reason.FEW_RESPONDENTS


def test_fewer_than_twenty_answers_leave_no_correlation_of_an_option() -> None:
    chose = [Response(float(n % 2), option=11 + n % 2) for n in range(19)]
    rows = [[response, Response(float(n % 3 > 0))] for n, response in enumerate(chose)]
    rows += [[Response(0.0, answered=False), Response(1.0)]] * 20

    _, [item, _] = statistics_of(PlainQuiz(rows, [1.0, 1.0]))

    assert item.item_rest_correlation.value is not None
    assert item.options[0].point_biserial.reason is Reason.FEW_RESPONDENTS


def test_alpha_without_a_question_has_an_interval_too() -> None:
    _, items = statistics_of(right_and_wrong(40, items=4))

    for item in items:
        value, interval = item.alpha_if_deleted.value, item.alpha_if_deleted.interval
        assert value is not None
        assert interval is not None
        assert interval[0] < value < interval[1]


def test_times_have_a_median_and_quartiles() -> None:
    quiz, _ = statistics_of(right_and_wrong(5), minutes=[10.0, math.nan, 20.0, 30.0, 40.0])

    quartiles = (quiz.minutes_lower_quartile, quiz.minutes_median, quiz.minutes_upper_quartile)
    assert [figure.value for figure in quartiles] == [17.5, 25.0, 32.5]


def test_scores_are_counted_by_percent_rounded_half_up() -> None:
    rows = [[Response(1.0), *[Response(0.0)] * 7], *[[Response(1.0)] * 8] * 2]

    quiz, _ = statistics_of(PlainQuiz(rows, [1.0] * 8))

    assert quiz.score_distribution == {"13": 1, "100": 2}
    assert quiz.score_distribution_points == {"1": 1, "8": 2}


def test_a_percent_that_floats_put_below_a_half_is_rounded_up_all_the_same() -> None:
    quiz, _ = statistics_of(PlainQuiz([[Response(29.0)]], [200.0]))

    # 29 / 200 * 100 is 14.499999999999998 in floats.
    assert quiz.score_distribution == {"15": 1}


@pytest.mark.cost
@pytest.mark.no_cover
def test_three_hundred_questions_and_five_thousand_options_take_seconds_at_most() -> None:
    dice = np.random.default_rng(3)
    rows = [[Response(float(x)) for x in row] for row in dice.integers(0, 2, (100, 300))]
    began = time.process_time()
    statistics_of(PlainQuiz(rows, [1.0] * 300), chunk=100)
    wide = item_of(0, 1.0, range(1, 5_001))
    table = ScoreTable(1)
    table.add(5_000, long_frame([[Response(0.0, option=1 + s)] for s in range(5_000)]))
    QuizStatistics([wide], table, Totals([wide], table), np.full(5_000, math.nan), {}).items()

    assert time.process_time() - began < 20


def test_every_figure_has_its_convention() -> None:
    quiz, items = statistics_of(right_and_wrong(20))

    named = {*figures(quiz), *figures(items[0]), *(f"option_{name}" for name in figures(items[0].options[0]))}
    unnamed = {name for name in named if not any(part in CONVENTIONS for part in parts(name))}
    assert not unnamed


def figures(owner: object) -> Iterator[str]:
    return (name for name, figure in vars(owner).items() if isinstance(figure, Figure))


def parts(name: str) -> Iterator[str]:
    """A name and its beginnings: `minutes` explains `minutes_median`."""
    yield from (name[: end if end > 0 else None] for end in (0, *(i for i, c in enumerate(name) if c == "_")))
