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


@pytest.mark.parametrize(
    ("language", "singular", "plural"),
    [
        ("en", [1.0], [0.0, 0.5, 1.5, 2.0, 38.5]),
        ("de", [1.0], [0.0, 0.5, 1.5, 2.0]),
        ("es", [1.0], [0.0, 0.5, 1.5, 2.0]),
        ("fr", [0.0, 0.5, 1.0, 1.5], [2.0, 2.5]),
        ("pt-BR", [0.0, 0.5, 1.0, 1.5], [2.0, 2.5]),
    ],
)
def test_points_are_in_the_plural_where_the_language_has_it_for_fractions_too(
    language: str, singular: list[float], plural: list[float]
) -> None:
    texts = PageTexts(load_translations(language))
    forms = [
        {
            texts.translations.catalogue.ngettext("{n} point", "{n} points", texts.plural(value))
            for value in values
        }
        for values in (singular, plural)
    ]

    assert [len(form) for form in forms] == [1, 1]
    assert forms[0] != forms[1]


@pytest.mark.parametrize("value", [0.5, 2.5, 3.5])
def test_fractions_have_a_form_of_their_own_in_arabic(value: float) -> None:
    catalogue = (texts := PageTexts(load_translations("ar"))).translations.catalogue

    found = catalogue.ngettext("{n} point", "{n} points", texts.plural(value))

    assert found == catalogue.ngettext("{n} point", "{n} points", 100)
    assert found != catalogue.ngettext("{n} point", "{n} points", 3)
