"""The metrics of several runs, for tables and pictures: final values from the history, series as stored here.

A host is asked only for what is not here: of runs that go on, or whose metrics nobody has asked for so far.
What a metric is, and how it comes here, `metrics.py` says.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import jupyter_remote

from .agent.rundir import FINAL_STATES
from .compared import Compared
from .errors import RemoteError
from .many import at_once
from .metric_store import MetricFile
from .metric_table import Series
from .metrics import Metrics

if TYPE_CHECKING:
    from .chosen_runs import Chosen
    from .comparison import Comparison

# By run and metric.
Points = Mapping[tuple[str, str], Series]

# What is read here only to learn what the lines of ended runs say besides their metrics.
MOST_BYTES = 32 << 20


class RunMetrics:
    """What is known of the metrics of runs; what was read once is not read again.

    Args:
        ask: whether hosts may be asked.
        silent: hosts that did not answer before, and are not asked again.
        known: metrics that somebody has read already, by run.
    """

    def __init__(
        self, *, ask: bool, silent: Iterable[str] = (), known: Mapping[str, Metrics] | None = None
    ) -> None:
        self._ask = ask
        self._silent = frozenset(silent)
        self._read: dict[str, Metrics] = dict(known or {})
        self._bytes = 0

    def filled(self, runs: Sequence[Compared]) -> list[Compared]:
        """The runs with their final metrics, and with what their output says of them and never changes.

        Args:
            runs: with what the history has of each.
        """
        self._refresh([run for run in runs if not (run.metrics and run.state in FINAL_STATES)])
        return [self._filled(run) for run in runs]

    def points(self, compared: Comparison, names: Iterable[str]) -> Points:
        """The series of these metrics; a run that has not got one is not in it.

        Args:
            compared: the runs.
            names: of metrics.
        """
        self._refresh([run for run in compared if run.state not in FINAL_STATES or not self._of(run)])
        wanted = list(names)
        found: dict[tuple[str, str], Series] = {}
        for run in compared:
            metrics = self._of(run)
            known = set(metrics.names())
            found |= {(run.id, name): metrics.series(name) for name in wanted if name in known}
        return found

    def _filled(self, run: Compared) -> Compared:
        metrics = self._read.get(run.id)
        if metrics is None:
            if not self._is_cheap(run):
                return run
            metrics = self._of(run)
        finals = metrics.finals() or run.metrics
        # The word of a line `RESULT_NAME` is in the names of its metrics already.
        said = {name: value for name, value in metrics.params().items() if name != "result"}
        return replace(run, metrics=finals, params={**said, **run.params})

    def _is_cheap(self, run: Compared) -> bool:
        try:
            self._bytes += MetricFile(run.id).path.stat().st_size
        except OSError:
            return False
        return self._bytes <= MOST_BYTES

    def _of(self, run: Compared) -> Metrics:
        if run.id not in self._read:
            link = None
            if self._ask and run.host not in self._silent:
                with suppress(RemoteError):  # a host of before, which the configuration knows no more
                    link = jupyter_remote.connect(run.host).link
            self._read[run.id] = Metrics(run.id, link, lambda: run.state in FINAL_STATES)
        return self._read[run.id]

    def _refresh(self, runs: Sequence[Compared]) -> None:
        """Asks the hosts of these runs, all at the same time, each for one run after the other."""
        by_host: dict[str, list[Metrics]] = {}
        for run in runs:
            metrics = self._of(run)
            if self._ask and run.host not in self._silent and not metrics.complete:
                by_host.setdefault(run.host, []).append(metrics)

        def ask(host: str) -> None:
            for metrics in by_host[host]:
                metrics.refresh()
                if metrics.error is not None:
                    return  # the next one would wait for the same host

        if by_host:
            at_once(list(by_host), ask)


def metrics_of(found: Chosen, *, ask: bool) -> RunMetrics:
    """What is known of the metrics of chosen runs; of `Run` objects, what these have read counts.

    Args:
        found: the runs.
        ask: whether hosts may be asked.
    """
    known = {run.id: run.metrics for run in found.objects.values()} if ask else {}
    return RunMetrics(ask=ask, silent=[one.host for one in found.silent], known=known)
