"""Runs with metrics, made by hand, for the tests of tables and pictures."""

from __future__ import annotations

import math
from typing import Any

from jupyter_remote.compared import Compared
from jupyter_remote.comparison import Comparison
from jupyter_remote.metric_table import Series


def run_id(number: int) -> str:
    return f"20261122-01{number // 60:02d}{number % 60:02d}-7f3a"


def made(number: int = 0, **fields: Any) -> Compared:
    fields = {"host": f"dgx0{number % 3 + 1}", "started": 1000.0, "seconds": 62.5, **fields}
    return Compared(run_id(number), state="finished", **fields)


def curves(count: int, steps: int = 10) -> tuple[Comparison, dict[tuple[str, str], Series]]:
    """Runs whose loss falls and accuracy rises, the second with gaps; and a time that each has once."""
    runs, points = [], {}
    for number in range(count):
        losses = [2.5 * math.exp(-step / (4 + number)) for step in range(steps)]
        if number == 1:
            losses[3] = losses[5] = math.nan
        series = {"val_loss": losses, "accuracy": [1 - loss / 3 for loss in losses]}
        metrics = {name: values[-1] for name, values in series.items()} | {"epoch_time_s": 2.0 + number}
        params = {"lr": ("0.1", "0.01", "0.001")[number % 3], "seed": str(number // 3)}
        run = made(number, params=params, metrics=metrics)
        runs.append(run)
        for name, values in series.items():
            times = [1000.0 + 30 * step for step in range(steps)]
            points[run.id, name] = Series(name, [10.0 * step for step in range(steps)], times, values)
    return Comparison(tuple(runs), ("val_loss", "accuracy", "epoch_time_s")), points
