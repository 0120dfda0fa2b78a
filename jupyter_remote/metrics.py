"""The metrics of a run: what it printed and wrote of them, asked for piece by piece and kept here.

The run pays nothing: its log and files are read by the agent when somebody here asks (`agent/metrics.py`).
What counts as a metric is decided in `metric_lines.py`, `metric_rows.py` and `tfevents.py`; where they are
kept, in `metric_store.py`.
"""

from __future__ import annotations

import json
import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, overload

from . import history
from .agent import messages as m
from .errors import ProtocolError, RemoteError
from .metric_lines import Progress
from .metric_reader import Batch, Reader, wanted
from .metric_store import MetricFile
from .metric_table import Metric, Series

if TYPE_CHECKING:
    import pandas

    from .hostlink import HostLink

__all__ = ["Metric", "Metrics", "Progress", "Series", "finals_of", "of"]

# One answer: so much text, and so long the agent may look for it; more when the run has ended.
_ROOM, _SECONDS = 1 << 16, 0.05
_MORE_ROOM, _MORE_SECONDS = 1 << 19, 1.0
# What the questions take of the host's time while a run goes on: one part in so many.
_SHARE = 20
_LONGEST_PAUSE_S = 10.0
# A run that prints more quickly than it is read is read so far at a time; the rest comes when it has ended.
_MOST_LIVE = 200_000
_NOTE_S = 5.0
# What a list of runs shows.
_MOST_FINALS = 200


