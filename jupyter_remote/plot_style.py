"""How plots look: colours, line styles, text, and a background. No data is touched here.

The colours are of Okabe and Ito's palette ("Color Universal Design", 2008), which people with every kind of
colour blindness tell apart. Black and yellow are left out and the two other light ones are darker here, so
that each has a contrast of 3:1 and more with white and with JupyterLab's dark background (WCAG 2.1, 1.4.11).
A line style, and a marker where there are few points, tell the same once more.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .errors import UsageError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Blue, vermillion, bluish green, reddish purple, orange (darker), sky blue (darker).
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#B07D00", "#3D95CC")
DASHES: tuple[Any, ...] = (
    "-",
    (0, (5, 2)),
    (0, (1.2, 1.5)),
    (0, (6, 2, 1.2, 2)),
    (0, (6, 1.5, 1.2, 1.5, 1.2, 1.5)),
)
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
PLAIN, BEST = COLOURS[0], COLOURS[1]


@dataclass(frozen=True)
class Theme:
    """Background, text and lines of the frame.

    Args:
        background: of the figure; "none" lets the page's own be seen.
        text: of labels and numbers.
        frame: of axes and grid.
    """

    background: str
    text: str
    frame: str


# The grey of `auto` is the one that is equally far from white and from #111111: 4.3:1.
THEMES = {
    "auto": Theme("none", "#7a7a7a", "#8a8a8a"),
    "light": Theme("#ffffff", "#222222", "#777777"),
    "dark": Theme("#111111", "#e0e0e0", "#8a8a8a"),
}


def theme(name: str) -> Theme:
    """The theme of that name.

    Raises:
        UsageError: there is none.
    """
    try:
        return THEMES[name]
    except KeyError:
        raise UsageError(f"there is no theme {name!r}; valid: {', '.join(THEMES)}") from None


def styles() -> Iterator[dict[str, Any]]:
    """Colour, line style and marker of one line after the other; 30 differ without the marker."""
    number = 0
    while True:
        turn = number // len(COLOURS)
        yield {
            "color": COLOURS[number % len(COLOURS)],
            # Neighbours in the list differ in both.
            "linestyle": DASHES[(number + turn) % len(DASHES)],
            "marker": MARKERS[number % len(MARKERS)],
        }
        number += 1


def dress(axes: Axes, look: Theme) -> None:
    """Gives axes their colours, a faint grid, and no box."""
    axes.set_facecolor("none")
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(look.frame)
    axes.tick_params(which="both", color=look.frame, labelcolor=look.text, labelsize=9)
    axes.grid(True, color=look.frame, alpha=0.3, linewidth=0.6)
    axes.set_axisbelow(True)
    for text in (axes.xaxis.label, axes.yaxis.label, axes.title):
        text.set_color(look.text)
        text.set_fontsize(10)
    for axis in (axes.xaxis, axes.yaxis):
        axis.get_offset_text().set_color(look.text)


def words(text: str, longest: int = 60) -> str:
    """A name as a figure can show it: one line, not too long.

    matplotlib leaves out names that begin with an underscore, and takes text between `$` for mathematics; the
    first is prevented here, the second by who draws (`parse_math`).

    Args:
        longest: in characters.
    """
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    line = line if len(line) <= longest else line[: longest - 1] + "…"
    return f" {line}" if line.startswith("_") else line
