"""Two small charts as SVG, in the colours of the page: lines, and bars with intervals.

Drawn by hand rather than by a plotting library so that they follow the page's light and dark theme,
can be read aloud (every mark has a title) and need no script.
"""

from collections.abc import Sequence
from html import escape
from typing import NamedTuple

__all__ = ["Bar", "Line", "bar_chart", "line_chart"]

_WIDTH, _HEIGHT = 1000, 400
_LEFT, _RIGHT, _TOP, _BOTTOM = 58, 18, 30, 48


class Line(NamedTuple):
    """A curve.

    Attributes:
        name: In the key.
        colour: CSS colour.
        dash: SVG dash pattern, empty for a full line.
        x: Positions.
        y: Values.
    """

    name: str
    colour: str
    dash: str
    x: Sequence[float]
    y: Sequence[float]


class Bar(NamedTuple):
    """A bar.

    Attributes:
        group: What stands under it.
        name: In the key.
        colour: CSS colour.
        value: Height.
        low: Lower end of its interval.
        high: Upper end.
        dash: SVG dash pattern of its outline, empty for a full bar; with the colour it tells
            methods apart.
        paper: What the paper reports, if it does.
    """

    group: str
    name: str
    colour: str
    value: float
    low: float
    high: float
    dash: str = ""
    paper: float | None = None


def line_chart(lines: Sequence[Line], x_name: str, y_name: str, title: str) -> str:
    """Curves of y over x.

    Args:
        lines: What is drawn, the most important last.
        x_name: Under the x axis.
        y_name: Above the y axis.
        title: Read aloud for the whole.
    """
    x_ticks = _ticks(0.0, max((max(line.x) for line in lines), default=1.0))
    lowest = min((min(line.y) for line in lines), default=0.0)
    y_ticks = _ticks(min(lowest, 1.0), max((max(line.y) for line in lines), default=1.0))
    parts = _axes(x_ticks, y_ticks, x_name, y_name)
    for line in lines:
        points = [
            (_across(x, x_ticks), _up(y, y_ticks)) for x, y in zip(line.x, line.y, strict=True)
        ]
        path = " ".join(f"{'L' if i else 'M'}{x:.1f},{y:.1f}" for i, (x, y) in enumerate(points))
        parts.append(f'<path d="{path}" fill="none" stroke="{line.colour}" stroke-width="2.5" '
                     f'stroke-dasharray="{line.dash}" stroke-linejoin="round"/>')
        for (px, py), x, y in zip(points, line.x, line.y, strict=True):
            parts.append(f'<circle cx="{px:.1f}" cy="{py:.1f}" r="4" fill="{line.colour}"><title>'
                         f"{escape(line.name)}: {y:.3f} at {x:.3f}</title></circle>")
    return _frame(parts, [(line.name, line.colour, line.dash) for line in lines], title)


