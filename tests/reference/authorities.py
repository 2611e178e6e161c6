"""The statistics against independent implementations and published tables.

`python -m tests.reference.authorities` prints the table of `ops/statistics.md`: figure, authority, largest
difference.
"""

from __future__ import annotations

import csv
import math
import statistics
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from tests.reference import DATA
from workers.analysis import coefficients, intervals, moments, psychometrics
from workers.analysis.item_figures import ItemFigures
from workers.analysis.quiz_statistics import QuizFigures, QuizStatistics
from workers.analysis.score_table import NO_OPTION, ScoreTable
from workers.analysis.totals import ScoredItem, Totals

Floats = npt.NDArray[np.float64]

# Bock, R. D. and Lieberman, M. (1970), Fitting a response model for n dichotomously scored items,
# Psychometrika 35: the 32 patterns of 1,000 people, from 00000 up in binary order.
LSAT_6 = [
    *(3, 6, 2, 11, 1, 1, 3, 4, 1, 8, 0, 16, 0, 3, 2, 15),
    *(10, 29, 14, 81, 3, 28, 15, 80, 16, 56, 21, 173, 11, 61, 28, 298),
]
LSAT_7 = [
    *(12, 19, 1, 7, 3, 19, 3, 17, 10, 5, 3, 7, 7, 23, 8, 28),
    *(7, 39, 11, 34, 14, 51, 15, 90, 6, 25, 7, 35, 18, 136, 32, 308),
]

# The example data of pingouin's documentation of cronbach_alpha: 15 people, 10 items.
PINGOUIN_EXAMPLE = [
    *([3, 2, 2, 4, 1, 4, 5, 1, 4, 3], [5, 5, 4, 6, 3, 5, 1, 2, 5, 5], [7, 5, 3, 5, 5, 6, 4, 3, 3, 6]),
    *([2, 3, 4, 3, 3, 2, 2, 2, 6, 6], [6, 5, 5, 6, 5, 4, 4, 4, 6, 7], [1, 2, 2, 3, 4, 2, 5, 2, 3, 5]),
    *([4, 3, 3, 5, 3, 5, 2, 1, 2, 4], [2, 5, 4, 4, 3, 7, 2, 2, 4, 6], [6, 2, 5, 5, 5, 1, 6, 5, 2, 3]),
    *([5, 2, 4, 6, 4, 3, 5, 3, 1, 7], [4, 1, 3, 5, 2, 5, 3, 2, 3, 4], [4, 4, 2, 3, 2, 5, 3, 4, 2, 3]),
    *([5, 5, 5, 6, 2, 3, 3, 2, 4, 4], [6, 5, 5, 5, 4, 2, 2, 1, 4, 6], [4, 4, 3, 5, 5, 3, 1, 3, 2, 3]),
]


@dataclass(frozen=True)
class Comparison:
    """A figure, its authority, the largest difference, and what may be: the rounding of what is published."""

    figure: str
    authority: str
    difference: float
    tolerance: float


Comparisons = Callable[[], Iterator[Comparison]]


def comparisons() -> Iterator[Comparison]:
    """Compare every figure that has an authority."""
    for compare in GROUPS:
        yield from compare()


def analysed(
    scores: Floats, possible: Sequence[float] | None = None, minutes: Sequence[float] = ()
) -> tuple[QuizFigures, list[ItemFigures]]:
    """Return the statistics of a table of scores, a row for each person."""
    people, count = scores.shape
    table = ScoreTable(count)
    table.add(
        people,
        pd.DataFrame(
            {
                "respondent": np.repeat(np.arange(people), count),
                "item": np.tile(np.arange(count), people),
                "answer_id": NO_OPTION,
                "points": scores.ravel(),
                "outcome": ord("C"),
            }
        ),
    )
    points = possible or [1.0] * count
    items = [
        ScoredItem(n, f"Item {n}", "short_answer_question", points[n], n, is_choice=False)
        for n in range(count)
    ]
    found = QuizStatistics(items, table, Totals(items, table), np.array(minutes, float), {})
    return found.quiz(), found.items()


def patterns(counts: Sequence[int]) -> Floats:
    """Return the rows of a table of patterns, from 00000 up in binary order."""
    rows = [[float(digit) for digit in f"{pattern:05b}"] for pattern in range(len(counts))]
    return np.repeat(np.array(rows), counts, axis=0)


def _compare(
    figure: str, authority: str, ours: Iterable[float | None], theirs: Iterable[float], tolerance: float
) -> Comparison:
    pairs = zip(ours, theirs, strict=True)
    differences = [math.inf if own is None else abs(own - other) for own, other in pairs]
    return Comparison(figure, authority, float(max(differences)), tolerance)


