"""How often the findings are right: quizzes of a known fault, and quizzes without one.

Students answer by the model of `ops.benchmarks.population`, a Rasch model whose guesses are equally likely.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from ops.benchmarks.measure import Comparison, Outcome, Spread, at_least, at_most
from ops.benchmarks.stack import BenchmarkStack, log_line
from workers.analysis.findings import RULES, Remark, remarks
from workers.analysis.quiz_statistics import QuizStatistics
from workers.analysis.score_table import NO_OPTION, ScoreTable
from workers.analysis.totals import ItemOption, ScoredItem, Totals

QUIZZES: Final = 500
STUDENTS: Final = 200
ITEMS: Final = 40
OPTIONS: Final = 4
_BLANK_SHARE: Final = 0.03
# The rules that question the key of an item: on clean data they must mark few.
OF_KEYS: Final = frozenset({"wrong_key", "negative_discrimination"})

Choices = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Rates:
    """What the rules found: the share of wrong keys, and for each rule of the items or quizzes it marked."""

    found: float
    by_rule: Mapping[str, float]

    @property
    def of_keys(self) -> float:
        """The share of items that a rule about the key marked; no item is marked by both."""
        return sum(self.by_rule[name] for name in OF_KEYS)


def measure_findings(stack: BenchmarkStack) -> Iterator[Outcome]:
    """Measure how many wrong keys are found, and how many items of clean quizzes are marked."""
    quizzes = QUIZZES // 10 if stack.plan.quick else QUIZZES
    size = f"{quizzes} quizzes of {STUDENTS} students × {ITEMS} items"
    log_line(f"findings: {size}")
    yield Outcome(
        figure="findings/wrong_key",
        work=f"share of wrong keys found, {size} with one each",
        unit="",
        measured=Spread([rates(quizzes, STUDENTS, wrong_keys=1).found]),
        goal=at_least(0.95, Comparison.ALONE),
    )
    clean = rates(quizzes, STUDENTS, wrong_keys=0)
    yield Outcome(
        figure="findings/clean",
        work=f"share of items marked as wrong key or negative, {size} without a fault",
        unit="",
        measured=Spread([clean.of_keys]),
        goal=at_most(1 / 50, Comparison.ALONE),
    )


def rates(quizzes: int, students: int, *, wrong_keys: int, items: int = ITEMS, seed: int = 1) -> Rates:
    """Simulate quizzes, in each of which the first items have a wrong key, and count the remarks."""
    found = 0
    marked: Counter[str] = Counter()
    for number in range(quizzes):
        choices = simulate(np.random.default_rng([seed, number]), students, items)
        raised = analyse(choices, keys=[1] * wrong_keys + [0] * (items - wrong_keys))
        found += sum(remark.rule == "wrong_key" and remark.item_id in range(wrong_keys) for remark in raised)
        marked.update({rule: len(those) for rule, those in _marked(raised).items()})
    by_rule = {
        rule.name: marked[rule.name] / (quizzes * (1 if rule.name == "low_reliability" else items))
        for rule in RULES
    }
    return Rates(found / (quizzes * wrong_keys) if wrong_keys else 0.0, by_rule)


def _marked(raised: list[Remark]) -> Mapping[str, set[int | None]]:
    return {rule.name: {r.item_id for r in raised if r.rule == rule.name} for rule in RULES}


def simulate(dice: np.random.Generator, students: int, items: int) -> Choices:
    """Draw a row for each student: the index of the chosen option, 0 for the right one, -1 for none."""
    ability, difficulty = dice.standard_normal((students, 1)), dice.normal(-0.3, 1.0, items)
    knows = dice.random((students, items)) < 1 / (1 + np.exp(difficulty - ability))
    choices = np.where(knows, 0, dice.integers(1, OPTIONS, (students, items)))
    choices[dice.random((students, items)) < _BLANK_SHARE] = NO_OPTION
    return choices


def analyse(choices: Choices, keys: list[int], label: str = "Option") -> list[Remark]:
    """Analyse the choices of students as a quiz of one point an item, with these options as keys."""
    students, count = choices.shape
    chosen = choices.ravel()
    right = choices == np.array(keys)
    table = ScoreTable(count)
    table.add(
        students,
        pd.DataFrame(
            {
                "respondent": np.repeat(np.arange(students), count),
                "item": np.tile(np.arange(count), students),
                "answer_id": chosen,
                "points": right.ravel().astype(float),
                "outcome": np.where(chosen == NO_OPTION, ord("i"), ord("I")),
            }
        ),
    )
    items = [
        ScoredItem(
            id=number,
            title=f"Question {number + 1}",
            question_type="multiple_choice_question",
            points_possible=1.0,
            position=number + 1,
            is_choice=True,
            options=tuple(ItemOption(str(o), f"{label} {o + 1}", o == key) for o in range(OPTIONS)),
        )
        for number, key in enumerate(keys)
    ]
    statistics = QuizStatistics(items, table, Totals(items, table), np.full(students, np.nan), {})
    return remarks(statistics.quiz(), items, statistics.items())


def rates_table(quizzes: int) -> str:
    """Write how often each rule marks an item or a quiz, all of them clean, by the number of students."""
    sizes = (30, 100, 200, 1000)
    clean = [rates(quizzes, students, wrong_keys=0).by_rule for students in sizes]
    lines = [
        f"| rule | {' | '.join(f'{students} students' for students in sizes)} |",
        f"|---|{'---|' * len(sizes)}",
    ]
    for rule in RULES:
        cells = " | ".join(f"{by_rule[rule.name]:.4f}" for by_rule in clean)
        lines.append(f"| {rule.name} | {cells} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(rates_table(QUIZZES // 5))  # noqa: T201 - the table is what this is for.
