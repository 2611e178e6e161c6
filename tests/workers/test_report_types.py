"""The registry of the workers, which must make what the models say can be requested."""

from __future__ import annotations

from models.reports.variants import CLASSIC_FORMATS, TYPES, ReportFormat
from workers.report_types import NEW_QUIZZES, RECIPES


def test_each_report_type_can_be_made() -> None:
    assert RECIPES.keys() == TYPES.keys()


def test_each_format_can_be_written() -> None:
    assert all(recipe.writers.keys() == set(CLASSIC_FORMATS) for recipe in RECIPES.values())
    assert {*NEW_QUIZZES.writers, *CLASSIC_FORMATS} == set(ReportFormat)