class Metrics(Sequence[Metric]):
    """The metrics of one run, in the order in which they came. Made by `Run.metrics` and `of`.

    Args:
        run_id: the run.
        link: to its host; None for what is stored here only.
        done: whether the run is known to have ended.

    Attributes:
        error: why the host could not be asked the last time, or None.
    """

    def __init__(
        self, run_id: str, link: HostLink | None = None, done: Callable[[], bool] = lambda: False
    ) -> None:
        self.run_id = run_id
        self.error: RemoteError | None = None
        self._link = link
        self._done = done
        self._file = MetricFile(run_id)
        self._reader = Reader()
        self._lock = threading.RLock()
        self._over = False
        self._asked = -math.inf
        self._due = -math.inf
        self._noted = -math.inf
        self._told: dict[str, float] = {}
        self._load()

    def __repr__(self) -> str:
        return f"<Metrics of run {self.run_id}: {len(self)} of {', '.join(self.names()[:10]) or 'nothing'}>"

    def __len__(self) -> int:
        return len(self._reader.table)

    @overload
    def __getitem__(self, index: int) -> Metric: ...
    @overload
    def __getitem__(self, index: slice) -> list[Metric]: ...
    def __getitem__(self, index: int | slice) -> Metric | list[Metric]:
        table = self._reader.table
        if isinstance(index, slice):
            return [table[row] for row in range(*index.indices(len(table)))]
        if not -len(table) <= index < len(table):
            raise IndexError(index)
        return table[index % len(table)]

    def __iter__(self) -> Iterator[Metric]:
        return iter(self._reader.table)

    # Asking.

    @property
    def complete(self) -> bool:
        """Whether the run has ended and all of its metrics are here."""
        return self._reader.complete

    @property
    def over(self) -> bool:
        """Whether the run is known to have ended; then asking costs it nothing any more."""
        return self._over or self._done()

    @property
    def age(self) -> float:
        """Seconds since the host was asked."""
        return time.monotonic() - self._asked

    @property
    def dropped(self) -> int:
        """Points that were left out because a run has too many (2,000,000, of 2,000 names)."""
        return self._reader.table.dropped

    def refresh(self, *, connect: bool = True, seconds: float | None = None) -> bool:
        """Asks the host for what is new; what came before is not asked for or read again.

        While the run goes on, questions are put so seldom that answering them takes a twentieth of one core
        of the host at most; sooner than that, this does nothing.

        Args:
            connect: whether a link is made when there is none now, which may take a while.
            seconds: that this may take, about, when there is much; until all is here when None, and of a run
                that goes on 200,000 points at most. Whoever asks again and again gives 0.2.

        Returns:
            Whether all that there was is here. When not, for instance because the host can't be reached
            (`error` says so), what was stored here before is what there is.
        """
        with self._lock:
            self._load()
            if self.complete or self._link is None:
                return self.complete
            if time.monotonic() < self._due and not self.over:
                return False
            try:
                connection = self._link.live or (self._link.connection() if connect else None)
                if connection is None:
                    return False
                return self._ask_all(connection, math.inf if seconds is None else seconds)
            except RemoteError as error:
                self.error = error
                self._due = time.monotonic() + 1.0
                return False

    def _ask_all(self, connection: Any, seconds: float) -> bool:
        from .records import read_answer

        began, took, up_to_date = time.monotonic(), 0.0, False
        plenty, table = self.over, self._reader.table
        before = len(table) + table.dropped
        while not up_to_date:
            wish = wanted(_MORE_ROOM, _MORE_SECONDS) if plenty else wanted(_ROOM, _SECONDS)
            answer = read_answer(connection, m.Metrics(self.run_id, self._reader.cursor, wish))
            came = time.monotonic()
            try:
                batch = self._reader.read(answer)
                self._keep(batch, bool(answer["more"]))
                # Of the host's time, and of ours: the kernel has other work too.
                took += float(answer["took"]) + time.monotonic() - came
                up_to_date = not answer["more"]
                self._over = plenty = bool(answer["ended"])
            except (ValueError, TypeError, KeyError, IndexError) as error:
                raise ProtocolError(f"the host's answer about metrics is broken: {error!r}") from None
            table = self._reader.table
            flood = not plenty and len(table) + table.dropped - before > _MOST_LIVE
            if flood or time.monotonic() - began > seconds:
                break
        self._asked, self.error = time.monotonic(), None
        self._due = self._asked + min(_SHARE * took, _LONGEST_PAUSE_S)
        self._note()
        return up_to_date

    def _keep(self, batch: Batch, more: bool) -> None:
        if not (
            batch["points"]["kinds"] or batch["fresh"] or batch["complete"] or more or "progress" in batch
        ):
            # Nothing new: the file needn't grow for it.
            self._reader.cursor = batch["cursor"]
            return
        try:
            for one in self._file.append(batch):
                self._reader.take(one)
        except OSError as error:
            self.error = RemoteError(f"metrics can't be kept in {self._file.path}: {error.strerror}")
            self._reader.take(batch)

    def _load(self) -> None:
        for batch in self._file.news():
            try:
                self._reader.take(batch)
            except (ValueError, TypeError, KeyError, IndexError, AttributeError):
                continue  # somebody has changed the file

    def _note(self) -> None:
        """Has the history know the last values, so that a list of runs needs no host."""
        now = time.monotonic()
        if not self.complete and now - self._noted < _NOTE_S:
            return
        finals = self.finals()
        if finals and repr(finals) != repr(self._told):
            self._noted, self._told = now, finals
            kept = {name: plain(finals[name]) for name in list(finals)[:_MOST_FINALS]}
            history.note([{"id": self.run_id, "metrics": json.dumps(kept)}])

    # What there is.

    def names(self) -> list[str]:
        """The metrics in the order in which they first came.

        A name that comes from several sources is ``name@source`` for all but the first.
        """
        return list(self._reader.table.names)

    def series(self, name: str, points: int = 2000) -> Series:
        """The values of one metric.

        Args:
            name: of the metric.
            points: at most so many: ends and extremes are exact, see `metric_table.thinned`.

        Raises:
            KeyError: there is no such metric.
        """
        with self._lock:
            return self._reader.table.series(name, points)

    def finals(self) -> dict[str, float]:
        """The last value of each metric."""
        with self._lock:
            return self._reader.table.finals()

    def params(self) -> dict[str, str]:
        """The tags that never change: what the run says of itself."""
        with self._lock:
            return self._reader.table.params()

    def progress(self) -> Progress | None:
        """How far the run has come, as its output said last; None when it says nothing of it."""
        return self._reader.progress

    def records(self) -> list[dict[str, Any]]:
        """All points as dicts: name, value, step, time, source, tags."""
        with self._lock:
            return [{**vars(one), "tags": dict(one.tags)} for one in self]

    def to_pandas(self) -> pandas.DataFrame:
        """All points as a table: name, value, step, time (UTC), source, and a column for each tag.

        Raises:
            ImportError: there is no pandas here.
        """
        import pandas

        rows = self.records()
        for row in rows:
            row |= {key: value for key, value in row.pop("tags").items() if key not in row}
        columns = ["name", "value", "step", "time", "source"]
        table = pandas.DataFrame(rows, columns=None if rows else columns)
        table["time"] = pandas.to_datetime(table["time"], unit="s", utc=True)
        table["step"] = table["step"].astype("float64")
        return table


def of(run: str, host: str | None = None) -> Metrics:
    """The metrics of any run; its host is asked by `Metrics.refresh`.

    Args:
        run: its id or the beginning of one.
        host: where to look for it; the local history says when None.

    Raises:
        UsageError: there is no such run, or several.
    """
    from .whereabouts import find_run

    found = find_run(run, host)
    return Metrics(found.id, found.remote().link)


def finals_of(row: Mapping[str, Any]) -> dict[str, float]:
    """The last values of a run's metrics, from its ``row`` in the local history; no host is asked."""
    kept = row.get("metrics") or {}
    values = json.loads(kept) if isinstance(kept, str) else kept
    return {str(name): float(value) for name, value in values.items() if isinstance(value, (int, float, str))}


def plain(value: float) -> float | str:
    """A value as JSON has it: NaN and infinity are texts there, which `float` reads."""
    return value if math.isfinite(value) else str(value)