def _golden() -> Iterator[Comparison]:
    # Six students whose choices at four questions, keyed T, D, F and A, were analysed by hand.
    chosen = [*("TBTA", "TDFA", "FATC", "TDFB", "TDFA", "FD--")]
    right = np.array([[float(c == key) for c, key in zip(row, "TDFA", strict=True)] for row in chosen])
    totals = right.sum(axis=1)
    source = "six students, by hand"
    options = [
        np.array(
            [(row[n] == option, total) for row, total in zip(chosen, totals, strict=True) if row[n] != "-"]
        )
        for n, option in ((0, "T"), (1, "D"), (1, "A"), (1, "B"), (2, "F"), (3, "A"), (3, "B"), (3, "C"))
    ]
    yield _compare(
        "point biserial of an answer, with the total",
        source,
        [
            moments.correlation(chose, total)
            for chose, total in (option.T.astype(float) for option in options)
        ],
        [
            *(0.8696263565463043, 0.6324555320336759, -0.7, -0.09999999999999999),
            *(0.8728715609439694, 0.6000991981489792, 0.13363062095621223, -0.8685990362153794),
        ],
        1e-12,
    )
    # The best two are those with four points, the weakest two those with none and one; of the latter one
    # answered the second question correctly.
    groups = psychometrics.score_groups(totals, psychometrics.score_limits(totals))
    yield _compare(
        "d27",
        source,
        [
            coefficients.discrimination_index(
                item[groups == psychometrics.TOP], item[groups == psychometrics.BOTTOM]
            )
            for item in right.T
        ],
        [1.0, 0.5, 1.0, 1.0],
        1e-12,
    )


def _quartiles() -> Iterator[Comparison]:
    minutes = [7.5, 12.0, 12.25, 31.0, 44.0, 60.5, 61.0]
    quiz, _ = analysed(np.zeros((len(minutes), 1)), minutes=minutes)
    found = [quiz.minutes_lower_quartile, quiz.minutes_median, quiz.minutes_upper_quartile]
    yield _compare(
        "minutes, quartiles",
        "statistics.quantiles of Python, inclusive",
        [figure.value for figure in found],
        statistics.quantiles(minutes, method="inclusive"),
        1e-12,
    )


def _samples() -> Iterator[Floats]:
    dice = np.random.default_rng(15)
    yield from (dice.normal(50, 10, n) for n in (4, 5, 30, 1000))
    yield from (dice.integers(0, 9, n).astype(float) for n in (20, 400))
    yield dice.exponential(3, 100)


