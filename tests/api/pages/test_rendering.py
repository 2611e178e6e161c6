"""The numbers of the pages."""

from __future__ import annotations

import pytest

from api.pages.formulas import Worked
from api.pages.rendering import PageTexts
from api.translations import load_translations


@pytest.mark.parametrize(
    ("language", "written"),
    [("en", "2 × (-0.324) − 0 − 0.5"), ("de", "2 × (-0,324) − 0 − 0,5")],
)
def test_negative_numbers_of_a_formula_are_in_brackets(language: str, written: str) -> None:
    texts = PageTexts(load_translations(language))
    assert texts.worked(Worked("{} × {} − {} − {}", (2, -0.32404, -0.00004, 0.5))) == written


@pytest.mark.parametrize(
    ("share", "written"),
    [
        (0, "0%"),
        (0.0049, "0.49%"),
        (0.005, "0.5%"),
        (0.654, "65%"),
        (0.995, "99.5%"),
        (1, "100%"),
        (0.99999, "100%"),
    ],
)
def test_nearly_all_are_not_written_as_all(share: float, written: str) -> None:
    assert PageTexts(load_translations("en")).percent(share) == written
