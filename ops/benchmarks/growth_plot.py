"""The plot of time over size on logarithmic scales, where proportional growth is a line of slope 1."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from models.reports.variants import PUBLIC_TYPES, ReportType
from ops.benchmarks.exam import ExamStyle
from ops.benchmarks.measure import Outcome, Spread

# Imported where a plot is made, since it takes seconds.
if TYPE_CHECKING:
    from matplotlib.figure import Figure

Points = Sequence[tuple[int, Spread]]

_REFERENCE = "psql \\copy of the same rows"

# Colour, marker and line, and the offset of the medians' labels; references have no labels.
_BLUE, _RED, _GREY = "#0b5c8a", "#b5470b", "#666666"
_STYLES = (
    (_BLUE, "o-", (-20, 8)),
    (_RED, "s-", (20, -15)),
    (_GREY, "^--", None),
    (_BLUE, "o:", None),
    (_RED, "s:", None),
    (_GREY, "^:", None),
)


def growth_lines(outcomes: Sequence[Outcome]) -> dict[str, Points]:
    """Select the times of both reports and of their reference, for both exams; empty if one is missing."""
    sizes = [
        (measured, int(size), outcome)
        for outcome in outcomes
        for measured, _, size in [outcome.figure.rpartition("/")]
        if size.isdigit()
    ]
    lines: dict[str, Points] = {}
    for exam, suffix in (("", ""), (", wordy exam", f"/{ExamStyle.WORDY}")):
        for report_type in PUBLIC_TYPES:
            lines[f"{report_type}{exam}"] = [
                (size, outcome.measured)
                for measured, size, outcome in sizes
                if measured == f"{report_type}{suffix}"
            ]
        lines[f"{_REFERENCE}{exam}"] = [
            (size, outcome.reference)
            for measured, size, outcome in sizes
            if measured == f"{ReportType.STUDENT_ANALYSIS}{suffix}" and outcome.reference is not None
        ]
    return lines if all(lines.values()) else {}


def write_growth_plot(path: Path, title: str, lines: Mapping[str, Points]) -> None:
    """Write the plot as an SVG."""
    import matplotlib

    # Text remains text, and the same figures give the same bytes.
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "growth"}):
        growth_plot(title, lines).savefig(path, format="svg", metadata={"Date": None, "Title": title})


def growth_plot(title: str, lines: Mapping[str, Points]) -> Figure:
    """Plot up to six named lines: medians over sizes, with bars from the minimum to the maximum."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.6, 4.8), layout="constrained")
    axes = figure.subplots()
    for (name, points), (colour, style, labels) in zip(lines.items(), _STYLES, strict=False):
        sizes, medians = [size for size, _ in points], [spread.median for _, spread in points]
        below = [spread.median - spread.least for _, spread in points]
        above = [spread.most - spread.median for _, spread in points]
        axes.errorbar(sizes, medians, (below, above), fmt=style, color=colour, label=name, capsize=3)
        for point in zip(sizes, medians, strict=True) if labels else ():
            axes.annotate(
                f"{point[1]:.3g}", point, labels, textcoords="offset points", ha="center", color=colour
            )
    axes.set(xscale="log", yscale="log", xlabel="attempts of 50 questions", ylabel="seconds")
    axes.set_title(title, loc="left", fontweight="bold", pad=12)
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.minorticks_off()
    axes.margins(0.12)
    axes.grid(color="#dddddd")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    return figure
