"""The texts of the pages are in every catalogue, with the same figures in braces, and nothing else is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract
from babel.messages.pofile import read_po
from jinja2.ext import babel_extract

import api.pages
import api.translations
from api import errors, statistics_documents
from api.pages import formulas, item_views, items, rendering, report_rows
from api.translations import ENGLISH, LANGUAGES, load_translations
from models.reports.variants import PUBLIC_TYPES, TYPES
from tests.api.pages.browser import Browser, link_for, text_of
from tests.factories import Api
from workers.analysis import findings
from workers.analysis.figures import CONVENTIONS, Reason

_FOLDER = Path(api.pages.__file__).parent
_BRACES = re.compile(r"\{\w+\}|%")

# A text, or its singular and plural.
Text = str | tuple[str, str]


def of_templates() -> Iterator[Text]:
    for template in _FOLDER.glob("templates/*.html"):
        with template.open("rb") as source:
            for _, _, text, _ in babel_extract(source, ["_", "ngettext"], [], {}):
                if isinstance(text, tuple):
                    yield str(text[0]), str(text[1])
                # Others are variables, whose texts stand in the tables below.
                elif text is not None:
                    yield text


def of_code() -> Iterator[Text]:
    for module in _FOLDER.glob("*.py"):
        with module.open("rb") as source:
            for _, text, *_ in extract("python", source, keywords={"translate": None}):
                assert isinstance(text, str)
                yield text


def of_tables() -> Iterator[Text]:
    for kind in PUBLIC_TYPES:
        yield from (TYPES[kind].readable_name, TYPES[kind].quiz_file, TYPES[kind].survey_file)
    yield from report_rows._PURPOSES.values()
    yield from report_rows._FORMATS.values()
    yield from items._ATTEMPTS.values()
    yield from item_views.SORTS.values()
    yield from item_views.NOTES.values()
    yield from item_views._QUIZ_MEANINGS.values()
    for name, *texts in (*item_views._ITEM_FIGURES, *item_views._QUIZ_FIGURES):
        yield from texts
        if convention := item_views.convention_of(name, CONVENTIONS):
            yield convention
    yield from findings.words()
    yield from (*formulas.WORDS.values(), *formulas.QUIZ_WORDS.values())
    yield from Reason


def of_errors() -> Iterator[Text]:
    for case in (*errors.CASES.values(), *errors._HTTP_CASES.values(), errors._UNFORESEEN):
        if case.text is not None:
            yield case.text
    yield statistics_documents.NOT_READY
    yield from rendering._TEXTS.values()


TEXTS = {
    text if isinstance(text, tuple) else str(text)
    for texts in (of_templates(), of_code(), of_tables(), of_errors())
    for text in texts
}
TRANSLATED = [language for language in LANGUAGES if language != ENGLISH]


def catalogue_of(language: str) -> Catalog:
    source = resources.files(api.translations).joinpath(f"{language.replace('-', '_')}.po")
    with source.open("rb") as file:
        return read_po(file)


def entries(catalogue: Catalog) -> Iterator[Message]:
    return (entry for entry in catalogue if entry.id)


def forms_of(entry: Message) -> tuple[str, ...]:
    """Return the forms of the plural, or the one translation."""
    return (entry.string or "",) if isinstance(entry.string, str | None) else tuple(entry.string)


@pytest.mark.parametrize("language", TRANSLATED)
def test_a_catalogue_has_the_texts_that_are_shown_and_no_others(language: str) -> None:
    assert {entry.id for entry in entries(catalogue_of(language))} == TEXTS


@pytest.mark.parametrize("language", TRANSLATED)
def test_every_text_has_a_translation_in_each_plural_form(language: str) -> None:
    catalogue = catalogue_of(language)
    assert catalogue.num_plurals == {"ja": 1, "ar": 6}.get(language, 2)
    for entry in entries(catalogue):
        forms = forms_of(entry)
        assert all(forms), entry.id
        assert len(forms) == (catalogue.num_plurals if entry.pluralizable else 1), entry.id
        assert not entry.fuzzy, entry.id


@pytest.mark.parametrize("language", TRANSLATED)
def test_translations_have_the_same_braces_and_percent_signs(language: str) -> None:
    for entry in entries(catalogue_of(language)):
        *others, last = (sorted(_BRACES.findall(form)) for form in forms_of(entry))
        expected = sorted(_BRACES.findall(entry.id if isinstance(entry.id, str) else entry.id[-1]))
        assert last == expected, entry.id
        # Some forms of a plural have the number as a word: one, or two.
        assert all(form in ([], expected) for form in others), entry.id


def test_the_page_and_the_analysis_write_the_same_figures_as_percents() -> None:
    assert rendering.SHARES == findings.SHARES


@pytest.mark.parametrize(
    ("language", "seen"),
    [
        (
            "en",
            "“\u2068{share} of 2\u2069” was chosen by 4% of the students who answered.",
        ),
        (
            "de",
            (
                "„\u2068{share} of 2\u2069“ wurde von 4\N{NO-BREAK SPACE}% der Teilnehmenden gewählt,"
                " die geantwortet haben."
            ),
        ),
    ],
)
def test_figures_are_written_by_the_locale_and_an_option_as_it_is(language: str, seen: str) -> None:
    (rule,) = (rule for rule in findings.RULES if rule.name == "rarely_chosen")
    remark = item_views.RemarkView(
        rule.seen,
        {"share": 0.04, "option": "{share} of 2"},
        rule.meaning,
        rule.advice,
        False,
        None,
        rule.name,
    )
    assert rendering.PageTexts(load_translations(language)).words(remark) == seen


@pytest.mark.parametrize(
    ("language", "direction", "title", "button"),
    [("de", "ltr", "Itemanalyse", "Erstellen"), ("ar", "rtl", "تحليل البنود", "إنشاء")],
)
def test_the_page_of_reports_has_no_english_left(
    api: Api, language: str, direction: str, title: str, button: str
) -> None:
    browser = Browser(api)
    browser.sign_in(link_for(api))
    page = browser.page(headers={"Accept-Language": language})

    assert (page.get("lang"), page.get("dir")) == (language, direction)
    shown = text_of(page)
    assert title in shown
    assert button in shown
    english = {text for text in of_templates() if isinstance(text, str) and " " in text}
    assert not [text for text in english if text in shown]


@pytest.mark.parametrize("language", TRANSLATED)
def test_an_error_is_told_in_the_language_of_the_reader(api: Api, language: str) -> None:
    response = Browser(api).get("/courses/101/quizzes/201/reports", headers={"Accept-Language": language})
    assert response.status_code == 401
    told = catalogue_of(language).get(str(errors.CASES[errors.NotSignedInError].text))
    assert told is not None
    assert str(told.string).replace("'", "&#39;") in response.text
