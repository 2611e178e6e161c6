"""The registry of the workers, which must make what the models say can be requested."""

from __future__ import annotations

from models.reports.variants import TYPES, ReportFormat
from workers.report_types import NEW_QUIZZES, RECIPES


def test_each_report_type_can_be_made() -> None:
    assert RECIPES.keys() == TYPES.keys()


def test_each_report_type_can_be_written_in_its_formats() -> None:
    assert all(recipe.writers.keys() == set(TYPES[kind].formats) for kind, recipe in RECIPES.items())


def test_each_format_can_be_written() -> None:
    formats = {report_format for recipe in RECIPES.values() for report_format in recipe.writers}
    layouts = {layout for recipe in NEW_QUIZZES.values() for layout in recipe.writers}
    assert layouts | formats == set(ReportFormat)
