"""The looks that all widgets share, as HTML text: states, meters, sparklines, tables, and their style sheet.

Pure: values in, text out. Colours are those of JupyterLab's theme where there is one, and follow its dark
themes. A state is told by its mark and its word, never by its colour alone; the colours are those of Okabe
and Ito ("Color Universal Design", 2008), which people who see red and green alike can tell apart. Without the
style sheet (GitHub takes it away) there remain tables with words and numbers.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from html import escape

# State -> mark, tone. Those of a run, then those of a host, then those of both.
STATES = {
    "queued": ("◌", "quiet"),
    "starting": ("◔", "busy"),
    "running": ("●", "busy"),
    "finished": ("✓", "good"),
    "failed": ("✗", "bad"),
    "stopped": ("■", "quiet"),
    "lost": ("?", "warn"),
    "ready": ("✓", "good"),
    "connecting": ("◔", "busy"),
    "unreachable": ("✗", "bad"),
    "off": ("■", "quiet"),
    "not asked": ("·", "quiet"),
    "paused": ("‖", "quiet"),
}
# For what isn't among them.
_OTHER = ("·", "quiet")

# From these fractions on a meter is nearly full, and full.
_HIGH, _FULL = 0.75, 0.92

STYLE = """<style>
.jr-box { --jr-good: #007a5a; --jr-busy: #0072b2; --jr-warn: #a86400; --jr-bad: #c04a00; --jr-quiet: #6b6b6b;
  --jr-track: var(--jp-layout-color3, #d9d9d9); --jr-line: var(--jp-border-color2, #d9d9d9);
  color: var(--jp-ui-font-color1, inherit); font-family: var(--jp-ui-font-family, sans-serif);
  font-size: var(--jp-ui-font-size1, 13px); line-height: 1.4; padding-bottom: 4px; }
[data-jp-theme-light="false"] .jr-box { --jr-good: #3ec99d; --jr-busy: #56b4e9; --jr-warn: #f0b440;
  --jr-bad: #ff8a50; --jr-quiet: #a6a6a6; }
.jr-box table.jr-table { border-collapse: collapse; margin: 0; border: none;
  color: inherit; font-size: inherit; table-layout: auto; }
.jr-box .jr-table th { white-space: nowrap; font-weight: 600; color: var(--jp-ui-font-color2, inherit); }
.jr-box .jr-table th, .jr-box .jr-table td { padding: 2px 14px 2px 0; border: none; vertical-align: middle;
  text-align: left; background: none; max-width: 44em; }
.jr-box .jr-table tbody tr { background: none; border-top: 1px solid var(--jr-line); }
.jr-box .jr-table .jr-number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.jr-state i { font-style: normal; display: inline-block; width: 1.2em; }
.jr-good { color: var(--jr-good); } .jr-busy { color: var(--jr-busy); } .jr-warn { color: var(--jr-warn); }
.jr-bad { color: var(--jr-bad); } .jr-quiet { color: var(--jr-quiet); }
.jr-state { color: inherit; } .jr-state i.jr-quiet { color: var(--jr-quiet); }
.jr-meter { display: inline-block; vertical-align: middle; width: 7em; height: 0.7em; border-radius: 2px;
  background: var(--jr-track); overflow: hidden; margin-right: 0.5em; }
.jr-meter > span { display: block; height: 100%; background: var(--jr-busy); }
.jr-meter > span.jr-high { background: var(--jr-warn); }
.jr-meter > span.jr-full { background: var(--jr-bad); }
.jr-gauge { white-space: nowrap; } .jr-words { font-variant-numeric: tabular-nums; white-space: nowrap; }
.jr-spark { vertical-align: middle; }
.jr-spark path { fill: none; stroke: var(--jr-busy); stroke-width: 1.2; }
.jr-spark rect { fill: var(--jr-track); opacity: 0.35; }
.jr-title { font-weight: 600; margin-right: 0.8em; } .jr-small { color: var(--jp-ui-font-color2, inherit); }
.jr-gone .jr-fades { opacity: 0.42; filter: grayscale(1); }
</style>"""


class Html(str):
    """Text that is HTML already, and is not escaped again."""


def escaped(value: object) -> Html:
    """Return a value as HTML; "" for None."""
    if isinstance(value, Html):
        return value
    return Html("" if value is None else escape(str(value)))


def box(*parts: object, gone: bool = False) -> Html:
    """Return the parts in the element that the style sheet is for.

    Args:
        parts: HTML, or text.
        gone: what is marked to fade is grey.
    """
    return Html(f'<div class="jr-box{" jr-gone" if gone else ""}">{"".join(map(escaped, parts))}</div>')


def mark_of(state: str) -> str:
    """Return the mark of a state, e.g. for an option of a list, which takes no HTML."""
    return STATES.get(state, _OTHER)[0]


def state_html(state: str, more: str = "") -> Html:
    """Return a state as its mark in colour and its word, and what else is to be said of it."""
    mark, tone = STATES.get(state, _OTHER)
    words = f"{state}: {more}" if more else state
    return Html(f'<span class="jr-state"><i class="jr-{tone}">{mark}</i>{escape(words)}</span>')


def meter(fraction: float | None, words: str, name: str = "", *, fills: bool = False) -> Html:
    """Return a bar that is so full, with the words beside it; the words alone when it can't be told.

    Args:
        fraction: from 0 to 1; what is beyond is taken as the end.
        words: what it says, with its unit.
        name: of what is measured, for who hears the page read.
        fills: it is no good when it is full, as a disk.
    """
    beside = f'<span class="jr-words">{escape(words)}</span>'
    if fraction is None or not math.isfinite(fraction):
        return Html(beside)
    share = min(1.0, max(0.0, fraction))
    tone = _tone(share) if fills else "jr-some"
    return Html(
        f'<span class="jr-gauge"><span class="jr-meter" role="meter" aria-label="{escape(name or words)}" '
        f'aria-valuemin="0" aria-valuemax="100" aria-valuenow="{100 * share:.0f}"><span class="{tone}" '
        f'style="width:{100 * share:.0f}%"></span></span>{beside}</span>'
    )


def _tone(share: float) -> str:
    return "jr-full" if share >= _FULL else "jr-high" if share >= _HIGH else "jr-some"


def sparkline(
    points: Iterable[tuple[float, float | None]],
    span: tuple[float, float],
    top: float = 1.0,
    *,
    name: str = "",
    width: int = 120,
    height: int = 18,
) -> Html:
    """Return a small curve as SVG; None and NaN leave a gap.

    Args:
        points: x and y, in order of x.
        span: the x of the left and of the right edge.
        top: the y of the upper edge; the lower one is 0.
        name: what it shows.
        width: in pixels.
        height: in pixels.
    """
    left, right = span
    scale = width / ((right - left) or 1.0)
    path, pen = [], "M"
    for x, y in points:
        if y is None or not math.isfinite(y):
            pen = "M"
            continue
        down = height - 1 - (height - 2) * min(1.0, max(0.0, y / (top or 1.0)))
        path.append(f"{pen}{(x - left) * scale:.0f} {down:.0f}")
        pen = "L"
    return Html(
        f'<svg class="jr-spark" role="img" aria-label="{escape(name)}" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}"><rect width="{width}" height="{height}"/>'
        f'<path d="{"".join(path)}"/></svg>'
    )


def table_html(
    columns: Sequence[str], rows: Iterable[Sequence[object]], numbers: Collection[int] = ()
) -> Html:
    """Return a table; cells are escaped unless they are `Html`, and short rows are filled.

    Args:
        columns: the headings.
        rows: of cells.
        numbers: the columns whose cells stand at the right.
    """

    def cell(tag: str, column: int, value: object) -> str:
        kind = ' class="jr-number"' if column in numbers else ""
        return f"<{tag}{kind}>{escaped(value)}</{tag}>"

    def row(tag: str, cells: Sequence[object]) -> str:
        filled = [*cells, *[""] * (len(columns) - len(cells))]
        return f"<tr>{''.join(cell(tag, number, one) for number, one in enumerate(filled))}</tr>"

    head = f"<thead>{row('th', columns)}</thead>"
    body = f"<tbody>{''.join(row('td', one) for one in rows)}</tbody>"
    return Html(f'<table class="jr-table">{head}{body}</table>')
