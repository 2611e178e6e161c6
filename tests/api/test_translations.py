"""The catalogues: complete, and with the title in its place."""

from __future__ import annotations

import pytest

from api.translations import LANGUAGES, load_translations
from models.lms.quizzes import Quiz, QuizType
from models.reports.variants import FORMATS, PUBLIC_TYPES, TYPES, ReportFormat, ReportType, Variant


def variant(report_type: ReportType, report_format: ReportFormat = ReportFormat.CSV) -> Variant:
    return Variant(201, report_type, report_format, False, False, False)


TRANSLATED = [language for language in LANGUAGES if language != "en"]


@pytest.mark.parametrize("language", TRANSLATED)
def test_every_text_is_translated(language: str) -> None:
    catalogue = load_translations(language).catalogue
    for spec in (TYPES[report_type] for report_type in PUBLIC_TYPES):
        for text in (spec.readable_name, spec.quiz_file, spec.survey_file):
            assert catalogue.gettext(text) != text


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("quiz_type", QuizType)
@pytest.mark.parametrize("report_type", ReportType)
@pytest.mark.parametrize("report_format", ReportFormat)
def test_a_file_name_begins_with_the_title_and_ends_in_the_format(
    language: str, quiz_type: QuizType, report_type: ReportType, report_format: ReportFormat
) -> None:
    name = load_translations(language).display_name(
        Quiz(title="A {title} %s \\1", quiz_type=quiz_type), variant(report_type, report_format)
    )
    assert name.startswith("A {title} %s \\1 ")
    assert name.endswith(f".{FORMATS[report_format].ending}")


@pytest.mark.parametrize("language", LANGUAGES)
def test_file_names_differ_by_what_they_hold(language: str) -> None:
    names = {
        load_translations(language).display_name(
            Quiz(title="Cells", quiz_type=quiz_type), variant(report_type)
        )
        for quiz_type in (QuizType.ASSIGNMENT, QuizType.SURVEY)
        for report_type in PUBLIC_TYPES
    }
    assert len(names) == 4


def test_english_is_as_in_canvas() -> None:
    english = load_translations("en")
    assert english.readable_type(ReportType.STUDENT_ANALYSIS) == "Student Analysis"
    survey = Quiz(title="Cells", quiz_type=QuizType.GRADED_SURVEY)
    name = english.display_name(survey, variant(ReportType.ITEM_ANALYSIS))
    assert name == "Cells Survey Item Analysis Report.csv"
