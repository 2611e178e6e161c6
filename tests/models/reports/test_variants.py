"""Which options apply to which report, which quizzes can have it, and what its file is called."""

from __future__ import annotations

from itertools import product

import pytest

from models.errors import InvalidReportFormatError, InvalidReportTypeError
from models.lms.quizzes import Quiz, QuizType
from models.reports.variants import (
    FORMATS,
    TYPES,
    ReportFormat,
    ReportType,
    Variant,
    display_name,
    file_name,
    is_generatable,
    parse_new_quizzes_format,
    parse_report_format,
    parse_report_type,
)

CSV = ReportFormat.CSV
STUDENT, ITEM = ReportType.STUDENT_ANALYSIS, ReportType.ITEM_ANALYSIS
SURVEYS = [QuizType.SURVEY, QuizType.GRADED_SURVEY]


def quiz(quiz_type: QuizType = QuizType.ASSIGNMENT, *, anonymous: bool = False) -> Quiz:
    return Quiz(id=201, quiz_type=quiz_type, anonymous_submissions=anonymous)


@pytest.mark.parametrize(("all_versions", "sis_ids"), list(product([False, True], repeat=2)))
def test_options_apply_to_a_student_analysis_alone(all_versions: bool, sis_ids: bool) -> None:
    def options(report_type: ReportType) -> tuple[bool, bool]:
        found = Variant.of(quiz(), report_type, all_versions=all_versions, sis_ids=sis_ids)
        return found.includes_all_versions, found.includes_sis_ids

    assert options(STUDENT) == (all_versions, sis_ids)
    assert options(ITEM) == (True, False)


@pytest.mark.parametrize("quiz_type", QuizType)
def test_only_a_survey_is_anonymous(quiz_type: QuizType) -> None:
    found = Variant.of(quiz(quiz_type, anonymous=True), STUDENT, all_versions=False, sis_ids=False)

    assert found.anonymous is (quiz_type in SURVEYS)


def test_a_variant_follows_a_quiz_that_became_anonymous() -> None:
    named = Variant.of(quiz(QuizType.SURVEY), STUDENT, all_versions=True, sis_ids=True)

    assert named.at(quiz(QuizType.SURVEY, anonymous=True)) == Variant(201, STUDENT, CSV, True, True, True)


def test_an_item_analysis_ends_when_the_quiz_becomes_a_survey() -> None:
    made = Variant.of(quiz(), ITEM, all_versions=True, sis_ids=False)

    with pytest.raises(InvalidReportTypeError, match="item_analysis can not be generated for a survey"):
        made.at(quiz(QuizType.SURVEY))


def test_every_variant_has_a_lock_of_its_own() -> None:
    # Quizzes 20 and 201 would share a name if parts were only joined.
    flags = [False, True]
    kinds = list(product([20, 201], ReportType, ReportFormat, flags, flags, flags))

    assert len({Variant(*kind).lock_name for kind in kinds}) == len(kinds)


@pytest.mark.parametrize("report_format", ReportFormat)
def test_switching_the_formula_guard_changes_the_version_of_csv_files_alone(
    report_format: ReportFormat,
) -> None:
    variant = Variant.of(quiz(), STUDENT, report_format, all_versions=False, sis_ids=False)

    versions = {variant.analysis_version(formula_guard=guard) for guard in (False, True)}
    assert len(versions) == (2 if FORMATS[report_format].ending == "csv" else 1)


def test_every_type_and_every_format_is_specified() -> None:
    assert TYPES.keys() == set(ReportType)
    assert FORMATS.keys() == set(ReportFormat)


def test_the_format_is_csv_unless_one_is_named() -> None:
    assert parse_report_format(None, ReportType.ITEM_ANALYSIS) is CSV


@pytest.mark.parametrize("name", ["CSV", "csv ", "pdf", "", 7, ["csv"], "new_quizzes_csv"])
def test_an_unknown_format_is_refused_with_those_that_there_are(name: object) -> None:
    with pytest.raises(InvalidReportFormatError, match="invalid quiz report format: it must be one of csv"):
        parse_report_format(name, ReportType.ITEM_ANALYSIS)


def test_new_quizzes_have_layouts_of_their_own_but_for_the_csv_of_an_item_analysis() -> None:
    layouts = {name: parse_new_quizzes_format(name, STUDENT) for name in ("csv", "json")}

    assert layouts == {"csv": ReportFormat.NEW_QUIZZES_CSV, "json": ReportFormat.NEW_QUIZZES_JSON}
    assert parse_new_quizzes_format("csv", ReportType.ITEM_ANALYSIS) is CSV
    assert parse_new_quizzes_format("json", ReportType.ITEM_ANALYSIS) is ReportFormat.NEW_QUIZZES_JSON


@pytest.mark.parametrize("name", [None, "CSV", "xlsx", 7, ["csv"], "new_quizzes_csv"])
def test_new_quizzes_name_csv_or_json(name: object) -> None:
    with pytest.raises(InvalidReportFormatError, match="it must be csv or json"):
        parse_new_quizzes_format(name, STUDENT)


@pytest.mark.parametrize("quiz_type", QuizType)
def test_a_survey_has_no_item_analysis(quiz_type: QuizType) -> None:
    assert is_generatable(STUDENT, quiz_type)
    assert is_generatable(ITEM, quiz_type) is (quiz_type not in SURVEYS)


@pytest.mark.parametrize("name", ["Student_Analysis", "student_analysis ", "", None, 7, ["student_analysis"]])
def test_an_unknown_name_is_refused(name: object) -> None:
    with pytest.raises(InvalidReportTypeError, match="invalid quiz report type"):
        parse_report_type(name, quiz())


def test_statistics_cannot_be_requested_as_a_report() -> None:
    with pytest.raises(InvalidReportTypeError, match="invalid quiz report type"):
        parse_report_type("statistics", quiz())


def plain_variant(report_type: ReportType, report_format: ReportFormat = CSV) -> Variant:
    return Variant(201, report_type, report_format, False, False, False)


@pytest.mark.parametrize(
    ("quiz_type", "report_type", "expected"),
    [
        (QuizType.ASSIGNMENT, ReportType.STUDENT_ANALYSIS, "Cells Quiz Student Analysis Report.csv"),
        (QuizType.PRACTICE, ReportType.ITEM_ANALYSIS, "Cells Quiz Item Analysis Report.csv"),
        (QuizType.GRADED_SURVEY, ReportType.STUDENT_ANALYSIS, "Cells Survey Student Analysis Report.csv"),
    ],
)
def test_the_name_says_quiz_or_survey(quiz_type: QuizType, report_type: ReportType, expected: str) -> None:
    assert display_name("Cells", quiz_type, plain_variant(report_type)) == expected


@pytest.mark.parametrize("report_format", ReportFormat)
def test_both_names_end_in_the_format(report_format: ReportFormat) -> None:
    name = display_name("Cells", QuizType.SURVEY, plain_variant(ReportType.STUDENT_ANALYSIS, report_format))

    assert name == f"Cells Survey Student Analysis Report.{FORMATS[report_format].ending}"
    assert file_name(ReportType.STUDENT_ANALYSIS, report_format) == (
        f"quiz_student_analysis_report.{FORMATS[report_format].ending}"
    )


def test_braces_of_a_title_stay() -> None:
    name = display_name("{0} {title}", QuizType.ASSIGNMENT, plain_variant(ReportType.ITEM_ANALYSIS))

    assert name == "{0} {title} Quiz Item Analysis Report.csv"