def bar_chart(bars: Sequence[Bar], y_name: str, title: str) -> str:
    """Bars in groups, with intervals, and a diamond where the paper reports a number.

    Args:
        bars: What is drawn, group after group.
        y_name: Above the y axis.
        title: Read aloud for the whole.
    """
    groups = list(dict.fromkeys(bar.group for bar in bars))
    names = list(dict.fromkeys(bar.name for bar in bars))
    values = [max(bar.high, bar.paper or 0.0) for bar in bars]
    y_ticks = _ticks(0.0, max([*values, 0.1]))
    parts = _axes((), y_ticks, "", y_name)
    room = (_WIDTH - _LEFT - _RIGHT) / max(len(groups), 1)
    width = 0.8 * room / max(len(names), 1)
    floor = _up(0.0, y_ticks)
    for bar in bars:
        start = _LEFT + room * (groups.index(bar.group) + 0.1) + width * names.index(bar.name)
        top, middle = _up(bar.value, y_ticks), start + width / 2
        told = f"{bar.group}, {bar.name}: {bar.value:.3f} [{bar.low:.3f}, {bar.high:.3f}]"
        parts.append(f'<rect x="{start + 1:.1f}" y="{top:.1f}" width="{max(width - 2, 1):.1f}" '
                     f'height="{max(floor - top, 1):.1f}" rx="3" fill="{bar.colour}"'
                     f"{_outline(bar)}><title>{escape(told)}</title></rect>")
        low, high = _up(bar.low, y_ticks), _up(bar.high, y_ticks)
        parts.append(f'<path d="M{middle:.1f},{low:.1f}V{high:.1f}" stroke="var(--text)" '
                     'stroke-width="1.5"/>')
        if bar.paper is not None:
            y = _up(bar.paper, y_ticks)
            parts.append(f'<path d="M{middle:.1f},{y - 6:.1f}l6,6l-6,6l-6,-6z" fill="var(--card)" '
                         f'stroke="{bar.colour}" stroke-width="2"><title>{escape(bar.name)} in the '
                         f"paper: {bar.paper:.2f}</title></path>")
    for i, group in enumerate(groups):
        parts.append(f'<text class="title" x="{_LEFT + room * (i + 0.5):.1f}" '
                     f'y="{_HEIGHT - _BOTTOM + 24}" text-anchor="middle">{escape(group)}</text>')
    keys = list(dict.fromkeys((bar.name, bar.colour, bar.dash) for bar in bars))
    return _frame(parts, keys, title)


def _outline(bar: Bar) -> str:
    """A pale bar within dashes, where the method has any."""
    if not bar.dash:
        return ""
    return (f' fill-opacity=".35" stroke="{bar.colour}" stroke-width="2" '
            f'stroke-dasharray="{bar.dash}"')


def _ticks(low: float, high: float) -> tuple[float, ...]:
    """Round numbers that enclose the values."""
    span = max(high - low, 1e-6)
    step = next(s * 10.0**e for e in range(-4, 6) for s in (1, 2, 5) if span / (s * 10.0**e) <= 6)
    first, last = int(low / step - 1e-9), int(-(-(high - 1e-9) // step))
    first = min(first, int(low // step))
    return tuple(round(i * step, 6) for i in range(first, max(last, first + 1) + 1))


def _across(x: float, ticks: Sequence[float]) -> float:
    return _LEFT + (_WIDTH - _LEFT - _RIGHT) * (x - ticks[0]) / (ticks[-1] - ticks[0])


def _up(y: float, ticks: Sequence[float]) -> float:
    return _HEIGHT - _BOTTOM - (_HEIGHT - _TOP - _BOTTOM) * (y - ticks[0]) / (ticks[-1] - ticks[0])


def _axes(
    x_ticks: Sequence[float], y_ticks: Sequence[float], x_name: str, y_name: str
) -> list[str]:
    parts = [f'<text class="title" x="{_LEFT - 44}" y="16">{escape(y_name)}</text>']
    for tick in y_ticks:
        y = _up(tick, y_ticks)
        parts.append(f'<path class="grid" d="M{_LEFT},{y:.1f}H{_WIDTH - _RIGHT}"/>')
        parts.append(f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{tick:g}</text>')
    for tick in x_ticks:
        x = _across(tick, x_ticks)
        parts.append(f'<text x="{x:.1f}" y="{_HEIGHT - _BOTTOM + 20}" '
                     f'text-anchor="middle">{tick:g}</text>')
    if x_name:
        middle = (_LEFT + _WIDTH - _RIGHT) / 2
        parts.append(f'<text class="title" x="{middle}" y="{_HEIGHT - 8}" '
                     f'text-anchor="middle">{escape(x_name)}</text>')
    return parts


def _frame(parts: Sequence[str], keys: Sequence[tuple[str, str, str]], title: str) -> str:
    shown = "".join(
        f'<span><svg viewBox="0 0 30 10" aria-hidden="true"><path d="M1,5H29" stroke="{colour}" '
        f'stroke-width="4" stroke-dasharray="{dash}"/></svg>{escape(name)}</span>'
        for name, colour, dash in keys
    )
    return (f'<div class="chart"><svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
            f'aria-label="{escape(title)}">{"".join(parts)}</svg>'
            f'<div class="keys">{shown}</div></div>')
