"""One figure: which panels it has, how large, with which names. A panel is drawn by `plot_axes.py`."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .errors import UsageError
from .plot_axes import Curve, bars, lines, unit
from .plot_style import Theme, styles, words

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from .compared import Compared
    from .comparison import Comparison
    from .metric_table import Series
    from .run_metrics import Points

# More of each would be too small to read; what is left out is said.
MOST_METRICS, MOST_FACETS, MOST_NAMED = 12, 9, 40
# Inches of a panel; and of the legend: letters of a name, names in one column.
_WIDE, _HIGH = 4.4, 2.9
_LONGEST_NAME, _ONE_COLUMN = 40, 18


class Drawing:
    """A figure to be: a row of panels for each metric, or with facets a column for each of those."""

    def __init__(
        self,
        compared: Comparison,
        names: Sequence[str],
        facets: Mapping[str, Sequence[Compared]],
        series: Points,
        x: str,
        by: str | None,
        kind: str,
        look: Theme,
        log: bool,
    ) -> None:
        self.compared, self.names, self.facets, self.series = compared, names[:MOST_METRICS], facets, series
        self.left_out = names[MOST_METRICS:]
        self.x, self.by, self.kind, self.look, self.log = x, by, kind, look, log
        self.titles = compared.titles
        self.styles = dict(zip((run.id for run in compared), styles(), strict=False))
        self.best = compared.best

    def figure(self) -> Figure:
        """Draws it all."""
        kinds = {name: self._kind(name) for name in self.names}
        columns = len(self.facets) if self.by else min(len(self.names), 2)
        rows = len(self.names) if self.by else math.ceil(len(self.names) / columns)
        bars_high = max(1.6, 0.8 + 0.26 * max(len(runs) for runs in self.facets.values()))
        single = rows == columns == 1
        line_high = 4.2 if single else _HIGH
        high = []
        for row in range(rows):
            here = {kinds[name] for name in self._row(row, columns)}
            high.append(max([line_high] * ("line" in here) + [bars_high] * ("bar" in here)))
        wide = 7.0 if columns == 1 else _WIDE * columns
        figure = _figure(wide + self._legend_wide(kinds), sum(high), self.look)
        grid = figure.add_gridspec(rows, columns, height_ratios=high)
        handles: dict[str, Any] = {}
        for row, name in enumerate(self.names):
            first: Axes | None = None
            for column, (value, runs) in enumerate(self.facets.items()):
                place: tuple[Any, Any] = (row, column) if self.by else divmod(row, columns)
                if not self.by and row == len(self.names) - 1:
                    place = (place[0], slice(place[1], None))  # the last one may be alone in its row
                axes = figure.add_subplot(grid[place], **self._shared(first, kinds[name]))
                first = first or axes
                handles |= self._panel(axes, name, runs, kinds[name])
                if self.by:
                    axes.set_title(
                        words(f"{self.by} = {value}"), color=self.look.text, fontsize=10, parse_math=False
                    )
        self._legend(figure, handles)
        if self.left_out:
            told = f"not drawn: {', '.join(self.left_out)}"
            figure.text(
                0.01, 0.002, words(told, 120), color=self.look.text, fontsize=8, va="bottom", parse_math=False
            )
        return figure

    def _row(self, row: int, columns: int) -> Sequence[str]:
        return [self.names[row]] if self.by else self.names[row * columns : (row + 1) * columns]

    def _shared(self, first: Axes | None, kind: str) -> dict[str, Axes]:
        if first is None:
            return {}
        return {"sharex": first} if kind == "bar" else {"sharex": first, "sharey": first}

    def _kind(self, name: str) -> str:
        if self.kind != "auto":
            return self.kind
        long = any(len(self.series[key].values) > 1 for key in self.series if key[1] == name)
        return "line" if long else "bar"

    def _panel(self, axes: Axes, name: str, runs: Sequence[Compared], kind: str) -> dict[str, Any]:
        if kind == "bar":
            values = {run.id: run.metrics[name] for run in runs if name in run.metrics}
            among = [
                run.metrics[name] for some in self.facets.values() for run in some if name in run.metrics
            ]
            best = self.best.get(name, ())
            bars(axes, values, self.titles, best, self.look, among=among, log=self.log)
            axes.set_xlabel(unit(name), parse_math=False)
            return {}
        kept = {run.id: self.series[run.id, name] for run in runs if (run.id, name) in self.series}
        starts = {run.id: run.started for run in runs}
        label, scale = self._axis(kept, starts)
        curves = [Curve(run, self._x(one, starts[run], scale), one.values) for run, one in kept.items()]
        drawn = lines(axes, curves, self.styles, self.look, log=self.log, whole=self._whole(name))
        axes.set_xlabel(label, parse_math=False)
        axes.set_ylabel(unit(name), parse_math=False)
        return {str(line.get_label()): line for line in drawn}

    def _axis(self, kept: Mapping[str, Series], starts: Mapping[str, float | None]) -> tuple[str, float]:
        if self.x == "step":
            return "step", 1.0
        longest = max((max(_since(one, starts[run]), default=0.0) for run, one in kept.items()), default=0.0)
        for most, name, seconds in ((300.0, "s", 1.0), (3 * 3600.0, "min", 60.0), (4 * 86400.0, "h", 3600.0)):
            if longest <= most:
                return f"time since the start ({name})", seconds
        return "time since the start (d)", 86400.0

    def _whole(self, name: str) -> bool:
        """Whether all steps of a metric are whole numbers, in all panels: these share an axis."""
        steps = [one.steps for (_, metric), one in self.series.items() if metric == name]
        return self.x == "step" and all(float(step).is_integer() for some in steps for step in some)

    def _x(self, one: Series, started: float | None, scale: float) -> Sequence[float]:
        if self.x == "time":
            return [seconds / scale for seconds in _since(one, started)]
        return one.steps

    def _legend_wide(self, kinds: Mapping[str, str]) -> float:
        """Inches that the legend takes, about: the panels are not to be the narrower for it."""
        if len(self.compared) < 2 or "line" not in kinds.values():
            return 0.0
        longest = max(len(words(title, _LONGEST_NAME)) for title in self.titles.values())
        return (0.7 + 0.075 * longest) * (1 if len(self.compared) <= _ONE_COLUMN else 2)

    def _legend(self, figure: Figure, handles: Mapping[str, Any]) -> None:
        if len(self.compared) < 2 or not handles:
            return
        named = [*handles.items()][:MOST_NAMED]
        labels = [words(self.titles[run], _LONGEST_NAME) for run, _ in named]
        legend = figure.legend(
            [line for _, line in named],
            labels,
            loc="outside right upper",
            ncols=1 if len(named) <= _ONE_COLUMN else 2,
            frameon=False,
            fontsize=8.5,
            labelcolor=self.look.text,
            handlelength=3.2,
            title=f"and {len(handles) - len(named)} more" if len(handles) > len(named) else None,
        )
        legend.get_title().set(color=self.look.text, fontsize=8.5)
        for text in legend.get_texts():
            text.set_parse_math(False)


def facets_of(compared: Sequence[Compared], by: str | None) -> dict[str, list[Compared]]:
    """The runs by the value of a parameter, in order; all under "" when there is none."""
    if by is None:
        return {"": list(compared)}
    known = [*dict.fromkeys(name for run in compared for name in run.params)]
    if by != "host" and by not in known:
        from .parsing import unknown

        raise unknown("parameter", by, "these runs", ["host", *known])
    found: dict[str, list[Compared]] = {}
    for run in compared:
        found.setdefault(run.host if by == "host" else run.params.get(by, "(none)"), []).append(run)
    if len(found) > MOST_FACETS:
        raise UsageError(
            f"{by} has {len(found)} values in these runs; at most {MOST_FACETS} panels are drawn side by side"
        )
    return dict(sorted(found.items(), key=lambda pair: _natural(pair[0])))


def picture(figure: Figure, kind: str = "png", dpi: int = 110) -> bytes:
    """A figure as bytes of a file of that kind.

    Args:
        dpi: dots per inch.
    """
    into = io.BytesIO()
    figure.savefig(into, format=kind, dpi=dpi, metadata={"Date": None} if kind == "svg" else None)
    return into.getvalue()


def _natural(value: str) -> tuple[int, float, str]:
    try:
        return 0, float(value), value
    except ValueError:
        return 1, 0.0, value


def _since(one: Series, started: float | None) -> list[float]:
    """Seconds since the start; since the first value where the start is not known, or later than that."""
    first = min(one.times, default=0.0)
    start = started if started is not None and started <= first else first
    return [moment - start for moment in one.times]


def _figure(wide: float, high: float, look: Theme) -> Figure:
    """An empty figure that a notebook shows by itself, also where pyplot was never imported."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    class Plot(Figure):
        """IPython asks it for its picture."""

        def _repr_png_(self) -> tuple[bytes, dict[str, int]]:
            wide, high = self.get_size_inches()
            return picture(self, dpi=200), {"width": round(wide * 100), "height": round(high * 100)}

    figure = Plot(figsize=(wide, high), layout="constrained", facecolor=look.background, edgecolor="none")
    FigureCanvasAgg(figure)
    return figure
