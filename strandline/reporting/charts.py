"""Line and bar charts as SVG inside a page: no script, no font, nothing to load."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final
from xml.sax.saxutils import escape, quoteattr

from markupsafe import Markup

_WIDTH, _HEIGHT = 460.0, 230.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 58.0, 12.0, 14.0, 44.0
_COLOURS: Final = ("#0b5f73", "#d68a00", "#8f1d21", "#4a7c3a", "#6b4c9a")
_TICKS: Final = 5
_MOST_POINTS: Final = 400

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis: what stands beside it, and its ends where they are fixed."""

    label: str
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a chart, its points from left to right."""

    name: str
    points: Sequence[Point]


def draw_lines(title: str, x: Axis, y: Axis, lines: Sequence[Line]) -> Markup:
    """Return a line chart; lines without a point are left out, of many points the first of each few is drawn."""
    shown = [line for line in lines if line.points]
    if not shown:
        return Markup("")
    places = [point for line in shown for point in line.points]
    x_ends = _ends(x, [place for place, _ in places])
    y_ends = _ends(y, [place for _, place in places])
    to_x, to_y = _scale(x_ends, _LEFT, _WIDTH - _RIGHT), _scale(y_ends, _HEIGHT - _BOTTOM, _TOP)
    parts = [*_upright(y, y_ends), *_names(x.label, [(to_x(value), _short(value)) for value in _ticks(x_ends)])]
    for number, line in enumerate(shown):
        step = math.ceil(len(line.points) / _MOST_POINTS)
        path = " ".join(f"{to_x(px):.1f},{to_y(py):.1f}" for px, py in line.points[::step])
        colour = _COLOURS[number % len(_COLOURS)]
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.8"/>')
    return _figure(title, parts, [line.name for line in shown] if len(shown) > 1 else [])


def draw_bars(title: str, x: Axis, y: Axis, bars: Sequence[tuple[str, float]]) -> Markup:
    """Return a bar chart; where bars are many, only some are named."""
    if not any(value for _, value in bars):
        return Markup("")
    y_ends = _ends(y, [0.0, *(value for _, value in bars)])
    to_y = _scale(y_ends, _HEIGHT - _BOTTOM, _TOP)
    width = (_WIDTH - _LEFT - _RIGHT) / len(bars)
    named = math.ceil(len(bars) / 12)
    places = [(_LEFT + (number + 0.5) * width, name) for number, (name, _) in enumerate(bars)]
    parts = [*_upright(y, y_ends), *_names(x.label, places[::named])]
    for number, (_, value) in enumerate(bars):
        left, top = _LEFT + number * width, to_y(value)
        parts.append(
            f'<rect x="{left + 0.1 * width:.1f}" y="{top:.1f}" width="{0.8 * width:.1f}" '
            f'height="{to_y(y_ends[0]) - top:.1f}" fill="{_COLOURS[0]}"/>'
        )
    return _figure(title, parts, [])


def _figure(title: str, parts: Sequence[str], names: Sequence[str]) -> Markup:
    keys = "".join(
        f'<span><i style="background: {_COLOURS[number % len(_COLOURS)]}"></i>{escape(name)}</span>'
        for number, name in enumerate(names)
    )
    legend = f'<div class="legend">{keys}</div>' if names else ""
    return Markup(  # noqa: S704 - every text in it is escaped above
        f'<figure class="chart"><figcaption>{escape(title)}</figcaption>{legend}'
        f'<svg viewBox="0 0 {_WIDTH:.0f} {_HEIGHT:.0f}" role="img" aria-label={quoteattr(title)}>'
        f"{''.join(parts)}</svg></figure>"
    )


def _upright(y: Axis, ends: Point) -> Iterator[str]:
    """Draw the values' axis, with a line across the chart for each value that it names."""
    right, bottom, to_y = _WIDTH - _RIGHT, _HEIGHT - _BOTTOM, _scale(ends, _HEIGHT - _BOTTOM, _TOP)
    for value in _ticks(ends):
        place = to_y(value)
        yield f'<line x1="{_LEFT}" x2="{right}" y1="{place:.1f}" y2="{place:.1f}" stroke="#e4e9ee"/>'
        yield _text(_LEFT - 6, place + 4, _short(value), "end")
    middle = (_TOP + bottom) / 2
    yield f'<text transform="translate(13 {middle}) rotate(-90)" text-anchor="middle">{escape(y.label)}</text>'


def _names(label: str, places: Sequence[tuple[float, str]]) -> Iterator[str]:
    """Draw the line at the bottom and what stands under it."""
    right, bottom = _WIDTH - _RIGHT, _HEIGHT - _BOTTOM
    yield f'<line x1="{_LEFT}" x2="{right}" y1="{bottom}" y2="{bottom}" stroke="#52606d"/>'
    for place, name in places:
        yield _text(place, bottom + 14, name, "middle")
    yield _text((_LEFT + right) / 2, _HEIGHT - 8, label, "middle")


def _text(x: float, y: float, words: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'


def _ends(axis: Axis, values: Sequence[float]) -> Point:
    low = min(values) if axis.low is None else axis.low
    high = max(values) if axis.high is None else axis.high
    return (low, high if high > low else low + 1)


def _scale(ends: Point, first: float, last: float) -> Callable[[float], float]:
    low, high = ends
    return lambda value: first + (min(max(value, low), high) - low) / (high - low) * (last - first)


def _ticks(ends: Point) -> list[float]:
    """Return about five round values between two ends.

    >>> _ticks((0.0, 38.0)), _ticks((0.0, 1.0))
    ([0, 10, 20, 30], [0.0, 0.2, 0.4, 0.6, 0.8, 1.0])
    """
    low, high = ends
    rough = (high - low) / _TICKS
    unit = 10 ** math.floor(math.log10(rough))
    step = next(unit * factor for factor in (1, 2, 5, 10) if unit * factor >= rough * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(number * step, 10) for number in range(first, last + 1)]


def _short(value: float) -> str:
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= size:
            return f"{value / (1e3 if letter == 'k' else size):g}{letter}"
    return f"{value:g}"
