"""Each figure of the statistics agrees with its authority, and the page of the statistics names it."""

from pathlib import Path

import pytest

from tests.reference.authorities import GROUPS, Comparisons, comparisons

PAGE = Path(__file__).parents[2] / "ops" / "statistics.md"


@pytest.mark.parametrize("compare", GROUPS)
def test_figures_agree_with_their_authority(compare: Comparisons) -> None:
    compared = list(compare())

    assert compared
    assert [c for c in compared if not c.difference <= c.tolerance] == []


def test_the_page_of_the_statistics_has_a_row_for_each_comparison() -> None:
    page = PAGE.read_text()

    missing = [c for c in comparisons() if f"| {c.figure} | {c.authority} |" not in page]
    assert not missing
