"""`plot`: metrics of runs as a matplotlib figure: lines by step or time, bars of what came out.

Which runs are meant and what their metrics are is found by `comparison.py` and `run_metrics.py`; the figure
is made in `plot_figure.py`. There is no pyplot here, so no figure is kept alive and none appears by itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import plot_style
from .comparison import Comparison, Names, compare, matching
from .errors import UsageError
from .plot_figure import MOST_METRICS, Drawing, facets_of, picture
from .values import written_to

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from .run_metrics import Points

__all__ = ["MOST_METRICS", "check_path", "draw", "picture", "plot", "save"]

KINDS = ("auto", "line", "bar")
XS = ("step", "time")
SUFFIXES = (".png", ".svg", ".pdf")


def plot(
    *runs: object,
    campaign: str | None = None,
    metric: Names = None,
    x: str = "step",
    by: str | None = None,
    kind: str = "auto",
    best: Names = None,
    theme: str = "auto",
    log: bool = False,
    local: bool = False,
) -> Figure:
    """Draws metrics of runs.

    Args:
        runs, campaign, metric, best, local: as of :func:`jupyter_remote.compare`.
        x: ``step``, or ``time``: since each run's start, by its host's clock.
        by: a panel for each value of this: ``host``, or the name of a parameter.
        kind: ``line``, ``bar`` (of the last values), or ``auto``: lines where a run has more than one value.
        theme: ``auto`` has no background, and text that light and dark pages show; or ``light``, ``dark``.
        log: a logarithmic axis.

    Returns:
        A figure that a notebook shows, and that `save` or its own `savefig` write. pyplot does not know it.

    Raises:
        UsageError: a run, a metric or a parameter is not there, or a word is none of the valid ones.
        HistoryError: the local history can't be read.
    """
    compared = compare(*runs, campaign=campaign, best=best, local=local)
    return draw(compared, metric, x=x, by=by, kind=kind, theme=theme, log=log)


def draw(
    compared: Comparison,
    metric: Names = None,
    *,
    x: str = "step",
    by: str | None = None,
    kind: str = "auto",
    theme: str = "auto",
    log: bool = False,
    points: Points | None = None,
) -> Figure:
    """Draws a comparison; the arguments are those of :func:`plot`.

    Args:
        x, by, kind, theme, log: as of :func:`plot`.
        points: the series by run and metric, where they are known already.

    Raises:
        UsageError: a metric or a parameter is not there, or a word is none of the valid ones.
    """
    _check("x", x, XS)
    _check("kind", kind, KINDS)
    look = plot_style.theme(theme)
    names = matching(compared.metrics, metric)
    if not names:
        raise UsageError("there is nothing to draw: no metrics are known of these runs")
    facets = facets_of([run for run in compared if any(name in run.metrics for name in names)], by)
    if points is None:
        from .run_metrics import RunMetrics

        reader = compared.reader or RunMetrics(ask=False)
        points = reader.points(compared, names[:MOST_METRICS])
    return Drawing(compared, names, facets, points, x, by, kind, look, log).figure()


def save(figure: Figure, path: str | Path) -> Path:
    """Writes a figure; returns where it is.

    Args:
        figure: of :func:`plot`.
        path: ends with ``.png``, ``.svg`` or ``.pdf``, which says what is written.

    Raises:
        UsageError: it ends otherwise, or can't be written.
    """
    to = check_path(path)
    # Without a date two equal pictures are equal files.
    date: dict[str, Any] = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}.get(to.suffix.lower(), {})
    try:
        figure.savefig(to, metadata=date, dpi=160)
    except OSError as error:
        raise UsageError(f"can't write {to}: {error.strerror}") from None
    return to


def check_path(path: str | Path) -> Path:
    """Where a picture is to go; see `values.written_to`."""
    return written_to(path, "draw into", SUFFIXES)


def _check(what: str, word: str, valid: Iterable[str]) -> None:
    if word not in valid:
        raise UsageError(f"{what} can't be {word!r}; valid: {', '.join(valid)}")
