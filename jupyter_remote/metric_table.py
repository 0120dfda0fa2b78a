"""Points of metrics in columns, and how many of them become few. Pure; knows no run and no file."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .metric_blocks import Kind

# What a run that prints garbage may fill: names, and sets of tags; a point takes 40 bytes.
MOST_NAMES = 2000
MOST_TAGS = 10_000
MOST_POINTS = 2_000_000
_LONGEST_NAME = 200


@dataclass(frozen=True)
class Metric:
    """One value of one metric.

    Args:
        name: of the metric.
        value: may be NaN or infinite.
        step: of the training, None when the run doesn't say.
        time: seconds since the epoch, by the host's clock.
        source: ``output``, or the file, relative to the folder in which the run ran.
        tags: the words with a value that is no number, of the same line.
    """

    name: str
    value: float
    step: float | None
    time: float
    source: str
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Series:
    """The values of one metric in the order in which they came.

    Args:
        name: of the metric.
        steps: as the run says them; where it says none for some, the numbers of the points from 0.
        times: seconds since the epoch.
        values: NaN is a gap.
    """

    name: str
    steps: list[float]
    times: list[float]
    values: list[float]


class _Column:
    """The points of one name."""

    def __init__(self, source: str, number: int) -> None:
        self.source, self.number = source, number
        self.last = math.nan
        self.stepless = False
        self.values, self.steps, self.times = array("d"), array("d"), array("d")
        self.sources, self.tags = array("I"), array("I")


class Table:
    """All points of a run. Past `MOST_POINTS` only the last value of each name is kept, and they are counted.

    Attributes:
        dropped: how many points were left out.
    """

    def __init__(self) -> None:
        self.dropped = 0
        self._columns: dict[str, _Column] = {}
        self._by_number: list[tuple[str, _Column]] = []
        # The order of all points: which column, and where in it.
        self._which, self._where = array("I"), array("I")
        self._sources: dict[str, int] = {}
        self._source_names: list[str] = []
        self._tags: list[Mapping[str, str]] = [{}]
        self._tag_numbers: dict[tuple[tuple[str, str], ...], int] = {(): 0}

    def __len__(self) -> int:
        return len(self._which)

    @property
    def names(self) -> list[str]:
        """In the order in which they came."""
        return list(self._columns)

    def add(
        self,
        name: str,
        value: float,
        step: float | None,
        time: float,
        source: str,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Takes a point; one with a name too many is counted only.

        Args:
            step: of the training, where the run says one.
            time: seconds since the epoch.
        """
        column = self._column(name, source)
        if column is None:
            self.dropped += 1
            return
        column.last = value
        if len(self._which) >= MOST_POINTS:
            self.dropped += 1
            return
        self._which.append(column.number)
        self._where.append(len(column.values))
        column.values.append(value)
        column.stepless = column.stepless or step is None
        column.steps.append(math.nan if step is None else step)
        column.times.append(time)
        column.sources.append(self._source_number(source))
        column.tags.append(self._tag_number(tags) if tags else 0)

    def extend(self, kinds: Sequence[Kind], order: Sequence[int] | None = None) -> None:
        """Takes many points, as `add` takes them one by one: row after row, and in it name by name.

        Args:
            kinds: rows.
            order: of each row, its kind; None for one kind.
        """
        columns = [[self._column(name, kind.source) for name in kind.names] for kind in kinds]
        flat = [column for some in columns for column in some]
        points = sum(len(kind.times) * len(kind.names) for kind in kinds)
        full = len(self._which) >= MOST_POINTS
        # Kinds that share a name are taken row by row, and so is what is not all wanted.
        apart = len({id(column) for column in flat}) == len(flat) and None not in flat
        if not apart or not (full or len(self._which) + points <= MOST_POINTS):
            self._one_by_one(kinds, order)
            return
        if full:
            self.dropped += points
        else:
            self._put_in_order(kinds, columns, order)
        for kind, some in zip(kinds, columns, strict=True):
            for column, values in zip(some, kind.columns, strict=True):
                assert column is not None
                column.last = values[-1]
                if not full:
                    self._append(column, kind, values)

    def _one_by_one(self, kinds: Sequence[Kind], order: Sequence[int] | None) -> None:
        rows = [enumerate(kind.times) for kind in kinds]
        for number in order if order is not None else [0] * sum(len(kind.times) for kind in kinds):
            kind = kinds[number]
            at, time = next(rows[number])
            step = None if kind.steps is None or math.isnan(kind.steps[at]) else kind.steps[at]
            for name, values in zip(kind.names, kind.columns, strict=True):
                self.add(name, values[at], step, time, kind.source, kind.tags)

    def _put_in_order(
        self, kinds: Sequence[Kind], columns: Sequence[Sequence[Any]], order: Sequence[int] | None
    ) -> None:
        places = [
            [range(len(column.values), len(column.values) + len(kind.times)) for column in some]
            for kind, some in zip(kinds, columns, strict=True)
        ]
        if order is None:
            for some, ranges in zip(columns, places, strict=True):
                width, count = len(some), len(ranges[0])
                which, where = (array("I", [0]) * (count * width) for _ in range(2))
                for at, (column, place) in enumerate(zip(some, ranges, strict=True)):
                    which[at::width] = array("I", [column.number]) * count
                    where[at::width] = array("I", place)
                self._which.extend(which)
                self._where.extend(where)
            return
        numbers = [[column.number for column in some] for some in columns]
        rows = [zip(*ranges, strict=True) for ranges in places]
        for kind_number in order:
            self._which.extend(numbers[kind_number])
            self._where.extend(next(rows[kind_number]))

    def _append(self, column: _Column, kind: Kind, values: array[float]) -> None:
        count = len(values)
        steps = array("d", [math.nan]) * count if kind.steps is None else kind.steps
        column.stepless = column.stepless or kind.steps is None or any(map(math.isnan, kind.steps))
        column.values.extend(values)
        column.steps.extend(steps)
        column.times.extend(kind.times)
        column.sources.extend(array("I", [self._source_number(kind.source)]) * count)
        column.tags.extend(array("I", [self._tag_number(kind.tags) if kind.tags else 0]) * count)

    def _column(self, name: str, source: str) -> _Column | None:
        column = self._columns.get(name)
        if column is not None and column.source != source:
            name = f"{name}@{source}"  # two sources that call something the same don't mean the same curve
            column = self._columns.get(name)
        if column is None:
            if len(self._columns) >= MOST_NAMES or len(name) > _LONGEST_NAME:
                return None
            column = self._columns[name] = _Column(source, len(self._by_number))
            self._by_number.append((name, column))
        return column

    def _source_number(self, source: str) -> int:
        number = self._sources.get(source)
        if number is None:
            number = self._sources[source] = len(self._source_names)
            self._source_names.append(source)
        return number

    def _tag_number(self, tags: Mapping[str, str]) -> int:
        key = tuple(sorted(tags.items()))
        number = self._tag_numbers.get(key)
        if number is None:
            if len(self._tags) >= MOST_TAGS:
                return 0
            number = self._tag_numbers[key] = len(self._tags)
            self._tags.append(dict(tags))
        return number

    def __getitem__(self, row: int) -> Metric:
        name, column = self._by_number[self._which[row]]
        at = self._where[row]
        step = column.steps[at]
        return Metric(
            name,
            column.values[at],
            None if math.isnan(step) else step,
            column.times[at],
            self._source_names[column.sources[at]],
            self._tags[column.tags[at]],
        )

    def __iter__(self) -> Iterator[Metric]:
        return map(self.__getitem__, range(len(self)))

    def without(self, source: str) -> Table:
        """A table without the points of a source."""
        if source not in self._sources:
            return self
        other = Table()
        for one in self:
            if one.source != source:
                other.add(one.name, one.value, one.step, one.time, one.source, one.tags)
        other.dropped += self.dropped
        return other

    def finals(self) -> dict[str, float]:
        """The last value of each metric."""
        return {name: column.last for name, column in self._columns.items()}

    def params(self) -> dict[str, str]:
        """The tags that have one value wherever they are."""
        values: dict[str, set[str]] = {}
        for tags in self._tags:
            for key, value in tags.items():
                values.setdefault(key, set()).add(value)
        return {key: value.pop() for key, value in values.items() if len(value) == 1}

    def series(self, name: str, points: int) -> Series:
        """The values of a metric, so many at most.

        Raises:
            KeyError: there is no such metric.
        """
        column = self._columns[name]
        kept = thinned(column.values, points)
        steps = [float(i) for i in kept] if column.stepless else [column.steps[i] for i in kept]
        return Series(name, steps, [column.times[i] for i in kept], [column.values[i] for i in kept])


