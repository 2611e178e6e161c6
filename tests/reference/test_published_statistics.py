"""J20S400, 400 people and 20 items: item_analysis against plain loops and the published figures."""

import csv
import io
import math
from dataclasses import dataclass

import numpy as np
import pytest

from tests.attempt_frames import ITEM_ATTEMPTS, as_csv, attempt_frame
from tests.reference import DATA
from workers.analysis.frames import Item, Option
from workers.analysis.item_analysis import ItemAnalysis

MISSING = -99
CHUNK = 150


@dataclass(frozen=True)
class Responses:
    """What each person scored on each item, None where missing, and the total over the items answered."""

    scores: list[list[int | None]]

    @property
    def totals(self) -> list[float]:
        return [float(sum(score or 0 for score in person)) for person in self.scores]

    def respondents(self, item: int) -> list[tuple[float, int]]:
        """Return the total and the item score of everybody who answered an item."""
        people = zip(self.totals, self.scores, strict=True)
        return [(total, score) for total, person in people if (score := person[item]) is not None]


@pytest.fixture
def j20s400() -> Responses:
    with (DATA / "j20s400_raw.csv").open(newline="") as file:
        rows = list(csv.reader(file))[1:]
    return Responses([[None if int(cell) == MISSING else int(cell) for cell in row[1:]] for row in rows])


@pytest.fixture
def report(j20s400: Responses) -> list[dict[str, str]]:
    """The item analysis of the data; a right answer has an even id, a wrong one the odd id after it."""
    questions = [
        Item(n, f"Item{n:02}", 1.0, n, True, (Option(2 * n, "right", 100.0), Option(2 * n + 1, "wrong", 0.0)))
        for n in range(1, 21)
    ]
    question_sets = {1: [question.id for question in questions]}
    analysis = ItemAnalysis(questions, question_sets, np.array(j20s400.totals))
    people = [
        {
            "score": total,
            "question_set_id": 1,
            "answer_ids": [s if s is None else 2 * n + 1 - s for n, s in enumerate(person, 1)],
        }
        for total, person in zip(j20s400.totals, j20s400.scores, strict=True)
    ]
    for start in range(0, len(people), CHUNK):
        analysis.add(attempt_frame(people[start : start + CHUNK], ITEM_ATTEMPTS))
    return list(csv.DictReader(io.StringIO(as_csv(analysis.columns, analysis.rows()))))


def variance(values: list[float]) -> float:
    mean = math.fsum(values) / len(values)
    return math.fsum((value - mean) ** 2 for value in values) / len(values)


def correlation(pairs: list[tuple[float, float]]) -> float:
    mean_x = math.fsum(x for x, _ in pairs) / len(pairs)
    mean_y = math.fsum(y for _, y in pairs) / len(pairs)
    products = math.fsum((x - mean_x) * (y - mean_y) for x, y in pairs) / len(pairs)
    return products / math.sqrt(variance([x for x, _ in pairs]) * variance([y for _, y in pairs]))


def published(name: str, key: str) -> dict[str, dict[str, str]]:
    with (DATA / name).open(newline="") as file:
        return {row[key]: row for row in csv.DictReader(file)}


def test_every_figure_agrees_with_plain_loops(j20s400: Responses, report: list[dict[str, str]]) -> None:
    for item, row in enumerate(report):
        answered = j20s400.respondents(item)
        scores = [float(score) for _, score in answered]
        assert int(row["Answered Student Count"]) == len(answered)
        assert int(row["Correct Student Count"]) == sum(scores)
        assert float(row["Variance"]) == pytest.approx(variance(scores), rel=1e-9)
        assert float(row["Standard Deviation"]) == pytest.approx(math.sqrt(variance(scores)), rel=1e-9)
        biserial = correlation([(total, float(score)) for total, score in answered])
        assert float(row["Point Biserial of Correct"]) == pytest.approx(biserial, rel=1e-9)
        assert float(row["Point Biserial of Distractor 2"]) == pytest.approx(-biserial, rel=1e-9)


def test_groups_agree_with_walking_down_the_sorted_totals(
    j20s400: Responses, report: list[dict[str, str]]
) -> None:
    ascending = sorted(j20s400.totals)
    begins = {"Top": 292, "Middle": 108}  # 0.73·400 and 0.27·400 are whole.
    for group, index in begins.items():
        while index > 0 and ascending[index - 1] == ascending[index]:
            index -= 1
        begins[group] = index
    top, middle = ascending[begins["Top"]], ascending[begins["Middle"]]

    for item, row in enumerate(report):
        groups: dict[str, list[int]] = {"Top": [], "Middle": [], "Bottom": []}
        for total, score in j20s400.respondents(item):
            groups["Top" if total >= top else "Middle" if total >= middle else "Bottom"].append(score)
        for name, scores in groups.items():
            assert int(row[f"{name} Student Count"]) == len(scores)
            assert int(row[f"Correct {name} Student Count"]) == sum(scores)


def test_alpha_is_printed_and_agrees_with_plain_loops(
    j20s400: Responses, report: list[dict[str, str]]
) -> None:
    items = [variance([float(score) for _, score in j20s400.respondents(item)]) for item in range(20)]
    alpha = 20 / 19 * (1 - math.fsum(items) / variance(j20s400.totals))

    assert len({row["Alpha"] for row in report}) == 1
    assert float(report[0]["Alpha"]) == pytest.approx(alpha, rel=1e-9)


def test_respondents_and_correct_rates_are_the_published_ones(report: list[dict[str, str]]) -> None:
    figures = published("j20s400_published_items.csv", "Item")

    assert len(figures) == len(report) == 20
    for row in report:
        item = figures[row["Question Title"]]
        assert row["Answered Student Count"] == item["Number of Respondents"]
        assert float(row["Difficulty Index"]) == pytest.approx(
            float(item["Correct Response Rate"]), rel=1e-12
        )


def test_totals_have_the_published_moments(j20s400: Responses) -> None:
    figures = published("j20s400_published_test.csv", "Total Score")
    people = len(j20s400.totals)

    assert math.fsum(j20s400.totals) / people == pytest.approx(
        float(figures["Mean"]["Statistics"]), rel=1e-12
    )
    # The published variance estimates a population's: it divides by n − 1.
    assert variance(j20s400.totals) * people / (people - 1) == pytest.approx(
        float(figures["Variance"]["Statistics"]), rel=1e-12
    )


def test_what_is_published_by_another_definition_is_near(report: list[dict[str, str]]) -> None:
    # The published correlations and alpha treat missing answers in a way of their own, which is not stated;
    # here a missing answer adds nothing to the total. Of an item about one answer in a hundred is missing, so
    # the figures are near, not equal.
    items = published("j20s400_published_items.csv", "Item")
    test = published("j20s400_published_test.csv", "Total Score")

    for row in report:
        correlated = float(items[row["Question Title"]]["Item-Total Correlation"])
        assert float(row["Point Biserial of Correct"]) == pytest.approx(correlated, abs=0.01)
    assert float(report[0]["Alpha"]) == pytest.approx(
        float(test["Alpha(Covariance)"]["Statistics"]), abs=0.005
    )
