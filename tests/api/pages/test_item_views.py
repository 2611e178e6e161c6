"""What the page of the item analysis makes of the statistics of a quiz without items."""

from __future__ import annotations

from typing import Any

from api.pages.item_views import _QUIZ_FIGURES, NOTES, RemarkView, quiz_view
from workers.analysis.findings import RULES, Rank


def test_a_finding_about_the_whole_quiz_belongs_to_no_item() -> None:
    finding = {
        "rule": "low_reliability",
        "rank": "finding",
        "template": "Coefficient alpha is {alpha}, below 0.6.",
        "figures": {"alpha": 0.4},
        "meaning": "Another quiz might rank the students differently.",
        "advice": "Look at the questions.",
    }
    quiz: dict[str, Any] = {name: {"value": 1.0} for name, _ in _QUIZ_FIGURES}
    quiz["totals_in"] = "share of the points that a student could get"
    view = quiz_view({"quiz": quiz, "items": [], "findings": [finding], "conventions": {}})
    assert [(remark.item, remark.figures) for (remark,) in view.findings] == [(None, {"alpha": 0.4})]
    assert not view.shown("position", only_findings=True)


def test_each_note_has_a_title_in_the_list_that_says_what_it_means() -> None:
    for rule in RULES:
        remark = RemarkView(
            rule.seen, {"share": 0.0}, rule.meaning, rule.advice, rule.rank is Rank.FINDING, None, rule.name
        )
        assert remark.is_finding or remark.note in NOTES
