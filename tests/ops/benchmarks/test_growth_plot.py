from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest

from ops.benchmarks.growth_plot import Points, growth_lines, growth_plot, write_growth_plot
from ops.benchmarks.measure import Outcome, Spread

SVG = "{http://www.w3.org/2000/svg}"
IN_PROPORTION: Points = [(n, Spread([n / 10_000, n / 11_000, n / 8_000])) for n in (1_000, 10_000, 100_000)]


def outcome(figure: str, seconds: float, reference: float | None = None) -> Outcome:
    copy = None if reference is None else Spread([reference])
    return Outcome(figure, "work", "s", Spread([seconds]), reference=copy)


def test_a_line_in_proportion_is_straight() -> None:
    figure = growth_plot("Growth", {"a": IN_PROPORTION})
    [axes] = figure.axes
    line = axes.lines[0]

    figure.draw_without_rendering()
    (x1, y1), (x2, y2), (x3, y3) = axes.transData.transform(np.asarray(line.get_xydata(), float))

    assert (x2 - x1, y2 - y1) == pytest.approx((x3 - x2, y3 - y2))


def test_a_point_is_the_median_and_its_bar_goes_from_the_least_to_the_most() -> None:
    from matplotlib.container import ErrorbarContainer

    [axes] = growth_plot("Growth", {"a": IN_PROPORTION}).axes
    [bars] = axes.containers

    assert isinstance(bars, ErrorbarContainer)
    line, _, [spread] = bars.lines
    assert list(np.asarray(line.get_ydata())) == pytest.approx([0.1, 1.0, 10.0])
    ends = [segment[:, 1] for segment in spread.get_segments()]
    assert np.array(ends) == pytest.approx(
        np.array([(n / 11_000, n / 8_000) for n in (1_000, 10_000, 100_000)])
    )


def test_lines_and_axes_are_named_as_text(tmp_path: Path) -> None:
    write_growth_plot(tmp_path / "a.svg", "Growth", {"a & b": IN_PROPORTION, "c": IN_PROPORTION})

    words = [text.text for text in ET.parse(tmp_path / "a.svg").iter(f"{SVG}text")]

    assert {"Growth", "a & b", "c", "attempts of 50 questions", "seconds", "100,000"} <= set(words)


def test_the_same_figures_make_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.svg", "b.svg"):
        write_growth_plot(tmp_path / name, "Growth", {"a": IN_PROPORTION})

    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


def test_the_lines_are_both_reports_and_the_reference_of_both_exams() -> None:
    outcomes = [
        outcome("student_analysis/1000", 0.2, 0.1),
        outcome("student_analysis/1000/memory", 300.0),
        outcome("item_analysis/1000", 0.05, 0.1),
        outcome("student_analysis/growth", 0.9),
        outcome("student_analysis/wordy/1000", 0.4, 0.3),
        outcome("item_analysis/wordy/1000", 0.06, 0.3),
    ]

    lines = growth_lines(outcomes)

    assert {name: [(size, spread.median) for size, spread in line] for name, line in lines.items()} == {
        "student_analysis": [(1000, 0.2)],
        "item_analysis": [(1000, 0.05)],
        "psql \\copy of the same rows": [(1000, 0.1)],
        "student_analysis, wordy exam": [(1000, 0.4)],
        "item_analysis, wordy exam": [(1000, 0.06)],
        "psql \\copy of the same rows, wordy exam": [(1000, 0.3)],
    }
    assert growth_lines(outcomes[1:]) == {}
