"""What a report says of several runs before each has its section: states of steps, the table, pictures.

Nothing is asked here; what is said of one run, is said in `report_run.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .comparison import Comparison
from .report_blocks import Block, Heading, Picture, Table, Text

if TYPE_CHECKING:
    from .compared import Compared
    from .metric_table import Series
    from .report_sources import Told
    from .run_metrics import Points

# State and exit code, by step and host.
States = dict[tuple[str, str], tuple[str, int | None]]


def blocks(
    title: str,
    comparison: Comparison,
    told: Sequence[Told],
    points: Points,
    states: States | None,
    facts: Mapping[str, Mapping[str, Any]],
) -> Iterator[Block]:
    """The parts of a report.

    Args:
        title: of the whole.
        comparison: the runs.
        told: what is known of each.
        points: their metrics.
        states: how each goes on, where that is known.
        facts: of hosts, by name.
    """
    from .report_run import blocks_of

    single = len(comparison) == 1
    if not single:
        yield Heading(1, title)
        if states is not None:
            yield Heading(2, "States")
            yield matrix(states)
        yield from _side_by_side(comparison, points)
    for one in told:
        run = one.run
        spans = {
            name: _span(run, name, points.get((run.id, name)))
            for name in comparison.metrics
            if name in run.metrics
        }
        alone = Comparison((run,), tuple(spans))
        pictures = _drawn(alone, points, "metrics of the run")
        heading = title if single else comparison.titles[run.id]
        yield from blocks_of(one, spans, pictures, heading, 1 if single else 2, facts.get(run.host, {}))


def matrix(states: States) -> Table:
    """Steps and hosts, with the state of each step on each host.

    Args:
        states: state and exit code by step and host.
    """
    hosts = [*dict.fromkeys(host for _, host in states)]
    steps = [*dict.fromkeys(step for step, _ in states)]
    rows = tuple(
        (step, *(_state(*states[step, host]) if (step, host) in states else "" for host in hosts))
        for step in steps
    )
    return Table(("step", *hosts), rows)


def _state(state: str, exit_code: int | None) -> str:
    mark = {"finished": "✓ ", "failed": "✗ ", "stopped": "■ ", "lost": "? "}.get(state, "")
    return f"{mark}{state}{f' ({exit_code})' if exit_code else ''}"


def _side_by_side(comparison: Comparison, points: Points) -> Iterator[Block]:
    from .comparison_looks import notes, table

    yield Heading(2, "Side by side")
    columns, rows = table(comparison)
    strong = {
        (number, at)
        for number, cells in enumerate(rows)
        for at, cell in enumerate(cells)
        if columns[at] in comparison.metrics and cell.endswith(" *")
    }
    yield Table(columns, tuple(rows), frozenset(strong))
    for line in notes(comparison):
        yield Text(line)
    yield from _drawn(comparison, points, "metrics of all runs")


def _drawn(comparison: Comparison, points: Points, caption: str) -> list[Picture]:
    """The metrics as pictures, in one that has lines and one that has bars; no bars for one run."""
    from .plots import MOST_METRICS, draw, picture

    long = [
        n for n in comparison.metrics if any(len(points[key].values) > 1 for key in points if key[1] == n)
    ]
    long = [n for n in long if any((run.id, n) in points for run in comparison)]
    # Bars that are all as long as each other, or one alone, say no more than the table.
    short = [n for n in comparison.metrics if n not in long and len(_values(comparison, n)) > 1]
    made = []
    for names in (long[:MOST_METRICS], short[:MOST_METRICS]):
        if names:
            figure = draw(comparison, names, theme="auto", points=points)
            named = f"{caption}: {', '.join(names)}"
            made.append(Picture(named, picture(figure, "png", 150), "image/png"))
    return made


def _values(comparison: Comparison, name: str) -> set[float]:
    return {run.metrics[name] for run in comparison if name in run.metrics}


def _span(run: Compared, name: str, points: Series | None) -> tuple[float, float, float]:
    last = run.metrics[name]
    values = [value for value in (points.values if points is not None else ()) if value == value] or [last]
    return last, min(values), max(values)
