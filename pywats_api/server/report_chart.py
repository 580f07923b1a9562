"""A chart of a step, drawn as SVG that needs neither script nor style."""

import math
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

_WIDTH, _HEIGHT, _LEFT, _TOP, _BOTTOM = 640, 260, 70, 10, 40
_COLOURS = ("#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#ff7f0e", "#17becf", "#8c564b", "#7f7f7f")
_MAX_POINTS = 2000
_MAX_EXPONENT = 300
_TINY = 1e-290
_Points = list[tuple[float, float]]


def chart_svg(chart: Mapping[str, Any]) -> str:
    """The chart as markup; a note where it has no point that can be drawn."""
    kind = str(chart["chartType"]).lower()
    log_x, log_y = kind in {"linelogx", "linelogxy"}, kind in {"linelogy", "linelogxy"}
    curves = [(series["name"], _points(series, log_x=log_x, log_y=log_y)) for series in chart["series"]]
    drawn = [point for _, points in curves for point in points]
    if not drawn:
        return f"<p>{escape(chart['label'])}: no points to draw.</p>"
    xs, ys = _span([x for x, _ in drawn]), _span([y for _, y in drawn])
    right, bottom = _WIDTH - 10, _HEIGHT - _BOTTOM

    def place(point: tuple[float, float]) -> str:
        x = _LEFT + (point[0] - xs[0]) / (xs[1] - xs[0]) * (right - _LEFT)
        y = bottom - (point[1] - ys[0]) / (ys[1] - ys[0]) * (bottom - _TOP)
        return f"{x:.1f},{y:.1f}"

    height = _HEIGHT + 18 * len(curves)
    parts = [
        f'<svg role="img" aria-label="{escape(chart["label"], quote=True)}"',
        f' width="{_WIDTH}" height="{height}" font-size="12" fill="currentColor">',
        f'<rect x="{_LEFT}" y="{_TOP}" width="{right - _LEFT}" height="{bottom - _TOP}"',
        ' fill="none" stroke="currentColor" stroke-opacity=".4"/>',
        _label(_LEFT, bottom + 16, _tick(xs[0], log=log_x)),
        _label(right, bottom + 16, _tick(xs[1], log=log_x), anchor="end"),
        _label((_LEFT + right) / 2, bottom + 32, _axis(chart, "x"), anchor="middle"),
        _label(_LEFT - 6, bottom, _tick(ys[0], log=log_y), anchor="end"),
        _label(_LEFT - 6, _TOP + 12, _tick(ys[1], log=log_y), anchor="end"),
        _label(_LEFT + 6, _TOP + 14, _axis(chart, "y")),
    ]
    for number, (name, points) in enumerate(curves):
        colour = _COLOURS[number % len(_COLOURS)]
        line = " ".join(map(place, points))
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
        y = _HEIGHT + 18 * number
        parts.append(f'<rect x="{_LEFT}" y="{y}" width="12" height="3" fill="{colour}"/>')
        parts.append(_label(_LEFT + 18, y + 6, name))
    return f"<figure><figcaption>{escape(chart['label'])}</figcaption>{''.join(parts)}</svg></figure>"


def _points(series: Mapping[str, Any], *, log_x: bool, log_y: bool) -> _Points:
    ys = list(_numbers(series["ydata"]))
    xs = list(_numbers(series["xdata"])) if series.get("xdata") else [float(i) for i in range(len(ys))]
    pairs = list(zip(xs, ys, strict=False))
    step = max(1, math.ceil(len(pairs) / _MAX_POINTS))
    scaled = ((_scaled(x, log=log_x), _scaled(y, log=log_y)) for x, y in pairs[::step])
    return [point for point in scaled if math.isfinite(point[0]) and math.isfinite(point[1])]


def _numbers(text: str) -> Iterator[float]:
    for part in text.split(";"):
        try:
            yield float(part)
        except ValueError:
            yield math.nan


def _scaled(value: float, *, log: bool) -> float:
    if not log:
        return value
    return math.log10(value) if value > 0 else math.nan


def _span(values: list[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    # Halved before they are taken from each other, so that the widest span of numbers is one as well.
    if high / 2 - low / 2 < max(abs(low), abs(high)) * 1e-12 or low == high:
        margin = max(abs(low), abs(high)) / 2
        return (low - margin, high + margin) if margin > _TINY else (low - 1, high + 1)
    return (low, high) if math.isfinite(high - low) else (low / 4, high / 4)


def _tick(value: float, *, log: bool) -> str:
    if log and abs(value) > _MAX_EXPONENT:  # beyond the edge that a curve of one point is given
        return f"1e{value:.0f}"
    return f"{10**value if log else value:.4g}"


def _axis(chart: Mapping[str, Any], axis: str) -> str:
    unit = chart.get(f"{axis}Unit")
    return " ".join(filter(None, [chart.get(f"{axis}Label"), f"[{unit}]" if unit else None]))


def _label(x: float, y: float, text: str, *, anchor: str = "start") -> str:
    return f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}">{escape(text)}</text>' if text else ""
