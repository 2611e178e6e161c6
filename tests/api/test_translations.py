"""The catalogues: complete, and with the title in its place."""

from __future__ import annotations

import pytest

from api.translations import LANGUAGES, READABLE_TYPES, load_translations
from models.lms.quizzes import Quiz, QuizType
from models.reports.filenames import DISPLAY_NAMES
from models.reports.variants import ReportType

TRANSLATED = [language for language in LANGUAGES if language != "en"]


@pytest.mark.parametrize("language", TRANSLATED)
def test_every_text_is_translated(language: str) -> None:
    catalogue = load_translations(language).catalogue
    for text in [*READABLE_TYPES.values(), *DISPLAY_NAMES.values()]:
        assert catalogue.gettext(text) != text


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("quiz_type", QuizType)
@pytest.mark.parametrize("report_type", ReportType)
def test_a_file_name_begins_with_the_title_and_says_what_it_is(
    language: str, quiz_type: QuizType, report_type: ReportType
) -> None:
    name = load_translations(language).display_name(
        Quiz(title="A {title} %s \\1", quiz_type=quiz_type), report_type
    )
    assert name.startswith("A {title} %s \\1 ")
    assert name.endswith(".csv")


@pytest.mark.parametrize("language", LANGUAGES)
def test_file_names_differ_by_what_they_hold(language: str) -> None:
    names = {
        load_translations(language).display_name(Quiz(title="Cells", quiz_type=quiz_type), report_type)
        for quiz_type in (QuizType.ASSIGNMENT, QuizType.SURVEY)
        for report_type in ReportType
    }
    assert len(names) == 4


def test_english_is_as_in_canvas() -> None:
    english = load_translations("en")
    assert english.readable_type(ReportType.STUDENT_ANALYSIS) == "Student Analysis"
    survey = Quiz(title="Cells", quiz_type=QuizType.GRADED_SURVEY)
    assert english.display_name(survey, ReportType.ITEM_ANALYSIS) == "Cells Survey Item Analysis Report.csv"