def _against_scipy() -> Iterator[Comparison]:
    # Imported here because it takes two seconds, which a process that only collects tests does not need.
    from scipy import stats

    samples, scipy = list(_samples()), "scipy 1.17"
    for figure, ours, theirs in (
        ("skewness", moments.skewness, lambda x: stats.skew(x, bias=False)),
        ("kurtosis", moments.kurtosis, lambda x: stats.kurtosis(x, bias=False)),
        ("standard deviation, sample", moments.sample_standard_deviation, stats.tstd),
    ):
        yield _compare(figure, scipy, [ours(x) for x in samples], [float(theirs(x)) for x in samples], 1e-9)
    right = [(sample > np.median(sample)).astype(float) for sample in samples]
    yield _compare(
        "point biserial, item-rest correlation",
        f"{scipy}, pointbiserialr",
        [moments.correlation(x, y) for x, y in zip(right, samples, strict=True)],
        [float(stats.pointbiserialr(x, y).statistic) for x, y in zip(right, samples, strict=True)],
        1e-12,
    )
    shares = [(part, n) for n in (1, 7, 30, 1000) for part in (0, 1, n // 2, n)]
    wilson = [stats.binomtest(part, n).proportion_ci(method="wilson") for part, n in shares]
    yield _compare(
        "facility, interval",
        f"{scipy}, binomtest, Wilson",
        [limit for share in shares for limit in intervals.share_interval(*share) or (None, None)],
        [float(limit) for found in wilson for limit in (found.low, found.high)],
        1e-12,
    )
    fisher = [stats.pearsonr(x, y).confidence_interval() for x, y in zip(right, samples, strict=True)]
    limits = [
        intervals.correlation_interval(moments.correlation(x, y) or 0.0, x.size) or (None, None)
        for x, y in zip(right, samples, strict=True)
    ]
    yield _compare(
        "correlation, interval",
        f"{scipy}, pearsonr, Fisher",
        [limit for found in limits for limit in found],
        [float(limit) for found in fisher for limit in (found.low, found.high)],
        1e-12,
    )
    feldt = [(0.75, 50, 10), (0.2, 20, 2), (0.95, 1000, 40), (-0.3, 30, 5)]
    yield _compare(
        "alpha, interval",
        f"{scipy}, quantiles of F in Feldt's formula",
        [limit for case in feldt for limit in intervals.alpha_interval(*case) or (None, None)],
        [
            1 - (1 - alpha) * float(stats.f.ppf(p, n - 1, (n - 1) * (k - 1)))
            for alpha, n, k in feldt
            for p in (0.975, 0.025)
        ],
        1e-9,
    )


def _lsat_6() -> Iterator[Comparison]:
    scores = patterns(LSAT_6)
    quiz, items = analysed(scores)
    girth, ltm = "LSAT section 6: girth 0.8.0", "LSAT section 6: descript() of the R package ltm"
    yield _compare(
        "item-rest correlation",
        girth,
        [item.item_rest_correlation.value for item in items],
        [0.11283269, 0.15317812, 0.17277894, 0.1444281, 0.1215964],
        1e-8,
    )
    yield _compare(
        "alpha if deleted",
        girth,
        [item.alpha_if_deleted.value for item in items],
        [0.27535621, 0.2375839, 0.21679946, 0.24593271, 0.26629441],
        1e-8,
    )
    yield _compare("facility", ltm, _facilities(items), [0.924, 0.709, 0.553, 0.763, 0.870], 1e-12)
    # It divides the covariance by n and the standard deviations by n − 1.
    mixed = math.sqrt(999 / 1000)
    yield _compare(
        "point biserial with the total",
        ltm,
        [mixed * (item.point_biserial_total.value or math.inf) for item in items],
        [0.3618, 0.5665, 0.6181, 0.5342, 0.4351],
        6e-5,
    )
    yield _compare("alpha", ltm, [quiz.alpha.value], [0.2950], 6e-5)
    yield _compare("alpha", "LSAT section 6: pingouin 0.7.0", [quiz.alpha.value], [0.294997192215944], 1e-12)
    yield _compare(
        "alpha, interval", "LSAT section 6: pingouin 0.7.0", quiz.alpha.interval or (), [0.223, 0.362], 6e-4
    )


def _facilities(items: Sequence[ItemFigures]) -> list[float | None]:
    return [item.facility.value for item in items]


def _lsat_7() -> Iterator[Comparison]:
    quiz, items = analysed(patterns(LSAT_7))
    source = "LSAT section 7: Bock and Lieberman (1970)"
    yield _compare("facility", source, _facilities(items), [0.828, 0.658, 0.772, 0.606, 0.843], 1e-12)
    yield _compare("mean", source, [quiz.mean.value], [3.707], 1e-12)
    yield _compare(
        "standard deviation, population", source, [quiz.standard_deviation_population.value], [1.197978], 6e-7
    )
    yield _compare("alpha", source, [quiz.alpha.value], [0.453409], 6e-7)
    yield _compare(
        "standard error of measurement",
        f"{source}, from their deviation and alpha",
        [quiz.standard_error_of_measurement.value],
        # Theirs divides by n, the error's by n − 1.
        [1.197978 * math.sqrt(1000 / 999) * math.sqrt(1 - 0.453409)],
        1e-6,
    )


def _j20s400() -> Iterator[Comparison]:
    source = "J20S400: exametrika 1.15.0"
    with (DATA / "j20s400_raw.csv").open(newline="") as file:
        raw = np.array([[float(cell) for cell in row[1:]] for row in list(csv.reader(file))[1:]])
    published = pd.read_csv(DATA / "j20s400_published_items.csv")
    test = pd.read_csv(DATA / "j20s400_published_test.csv").set_index("Total Score")["Statistics"]
    given = raw != -99
    quiz, _ = analysed(np.where(given, raw, 0.0))
    totals = np.where(given, raw, 0.0).sum(axis=1)
    yield _compare(
        "facility, of those who answered",
        source,
        [float(raw[given[:, n], n].mean()) for n in range(20)],
        published["Correct Response Rate"],
        1e-12,
    )
    for figure, name, ours in (
        ("mean", "Mean", quiz.mean.value),
        ("median", "Median(50%)", quiz.median.value),
        ("minimum", "Min", quiz.minimum.value),
        ("maximum", "Max", quiz.maximum.value),
        ("standard deviation, sample", "SD", quiz.standard_deviation_sample.value),
        ("variance, sample", "Variance", moments.sample_variance(totals)),
    ):
        yield _compare(figure, source, [ours], [float(test[name])], 1e-12)
    # The published skewness and kurtosis divide by n throughout; the unbiased ones follow from these.
    n = totals.size
    yield _compare(
        "skewness",
        f"{source}, made unbiased",
        [quiz.skewness.value],
        [float(test["Skewness"]) * math.sqrt(n * (n - 1)) / (n - 2)],
        1e-12,
    )
    unbiased = (n - 1) / ((n - 2) * (n - 3)) * ((n + 1) * float(test["Kurtosis"]) + 6)
    yield _compare("kurtosis", f"{source}, made unbiased", [quiz.kurtosis.value], [unbiased], 1e-12)
    # Its covariances are those of the pairs that were answered, around each item's own mean.
    deviations = np.where(given, raw - np.where(given, raw, 0.0).sum(axis=0) / given.sum(axis=0), 0.0)
    covariances = deviations.T @ deviations / (given.T.astype(float) @ given - 1)
    yield _compare(
        "alpha, of pairwise covariances",
        source,
        [psychometrics.coefficient_alpha(np.diag(covariances).tolist(), float(covariances.sum()))],
        [float(test["Alpha(Covariance)"])],
        1e-12,
    )
    kept = [np.delete(np.arange(20), n) for n in range(20)]
    yield _compare(
        "alpha if deleted, of pairwise covariances",
        source,
        [
            psychometrics.coefficient_alpha(
                np.diag(covariances)[rest].tolist(), float(covariances[np.ix_(rest, rest)].sum())
            )
            for rest in kept
        ],
        published["Alpha If Item Deleted(Covariance)"],
        1e-12,
    )
    yield _compare(
        "alpha, blanks as 0", "J20S400: pingouin 0.7.0", [quiz.alpha.value], [0.7577664623073085], 1e-12
    )


def _pingouin() -> Iterator[Comparison]:
    # Fifteen people are too few for the statistics of a quiz, so the formulas are compared themselves.
    scores = np.array(PINGOUIN_EXAMPLE, dtype=float)
    variances = [moments.sample_variance(item) or 0.0 for item in scores.T]
    alpha = psychometrics.coefficient_alpha(variances, moments.sample_variance(scores.sum(axis=1)) or 0.0)
    source = "pingouin 0.7.0, its documented example"
    yield _compare("alpha", source, [alpha], [0.5917188485995826], 1e-12)
    found = intervals.alpha_interval(alpha or 0.0, *scores.shape) or ()
    yield _compare("alpha, interval", source, found, [0.195, 0.840], 6e-4)


def _moodle() -> Iterator[Comparison]:
    # Four students with scores 0 0 1 1, whose mean is .5, and rests 1 2 2 5 in some order, whose mean is 2.5.
    # Sorted, Cov = ((−.5)(−1.5) + (−.5)(−.5) + (.5)(−.5) + (.5)(2.5))/3 = 2/3: the greatest.
    scores = np.array([0.0, 0.0, 1.0, 1.0])
    yield _compare(
        "discriminative efficiency",
        "Moodle's definition, by hand",
        [
            coefficients.discriminative_efficiency(scores, np.array([1.0, 2.0, 2.0, 5.0])),
            coefficients.discriminative_efficiency(scores, np.array([5.0, 1.0, 2.0, 2.0])),
            coefficients.discriminative_efficiency(scores, np.array([2.0, 2.0, 5.0, 1.0])),
        ],
        # The second: Cov = ((−.5)(2.5) + (−.5)(−1.5) + (.5)(−.5) + (.5)(−.5))/3 = −1/3; the third: 1/3.
        [1.0, -0.5, 0.5],
        1e-12,
    )
    # √4 : √1 : √1, the negative one without a weight.
    yield _compare(
        "effective weight",
        "Moodle's definition, by hand",
        [weight for weight in coefficients.effective_weights([4.0, 1.0, -9.0, 1.0]) if weight is not None],
        [0.5, 0.25, 0.25],
        1e-12,
    )


GROUPS: Sequence[Comparisons] = (
    _golden,
    _against_scipy,
    _quartiles,
    _lsat_6,
    _lsat_7,
    _j20s400,
    _pingouin,
    _moodle,
)


def table() -> str:
    """Write the comparisons as a table."""
    lines = ["| figure | authority | largest difference |", "|---|---|---|"]
    lines += [f"| {c.figure} | {c.authority} | {_power(c)} |" for c in comparisons()]
    return "\n".join(lines)


def _power(comparison: Comparison) -> str:
    if comparison.tolerance > 1e-8:
        return f"{comparison.difference:.0e}, the rounding of what is published"
    return "below 1e-14" if comparison.difference < 1e-14 else f"{comparison.difference:.0e}"


if __name__ == "__main__":
    print(table())  # noqa: T201 - the table is what this is for.
