"""Errors of the domain: what an error of invalid input keeps of its issues."""

from __future__ import annotations

from models.errors import InvalidInputError, ValidationIssue


def test_invalid_input_keeps_twenty_issues_and_its_text_names_three() -> None:
    error = InvalidInputError([ValidationIssue(f"a[{number}]", "is missing") for number in range(100)])

    assert [issue.path for issue in error.issues] == [f"a[{number}]" for number in range(20)]
    assert str(error) == "a[0]: is missing; a[1]: is missing; a[2]: is missing"


def test_a_refusal_of_a_whole_document_names_no_path() -> None:
    issues = [ValidationIssue("", "is nested deeper than 20"), ValidationIssue("quiz.title", "is missing")]

    assert str(InvalidInputError(issues)) == "is nested deeper than 20; quiz.title: is missing"
