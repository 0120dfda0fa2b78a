"""Curves of metrics as SVG that takes the colours of the page: small ones, side by side. Pure.

They are for looking while a run goes on; figures for a paper are made by `plots.py`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from html import escape

from .looks import Html
from .run_words import number

WIDTH, HEIGHT = 300, 130
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 8, 8, 18
# Points of one curve: more can't be told apart at this width.
POINTS = 240


def curve_svg(name: str, xs: Sequence[float], ys: Sequence[float], along: str = "step") -> Html:
    """One curve with its last value, and the ends of its axes.

    Args:
        name: of the metric.
        xs: where they stand; what is not finite is left out.
        ys: NaN and infinity leave a gap.
        along: what `xs` are, for the axis.
    """
    points = [(x, y) for x, y in zip(xs, ys, strict=True) if math.isfinite(x)]
    values = [y for _, y in points if math.isfinite(y)]
    last = number(points[-1][1]) if points else "none"
    caption = f'<figcaption><b>{escape(name)}</b> <span class="jr-words">{escape(last)}</span></figcaption>'
    if not values:
        return Html(f'<figure class="jr-curve">{caption}<div class="jr-small">no finite value</div></figure>')
    left, right = min(x for x, _ in points), max(x for x, _ in points)
    low, high = min(values), max(values)
    width, height = WIDTH - _LEFT - _RIGHT, HEIGHT - _TOP - _BOTTOM

    def at(x: float, y: float) -> tuple[float, float]:
        return _LEFT + width * _share(x, left, right), _TOP + height * (1 - _share(y, low, high))

    axis = f"M{_LEFT} {_TOP}V{_TOP + height}H{_LEFT + width}"
    labels = [
        (_LEFT - 4, _TOP + 8, "end", number(high)),
        (_LEFT - 4, _TOP + height, "end", number(low) if high > low else ""),
        (_LEFT, HEIGHT - 4, "start", number(left)),
        (_LEFT + width, HEIGHT - 4, "end", f"{along} {number(right)}" if right > left else along),
    ]
    words = "".join(
        f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}">{escape(text)}</text>'
        for x, y, anchor, text in labels
    )
    end = next(at(x, y) for x, y in reversed(points) if math.isfinite(y))
    told = f"{name}: {last} at {along} {number(right)}, between {number(low)} and {number(high)}"
    return Html(
        f'<figure class="jr-curve">{caption}<svg role="img" aria-label="{escape(told)}" width="{WIDTH}" '
        f'height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}"><path class="jr-axis" d="{axis}"/>{words}'
        f'<path class="jr-path" d="{_path(points, at)}"/>'
        f'<circle class="jr-end" cx="{end[0]:.1f}" cy="{end[1]:.1f}" r="2.5"/></svg></figure>'
    )


def curves_html(figures: Iterable[Html]) -> Html:
    """Several curves, side by side as far as there is room."""
    return Html(f'<div class="jr-curves">{"".join(figures)}</div>')


def _share(value: float, low: float, high: float) -> float:
    """How far it is from one to the other; of halves, as the difference of huge numbers is infinite."""
    whole = high / 2 - low / 2
    return (value / 2 - low / 2) / whole if whole > 0 else 0.5


def _path(points: Sequence[tuple[float, float]], at: Callable[[float, float], tuple[float, float]]) -> str:
    path: list[str] = []
    begun = False
    for x, y in points:
        if not math.isfinite(y):
            begun = False
            continue
        across, down = at(x, y)
        # A line of no length is a dot, so that a point between two gaps is seen.
        path.append(f"{'L' if begun else 'M'}{across:.1f} {down:.1f}{'' if begun else 'h0'}")
        begun = True
    return "".join(path)
