"""The charts of the pages, as SVG within a page: without scripts and styles, with links to the items.

Colours come from the stylesheet of the pages, so they follow the reader's choice of light or dark.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pygal
from lxml import etree
from markupsafe import Markup
from pygal.style import Style

# The import hook of pygal's plugins lacks a method that Python asks for, so each later import would warn.
sys.meta_path[:] = [finder for finder in sys.meta_path if type(finder).__module__ != pygal.__name__]

Number = Callable[[float], str]

_BIN_PERCENT: Final = 5
_OPTIONS: Final[Mapping[str, Any]] = {
    "css": [],
    "js": [],
    "disable_xml_declaration": True,
    "no_prefix": True,
    "show_legend": False,
    "width": 640,
    "height": 380,
    "margin": 8,
    # As large as the stylesheet makes texts on a narrow screen, so that they have room.
    "style": Style(label_font_size=22, major_label_font_size=22, title_font_size=20),
}
_UNUSED: Final = (
    "//comment() | //defs | //title[not(parent::a)] | //desc | //rect[@class = 'background']"
    " | //*[contains(@class, 'tooltip-overlay') or contains(@class, 'text-overlay')]"
)
_UNUSED_ATTRIBUTES: Final = frozenset({"id", "rx", "ry"})
_NARROWEST_BAR: Final = 5
_DOT_RADIUS: Final = 6
_LENGTHS: Final = frozenset({"x", "y", "width", "height", "cx", "cy", "d", "transform"})
# Texts of the LMS may have these characters, and XML may not.
_NOT_IN_XML: Final = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_LONG_NUMBER: Final = re.compile(r"\d+\.\d+")


@dataclass(frozen=True)
class Axes:
    """The titles of the axes of a chart, and how the numbers at them are written."""

    x: str
    y: str
    number: Number


@dataclass(frozen=True)
class Point:
    """An item in a scatter: its place, its name, where a click on it leads, and whether it is marked."""

    x: float
    y: float
    label: str
    href: str
    is_marked: bool


def score_histogram(distribution: Mapping[str, int], at: Sequence[float], axes: Axes) -> Markup:
    """Draw how many respondents got which percent of the points, with a line at each percent of `at`.

    Scores below 0 or above 100 percent count in the first or the last bar.
    """
    counts = _bins(distribution)
    highest = max(max(counts), 1)
    chart = pygal.Histogram(
        **_OPTIONS,
        x_title=axes.x,
        y_title=axes.y,
        xrange=(0, 100),
        range=(0, highest),
        x_labels=list(range(0, 101, 10)),
        y_labels=_whole_steps(highest),
        x_value_formatter=axes.number,
        value_formatter=axes.number,
    )
    chart.add("", [(n, i * _BIN_PERCENT, (i + 1) * _BIN_PERCENT) for i, n in enumerate(counts)])
    for percent in at:
        # A narrow bar is a line.
        chart.add("", [(highest, percent - 0.2, percent + 0.2)])
    return _markup(chart.render_tree())


def score_bars(distribution: Mapping[str, int]) -> Markup:
    """Draw a small histogram of scores without axes, for a line of a table."""
    counts = _bins(distribution)
    chart = pygal.Histogram(
        **{**_OPTIONS, "width": 160, "height": 40, "margin": 0},
        xrange=(0, 100),
        range=(0, max(*counts, 1)),
        show_x_labels=False,
        show_y_labels=False,
    )
    chart.add("", [(n, i * _BIN_PERCENT, (i + 1) * _BIN_PERCENT) for i, n in enumerate(counts)])
    return _markup(chart.render_tree())


def item_scatter(points: Sequence[Point], axes: Axes) -> Markup:
    """Draw difficulty against discrimination: a dot for each item, which is a link to it."""
    lowest = min([0.0, *(point.y for point in points)])
    chart = pygal.XY(
        **_OPTIONS,
        stroke=False,
        x_title=axes.x,
        y_title=axes.y,
        xrange=(0, 1),
        range=(-1 if lowest < -0.5 else -0.5 if lowest < 0 else 0, 1),
        x_labels=[0, 0.25, 0.5, 0.75, 1],
        y_labels=[y for y in (-1, -0.75, -0.5, -0.25, 0, 0.25, 0.5, 0.75, 1) if y >= -0.5 or lowest < -0.5],
        x_value_formatter=axes.number,
        value_formatter=axes.number,
    )
    # The library would look at each value two dozen times, so it only places these two.
    for _ in range(2):
        chart.add("", [(0, 0), (1, 1)])
    tree = chart.render_tree()
    for series, is_marked in zip(tree.xpath("//g[g/@class = 'dots']"), (False, True), strict=True):
        _put_dots(series, [point for point in points if point.is_marked is is_marked])
    return _markup(tree)


def _put_dots(series: Any, points: Sequence[Point]) -> None:
    """Replace the dots at (0, 0) and (1, 1) by those of items, as links.

    Browsers show the title of a link, and screen readers read it as its name.
    """
    (left, bottom), (right, top) = (
        (float(dot.get("cx")), float(dot.get("cy"))) for dot in series.xpath(".//circle")
    )
    series[:] = []
    for point in points:
        link = etree.SubElement(series, "a", href=point.href)
        etree.SubElement(link, "title").text = _NOT_IN_XML.sub("\N{REPLACEMENT CHARACTER}", point.label)
        x, y = left + point.x * (right - left), bottom + point.y * (top - bottom)
        etree.SubElement(link, "circle", cx=str(x), cy=str(y), r=str(_DOT_RADIUS))


def _bins(distribution: Mapping[str, int]) -> list[int]:
    """Count respondents by each five percent of the points, from 0 to 100."""
    counts = [0] * (100 // _BIN_PERCENT)
    for name, count in distribution.items():
        counts[min(max(int(name), 0) // _BIN_PERCENT, len(counts) - 1)] += count
    return counts


def _whole_steps(highest: int) -> list[int]:
    step = next(
        size * 10**power for power in range(9) for size in (1, 2, 5) if highest / (size * 10**power) <= 6
    )
    return list(range(0, highest + 1, step))


def _markup(tree: Any) -> Markup:
    """Return the SVG without what a page does not need: most of what pygal writes is for its own script."""
    for element in tree.xpath(_UNUSED):
        element.getparent().remove(element)
    _simplify_bars(tree)
    for element in tree.iter(etree.Element):
        for name in _UNUSED_ATTRIBUTES.intersection(element.attrib):
            del element.attrib[name]
        for name in _LENGTHS.intersection(element.attrib):
            element.set(name, _LONG_NUMBER.sub(_rounded, element.get(name)))
    tree.set("class", "chart")
    etree.cleanup_namespaces(tree, keep_ns_prefixes=())
    # The text comes from a serializer of XML, which escapes what people wrote.
    return Markup(etree.tostring(tree, encoding="unicode"))  # noqa: S704


def _simplify_bars(tree: Any) -> None:
    """Make plain rectangles of the bars of a histogram, and lines of the narrow ones."""
    for group in tree.xpath("//g[@class = 'histbar']"):
        (bar,) = group
        del bar.attrib["class"]
        group.getparent().replace(group, bar)
        if float(bar.get("width")) < _NARROWEST_BAR:
            middle = float(bar.get("x")) + float(bar.get("width")) / 2
            bar.tag = "path"
            bar.set("d", f"M{middle} {bar.get('y')} v{bar.get('height')}")
            for name in ("x", "y", "width", "height"):
                del bar.attrib[name]


def _rounded(number: re.Match[str]) -> str:
    return f"{float(number[0]):.1f}".removesuffix(".0")
