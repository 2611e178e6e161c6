"""A plot of time over size, both on logarithmic scales, as an SVG of its own."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

Points = Sequence[tuple[float, float]]

_WIDTH, _HEIGHT = 720, 460
_LEFT, _RIGHT, _TOP, _BOTTOM = 80, 20, 50, 60
_COLOURS = ("#1f6f8b", "#c2571a", "#4f7942")
_STYLE = "font-family:sans-serif;font-size:13px;fill:#222"


class _Axis:
    """A logarithmic scale from one power of ten to another, laid over a stretch of pixels."""

    def __init__(self, values: Sequence[float], begin: float, end: float) -> None:
        self._lowest = math.floor(math.log10(min(values)) + 1e-9)
        self._highest = max(self._lowest + 1, math.ceil(math.log10(max(values)) - 1e-9))
        self._begin, self._end = begin, end

    def place(self, value: float) -> float:
        """Return where a value stands."""
        share = (math.log10(value) - self._lowest) / (self._highest - self._lowest)
        return self._begin + share * (self._end - self._begin)

    def powers(self) -> list[float]:
        """Return the powers of ten on the scale."""
        return [10.0**power for power in range(self._lowest, self._highest + 1)]


def growth_plot(title: str, lines: Mapping[str, Points], *, x: str, y: str) -> str:
    """Return an SVG of named lines; each point is a size and a time, both above zero."""
    points = [point for line in lines.values() for point in line]
    across = _Axis([size for size, _ in points], _LEFT, _WIDTH - _RIGHT)
    upwards = _Axis([time for _, time in points], _HEIGHT - _BOTTOM, _TOP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#fff"/>',
        _text(_LEFT, 24, title, "font-weight:bold"),
        _text((_LEFT + _WIDTH) / 2, _HEIGHT - 12, x, "text-anchor:middle"),
        _text(_LEFT, _TOP - 8, y, "text-anchor:middle"),
    ]
    for size in across.powers():
        parts += _grid(across.place(size), _TOP, across.place(size), _HEIGHT - _BOTTOM)
        parts.append(_text(across.place(size), _HEIGHT - _BOTTOM + 20, f"{size:,.0f}", "text-anchor:middle"))
    for time in upwards.powers():
        parts += _grid(_LEFT, upwards.place(time), _WIDTH - _RIGHT, upwards.place(time))
        parts.append(_text(_LEFT - 8, upwards.place(time) + 4, f"{time:g}", "text-anchor:end"))
    for number, (name, line) in enumerate(lines.items()):
        parts += _line(number, name, [(across.place(size), upwards.place(time)) for size, time in line])
    return "\n".join([*parts, "</svg>", ""])


def _line(number: int, name: str, places: Points) -> list[str]:
    colour = _COLOURS[number % len(_COLOURS)]
    corners = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    dots = [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colour}"/>' for x, y in places]
    return [
        f'<polyline points="{corners}" fill="none" stroke="{colour}" stroke-width="2"/>',
        *dots,
        f'<rect x="{_LEFT + 16}" y="{_TOP + 14 + 22 * number}" width="14" height="4" fill="{colour}"/>',
        _text(_LEFT + 38, _TOP + 20 + 22 * number, name),
    ]


def _grid(x1: float, y1: float, x2: float, y2: float) -> list[str]:
    return [f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="#ddd"/>']


def _text(x: float, y: float, words: str, style: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" style="{_STYLE};{style}">{escape(words)}</text>'
