"""Metrics and comparisons as documents of rest-api.yml. Used in threads; no link is opened."""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

from .. import pool
from ..comparison import Comparison, compare
from ..hostlink import HostLink
from ..metrics import Metrics
from ..whereabouts import Found
from .models import finite
from .problems import NotFound
from .run_book import document

# Runs whose metrics stay in memory; each has its points.
KEPT = 16
# What one answer may wait for the host.
_PATIENCE_S = 0.5
_FACTS = ("host", "state", "label", "campaign", "step", "exit_code", "seconds", "gpu")


class Curves:
    """The metrics of runs that are looked at."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, tuple[Metrics, HostLink | None]] = OrderedDict()
        self._lock = threading.Lock()

    def document(self, found: Found, points: int, name: str | None) -> dict[str, Any]:
        """``Metrics`` of rest-api.yml.

        Args:
            found: the run.
            points: at most so many of each curve.
            name: only this curve.

        Raises:
            NotFound: there is no such metric.
        """
        metrics = self._of(found)
        names = metrics.names()
        if name is not None and name not in names:
            raise NotFound(
                f"run {found.id} has no metric {name[:200]!r}", hint=f"It has: {', '.join(names[:20])}"
            )
        progress = metrics.progress()
        return {
            "run": found.id,
            "names": names,
            "series": [_series(metrics, one, points) for one in ([name] if name is not None else names)],
            "params": metrics.params(),
            "progress": None if progress is None else _progress(progress),
        }

    def compared(self, founds: Sequence[Found], metric: str | None, points: int) -> dict[str, Any]:
        """``Comparison`` of rest-api.yml."""
        comparison = compare(*[found.id for found in founds], local=True)
        columns, rows = _table(comparison)
        series = []
        for found in founds if metric is not None else ():
            metrics = self._of(found)
            if metric in metrics.names():
                series.append({"run": found.id, **_series(metrics, metric, points)})
        return {
            "runs": [document(run.id) for run in comparison.runs],
            "columns": columns,
            "rows": rows,
            "series": series,
        }

    def _of(self, found: Found) -> Metrics:
        link = link_to(found.host)
        with self._lock:
            metrics, used = self._known.pop(found.id, (None, None))
            if metrics is None or used is not link:
                metrics = Metrics(found.id, link)
            self._known[found.id] = metrics, link
            while len(self._known) > KEPT:
                self._known.popitem(last=False)
        metrics.refresh(connect=False, seconds=_PATIENCE_S)
        return metrics


def link_to(host: str) -> HostLink | None:
    """A link to the host that there is already, one that works before others."""
    links = [link for link in pool.links() if link.host.name == host]
    return next((link for link in links if link.live is not None), links[-1] if links else None)


def _series(metrics: Metrics, name: str, points: int) -> dict[str, Any]:
    series = metrics.series(name, points)
    return {
        "name": series.name,
        "steps": [_number(one) for one in series.steps],
        "times": list(series.times),
        "values": [_number(one) for one in series.values],
    }


def _progress(progress: Any) -> dict[str, Any]:
    return {"fraction": _number(progress.fraction), "text": progress.text}


def _number(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _table(comparison: Comparison) -> tuple[list[dict[str, Any]], list[list[Any]]]:
    params = list(dict.fromkeys(name for run in comparison.runs for name in run.params))
    best = comparison.best
    cells: list[tuple[str, str, list[Any]]] = [
        *((name, "run", [getattr(run, name) for run in comparison.runs]) for name in _FACTS),
        *((name, "parameter", [run.params.get(name) for run in comparison.runs]) for name in params),
        *(
            (name, "metric", [_cell(run.metrics.get(name)) for run in comparison.runs])
            for name in comparison.metrics
        ),
    ]
    columns = [
        {
            "name": name,
            "group": group,
            "differs": any(value != values[0] for value in values),
            "best": list(best.get(name, ())) if group == "metric" else [],
        }
        for name, group, values in cells
    ]
    rows = [[values[number] for _, _, values in cells] for number in range(len(comparison.runs))]
    return columns, rows


def _cell(value: float | None) -> float | str | None:
    return None if value is None else finite(value)