def thinned(values: Sequence[float], points: int) -> Sequence[int]:
    """The indices of at most so many values (5 at least) that look like all of them.

    The first and the last are kept, and of each bucket of equal size between them the smallest, the largest
    and, where there are some, the first NaN: the extremes are exact, and a gap stays one. This is M4 (Jugel,
    Jerzak, Hackenbroich and Markl, "M4: A Visualization-Oriented Time Series Data Aggregation", VLDB 2014)
    without the first and last of the inner buckets.
    """
    count = len(values)
    points = max(points, 5)
    if count <= points:
        return range(count)
    inner = count - 2
    # A bucket takes two of the points, and a third where a value is none.
    buckets = max((points - 2) // (3 if any(map(math.isnan, values)) else 2), 1)
    kept = [0]
    for bucket in range(buckets):
        start, end = 1 + inner * bucket // buckets, 1 + inner * (bucket + 1) // buckets
        kept += sorted(start + at for at in _extremes(values[start:end]))
    return [*kept, count - 1]


def _extremes(values: Sequence[float]) -> set[int]:
    """Where the smallest, the largest and the first NaN are."""
    total = sum(values)
    if total == total:  # then none of them is NaN, and this is quick
        return {values.index(min(values)), values.index(max(values))} if values else set()
    numbers = [at for at, value in enumerate(values) if not math.isnan(value)]
    chosen = (
        {min(numbers, key=values.__getitem__), max(numbers, key=values.__getitem__)} if numbers else set()
    )
    gap = next((at for at, value in enumerate(values) if math.isnan(value)), None)
    return chosen if gap is None else chosen | {gap}
