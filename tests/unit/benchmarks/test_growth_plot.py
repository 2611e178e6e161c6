from __future__ import annotations

import xml.etree.ElementTree as ET

from ops.benchmarks.growth_plot import growth_plot

SVG = "{http://www.w3.org/2000/svg}"


def test_a_line_in_proportion_is_straight() -> None:
    plot = growth_plot("Growth", {"a & b": [(1_000, 0.1), (10_000, 1.0), (100_000, 10.0)]}, x="size", y="s")

    line = ET.fromstring(plot).find(f"{SVG}polyline")

    assert line is not None
    (x1, y1), (x2, y2), (x3, y3) = (map(float, place.split(",")) for place in line.attrib["points"].split())
    assert (x2 - x1, y1 - y2) == (x3 - x2, y2 - y3)


def test_lines_are_named() -> None:
    plot = ET.fromstring(growth_plot("Growth", {"a & b": [(1, 1)], "c": [(10, 2)]}, x="size", y="s"))

    words = [text.text for text in plot.findall(f"{SVG}text")]

    assert {"Growth", "a & b", "c", "size", "s"} <= set(words)
