"""The registry of the workers, which must make what the models say can be requested."""

from __future__ import annotations

from models.reports.variants import TYPES, ReportType
from workers.report_types import RECIPES


def test_each_report_type_can_be_made() -> None:
    assert RECIPES.keys() == set(ReportType)


def test_each_report_type_can_be_written_in_its_formats() -> None:
    assert all(recipe.writers.keys() == set(TYPES[kind].formats) for kind, recipe in RECIPES.items())
