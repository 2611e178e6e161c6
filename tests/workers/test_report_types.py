"""The registry of the workers, which must make what the models say can be requested."""

from __future__ import annotations

from models.reports.variants import ReportType
from workers.report_types import RECIPES


def test_each_report_type_can_be_made() -> None:
    assert RECIPES.keys() == set(ReportType)


def test_each_report_type_can_be_written_as_csv() -> None:
    assert all("csv" in recipe.writers for recipe in RECIPES.values())
