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
