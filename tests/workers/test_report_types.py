"""The registry of the workers, which must make what the models say can be requested."""

from __future__ import annotations

from models.reports.variants import FORMATS, TYPES
from workers.report_types import RECIPES


def test_each_report_type_can_be_made() -> None:
    assert RECIPES.keys() == TYPES.keys()


def test_each_report_type_can_be_written_in_each_format() -> None:
    assert all(recipe.writers.keys() == FORMATS.keys() for recipe in RECIPES.values())
