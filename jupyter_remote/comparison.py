"""`compare`: runs side by side, with their final metrics, what they were given, and which is best in what.

Which runs are meant is found in `chosen_runs.py`; how the table looks, in
`comparison_looks.py`; how it is drawn, in `plots.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from . import better
from .compared import Compared, differing, of_row, titles
from .errors import UsageError

if TYPE_CHECKING:
    import pandas
    from matplotlib.figure import Figure

    from .run_metrics import RunMetrics
    from .runs import Unreachable

Names = str | Iterable[str] | None


@dataclass(frozen=True)
class Comparison:
    """Several runs, side by side; a sequence of `Compared`.

    Shown as a table: HTML in a notebook, text elsewhere.

    Args:
        runs: in the order in which they were named.
        metrics: the names of those that are shown, in order of appearance.
        said: what better means, where the names don't tell: by metric, "" for all; see `better.parse`.
        silent: the hosts that could not be asked; their runs are as they were when last seen.
        reader: where the series of the metrics are read; None for a new one.
    """

    runs: tuple[Compared, ...]
    metrics: tuple[str, ...]
    said: Mapping[str, str] = field(default_factory=dict)
    silent: tuple[Unreachable, ...] = ()
    reader: RunMetrics | None = field(default=None, compare=False)

    def __len__(self) -> int:
        return len(self.runs)

    def __iter__(self) -> Iterator[Compared]:
        return iter(self.runs)

    def __getitem__(self, number: int) -> Compared:
        return self.runs[number]

    @property
    def params(self) -> list[str]:
        """The names of the parameters that are not the same in all runs."""
        return differing(self.runs)

    @property
    def titles(self) -> dict[str, str]:
        """A short name for each run, by its id."""
        return titles(self.runs)

    @property
    def best(self) -> dict[str, tuple[str, ...]]:
        """The ids of the best runs by metric; none where nobody knows what is better, or all are equal."""
        return {
            name: better.best(
                {run.id: run.metrics[name] for run in self.runs if name in run.metrics},
                better.of(name, self.said),
            )
            for name in self.metrics
        }

    def records(self) -> list[dict[str, Any]]:
        """One flat mapping for each run: its facts, then parameters, then metrics (NaN where it has none).

        A parameter that has the name of a fact or of a metric is called ``param.NAME``.
        """
        params = dict.fromkeys(name for run in self.runs for name in run.params)
        taken = {*_FACTS, *self.metrics}
        return [
            {
                **{key: getattr(run, key) for key in _FACTS},
                **{f"param.{p}" if p in taken else p: run.params.get(p) for p in params},
                **{name: run.metrics.get(name, float("nan")) for name in self.metrics},
            }
            for run in self.runs
        ]

    def to_pandas(self) -> pandas.DataFrame:
        """A data frame, a row for each run with its id as the index.

        Raises:
            UsageError: pandas is not installed.
        """
        try:
            import pandas
        except ImportError:
            raise UsageError(
                "there is no pandas here", hint="`pip install pandas`, or take .records()."
            ) from None
        return pandas.DataFrame(self.records()).set_index("id")

    def plot(self, metric: Names = None, **how: Any) -> Figure:
        """A picture of these runs.

        Args:
            metric: which metrics are drawn, one or several; None for those that most of the runs have.
            how: the other arguments of `plots.plot`, by their names.
        """
        from .plots import draw

        return draw(self, metric, **how)

    def document(self) -> dict[str, Any]:
        """All of it for JSON; what no JSON number is, is a text: ``nan``, ``inf``, ``-inf``."""
        from .comparison_looks import document

        return document(self)

    def __repr__(self) -> str:
        from .comparison_looks import text

        return text(self)

    def _repr_html_(self) -> str:
        from .comparison_looks import html

        return html(self)


_FACTS = ("id", "host", "state", "label", "campaign", "step", "exit_code", "started", "seconds", "gpu")


def compare(
    *runs: object,
    campaign: str | None = None,
    metric: Names = None,
    best: Names = None,
    local: bool = False,
) -> Comparison:
    """Puts runs side by side.

    Args:
        runs: ids or unique beginnings of them, `Run` objects, groups (``g20261122-014500-7f3a``: the runs of
            one cell on several hosts), or lists and mappings of these, like `_run` of a notebook.
        campaign: all steps of this campaign; of several that had this name the newest, an older one by its id
            or by that of one of its runs.
        metric: only these metrics; `*` and `?` stand for any letters, as in file names.
        best: ``min`` or ``max``, or ``NAME=min`` for one metric, where its name doesn't tell what is better.
        local: ask no host: the runs as they were when last seen.

    Raises:
        UsageError: a run, a campaign or a metric is not there.
        HistoryError: the local history can't be read.
    """
    from .chosen_runs import chosen
    from .run_metrics import metrics_of

    said = better.parse(_listed(best))
    found = chosen(runs, campaign, ask=not local)
    metrics = metrics_of(found, ask=not local)
    compared = metrics.filled([of_row(row, found.gpus.get(row["id"], "")) for row in found.rows])
    names = tuple(_wanted(compared, metric))
    return Comparison(tuple(compared), names, said, tuple(found.silent), metrics)


def matching(names: Sequence[str], wanted: Names) -> list[str]:
    """The names that are wanted, in the order of the wishes; all when there is no wish.

    Raises:
        UsageError: nothing matches one of the wishes.
    """
    chosen: dict[str, None] = {}
    for pattern in _listed(wanted):
        matched = [name for name in names if name == pattern] or [n for n in names if fnmatchcase(n, pattern)]
        if not matched:
            from .parsing import unknown

            if not names:
                raise UsageError(f"there is no metric {pattern}: these runs have none")
            raise unknown("metric", pattern, "these runs", names)
        chosen.update(dict.fromkeys(matched))
    return list(chosen) or list(names)


def _wanted(runs: Sequence[Compared], metric: Names) -> list[str]:
    return matching([*dict.fromkeys(name for run in runs for name in run.metrics)], metric)


def _listed(names: Names) -> list[str]:
    return [names] if isinstance(names, str) else list(names or ())
