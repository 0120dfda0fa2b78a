"""One panel of a picture: lines of a metric, or bars of final values. What goes into it is `plots.py`'s.

Nothing here knows pyplot: a figure belongs to who made it, and to no global state.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .plot_style import BEST, PLAIN, Theme, dress, words

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

# With so few points each is marked.
_FEW = 40
# matplotlib computes with the range and with the ratio of what it draws; both must stay finite numbers.
_LARGEST = 1e150
# What ends a metric's name and is a unit.
_UNITS = {
    **dict.fromkeys(("s", "sec", "secs", "seconds"), "s"),
    **dict.fromkeys(("ms", "us", "ns", "min", "h", "kb", "mb", "gb", "kib", "mib", "gib", "hz", "fps"), ""),
    **dict.fromkeys(("percent", "pct"), "%"),
    **dict.fromkeys(("bytes",), "B"),
    **dict.fromkeys(("celsius", "degc"), "°C"),
    **dict.fromkeys(("watts",), "W"),
}
_PROPER = {
    "kb": "kB",
    "mb": "MB",
    "gb": "GB",
    "kib": "KiB",
    "mib": "MiB",
    "gib": "GiB",
    "hz": "Hz",
    "us": "µs",
}


@dataclass(frozen=True)
class Curve:
    """The values of one metric of one run.

    Args:
        run: its id.
        x: steps, seconds since the start, or numbers of points.
        y: what is not a finite number is a gap.
    """

    run: str
    x: Sequence[float]
    y: Sequence[float]


def finite(values: Sequence[float]) -> list[float]:
    """The values with NaN for what can't be drawn, and 0 for what is as good as that."""
    near = [0.0 if abs(value) < 1 / _LARGEST else value for value in values]
    return [value if abs(value) <= _LARGEST else math.nan for value in near]  # NaN compares false


def unit(name: str) -> str:
    """A metric's name as an axis has it, with its unit where the name ends with one: `epoch_time (s)`."""
    found = re.fullmatch(r"(.*[^A-Za-z0-9])([A-Za-z]+)", name)
    word = found[2].lower() if found else name.lower()
    if word not in _UNITS or re.search(r"per_?$|/$", found[1] if found else ""):
        return words(name)
    return f"{words(name)} ({_UNITS[word] or _PROPER.get(word, word)})"


def lines(
    axes: Axes,
    curves: Sequence[Curve],
    styles: Mapping[str, Mapping[str, Any]],
    look: Theme,
    *,
    log: bool = False,
    whole: bool = False,
) -> list[Line2D]:
    """Draws a line for each curve; a value that is no number is a gap.

    Args:
        axes: where.
        curves: the lines.
        styles: colour, line style and marker by run.
        look: of the figure.
        log: a logarithmic y axis; what is not positive is a gap then.
        whole: x are whole numbers, like those of epochs: there is nothing between them.
    """
    dress(axes, look)
    if log:
        axes.set_yscale("log")
    if whole:
        from matplotlib.ticker import MaxNLocator

        axes.xaxis.set_major_locator(MaxNLocator("auto", steps=[1, 2, 2.5, 5, 10], integer=True))
    drawn, some = [], False
    for curve in curves:
        y = finite(curve.y)
        if log:
            y = [value if value > 0 else math.nan for value in y]
        some = some or any(value == value for value in y)
        style = dict(styles[curve.run])
        few = len(y) <= _FEW
        # A point between two gaps has no line, so it is marked.
        marked: Any = None if few else _alone(y)
        (line,) = axes.plot(
            finite(curve.x),
            y,
            linewidth=1.6,
            markersize=4.5,
            markevery=marked,
            label=curve.run,
            **style,
        )
        drawn.append(line)
    if not some:
        _nothing(axes, look, "no finite value")
    return drawn


def bars(
    axes: Axes,
    values: Mapping[str, float],
    names: Mapping[str, str],
    best: Sequence[str],
    look: Theme,
    *,
    among: Sequence[float],
    log: bool = False,
) -> None:
    """Draws a bar for each run, the first on top; the best one in another colour, with a star.

    Args:
        axes: where.
        values: by run.
        names: what stands beside each bar.
        best: the best runs.
        look: of the figure.
        among: the values of all panels that are to have the same axis.
        log: a logarithmic axis.
    """
    dress(axes, look)
    axes.grid(False, axis="y")
    places = range(len(values))
    widths = finite([*values.values()])
    if log:
        widths = [width if width > 0 else math.nan for width in widths]
        axes.set_xscale("log")
    axes.set_xlim(_limits(among, log))
    colours = [BEST if run in best else PLAIN for run in values]
    axes.barh(places, widths, color=colours, height=0.68)
    axes.set_yticks(places, [words(names[run], 32) for run in values], parse_math=False)
    axes.set_ylim(max(len(values), 1) - 0.5, -0.5)
    if not values:
        _nothing(axes, look, "no value")
    axes.tick_params(axis="y", length=0)
    for place, (run, value) in enumerate(values.items()):
        shown = widths[place]
        at = shown if shown == shown else 0.0
        axes.annotate(
            f"{value:.4g}{' ★' if run in best else ''}",
            (at if at > 0 or not log else axes.get_xlim()[0], place),
            xytext=(4 if at >= 0 else -4, 0),
            textcoords="offset points",
            ha="left" if at >= 0 else "right",
            va="center",
            fontsize=8.5,
            color=look.text,
            parse_math=False,
            annotation_clip=False,
        )


def _limits(values: Sequence[float], log: bool) -> tuple[float, float]:
    """Of an axis with bars of these values, with room for the numbers at their ends."""
    if log:
        positive = [value for value in finite(values) if value > 0] or [1.0]
        low, high = min(positive) / 2, max(positive) * 2
        return low, high * (high / low) ** 0.2
    known = [0.0, *(value for value in finite(values) if value == value)]
    low, high = min(known), max(known)
    room = 0.22 * (high - low) or 1.0
    return low - room if low < 0 else low, high + room if high > 0 or low == 0 else high


def _alone(y: Sequence[float]) -> list[int]:
    missing = [value != value for value in y]
    before, after = [True, *missing[:-1]], [*missing[1:], True]
    return [n for n, gap in enumerate(missing) if not gap and before[n] and after[n]]


def _nothing(axes: Axes, look: Theme, why: str) -> None:
    axes.text(0.5, 0.5, why, transform=axes.transAxes, ha="center", va="center", color=look.text, fontsize=9)
