"""How a comparison looks: as text, as HTML, as a document. What is compared is decided in `comparison.py`."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import TYPE_CHECKING, Any

from . import better
from .durations import format_duration
from .tables import table_text, table_width, terminal_width

if TYPE_CHECKING:
    from .compared import Compared
    from .comparison import Comparison

MARK = "*"
# What of a parameter is shown: a path can be long.
_LONGEST = 40

_STYLE = (
    "<style>.jr-compare{border-collapse:collapse;font-variant-numeric:tabular-nums}"
    ".jr-compare th,.jr-compare td{padding:.2em .7em;text-align:left;white-space:nowrap;"
    "border-bottom:1px solid rgba(127,127,127,.3)}"
    ".jr-compare td.n,.jr-compare th.n{text-align:right}"
    ".jr-compare td.best{font-weight:bold;background:rgba(0,158,115,.18)}"
    ".jr-compare code{background:none}</style>"
)


def number(value: float) -> str:
    """A metric's value for a reader: six digits that count."""
    return f"{value:.6g}"


def text(comparison: Comparison) -> str:
    """The table as plain text, and a line for what has to be known besides; the best values have a star.

    A table that is too wide for the place it is shown in has a column for each run, where that helps.
    """
    columns, rows = table(comparison)
    width = terminal_width()
    if table_width(columns, rows) > width:
        turned = [*zip(columns, *rows, strict=True)]
        if len(comparison) > 1 and table_width(turned[0], turned[1:]) <= width:
            columns, rows = turned[0], turned[1:]
    return "\n".join([table_text(columns, rows), *notes(comparison)])


def table(comparison: Comparison) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Titles and rows; columns in which nothing stands are left out."""
    params, best = comparison.params, comparison.best
    columns = ("RUN", *_FACTS, *map(_short, params), *map(_short, comparison.metrics))
    rows = []
    for run in comparison:
        facts = _facts(run)
        cells = [_metric(run, name, best[name]) for name in comparison.metrics]
        rows.append((run.id, *facts.values(), *(_short(run.params.get(name, "")) for name in params), *cells))
    kept = [n for n in range(len(columns)) if any(row[n] for row in rows)]
    return tuple(columns[n] for n in kept), [tuple(row[n] for n in kept) for row in rows]


def notes(comparison: Comparison) -> list[str]:
    """What has to be said below the table."""
    lines = []
    best = comparison.best
    if marked := [name for name in comparison.metrics if best[name]]:
        ways = [f"{_short(name)} ({better.of(name, comparison.said)})" for name in marked]
        lines.append(f"{MARK} best: {', '.join(ways)}")
    unclear = [
        _short(name)
        for name in comparison.metrics
        if better.of(name, comparison.said) is None
        and len({run.metrics[name] for run in comparison if name in run.metrics}) > 1
    ]
    if unclear:
        lines.append(f"not marked: {', '.join(unclear)}; --best NAME=min or NAME=max says what is better")
    if not comparison.metrics:
        lines.append("no metrics are known of these runs (docs/metrics.md says what counts as one)")
    lines += [
        f"{one.host}: {one.error.message}; its runs are as they were when last seen"
        for one in comparison.silent
    ]
    return lines


def html(comparison: Comparison) -> str:
    """The table for a notebook; colours are such that light and dark themes can be read."""
    params, best = comparison.params, comparison.best
    facts = [name for name in _FACTS if any(_facts(run)[name] for run in comparison)]
    head = [*(_th(name.lower()) for name in ("run", *facts)), *(_th(name) for name in params)]
    head += [_th(name, "n") for name in comparison.metrics]
    rows = []
    for run in comparison:
        cells = [f"<td><code>{escape(run.id)}</code></td>"]
        cells += [f"<td>{escape(_facts(run)[name])}</td>" for name in facts]
        cells += [f"<td>{escape(_short(run.params.get(name, '')))}</td>" for name in params]
        for name in comparison.metrics:
            kind = "n best" if run.id in best[name] else "n"
            cells.append(f'<td class="{kind}">{escape(_metric(run, name, best[name]))}</td>')
        rows.append(f"<tr>{''.join(cells)}</tr>")
    below = "".join(f"<div><small>{escape(line)}</small></div>" for line in notes(comparison))
    return (
        f'{_STYLE}<div style="overflow-x:auto"><table class="jr-compare">'
        f"<thead><tr>{''.join(head)}</tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table></div>{below}"
    )


def document(comparison: Comparison) -> dict[str, Any]:
    """See `Comparison.document`."""
    from .metrics import plain

    best = comparison.best
    return {
        "runs": [
            {
                "id": run.id,
                **{
                    key: getattr(run, key) or None
                    for key in ("host", "state", "label", "campaign", "step", "group")
                },
                **{key: getattr(run, key) for key in ("exit_code", "started", "seconds")},
                "gpu": run.gpu or None,
                "params": dict(run.params),
                "metrics": {n: plain(run.metrics[n]) for n in comparison.metrics if n in run.metrics},
            }
            for run in comparison
        ],
        "metrics": [
            {"name": name, "better": better.of(name, comparison.said), "best": list(best[name])}
            for name in comparison.metrics
        ],
        "differs": comparison.params,
        "unreachable": [{"host": one.host, "error": one.error.message} for one in comparison.silent],
    }


_FACTS = ("LABEL", "HOST", "STATE", "WALL", "GPU")


def _facts(run: Compared) -> dict[str, str]:
    wall = "" if run.seconds is None else format_duration(run.seconds)
    return dict(zip(_FACTS, map(_short, (run.label, run.host, run.state, wall, run.gpu)), strict=True))


def _metric(run: Compared, name: str, best: Iterable[str]) -> str:
    if name not in run.metrics:
        return ""
    return f"{number(run.metrics[name])} {MARK}" if run.id in best else number(run.metrics[name])


def _short(value: str) -> str:
    value = "".join(one if one.isprintable() else "·" for one in value)
    return value if len(value) <= _LONGEST else f"{value[: _LONGEST - 1]}…"


def _th(name: str, kind: str = "") -> str:
    return f'<th class="{kind}">{escape(name)}</th>' if kind else f"<th>{escape(name)}</th>"
