"""Points of metrics in columns, and how many of them become few. Pure; knows no run and no file."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

# What a run that prints garbage may fill: names, and sets of tags; a point takes 36 bytes.
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


class Table:
    """All points of a run. Past `MOST_POINTS` only the last value of each name is kept, and they are counted.

    Attributes:
        dropped: how many points were left out.
    """

    def __init__(self) -> None:
        self.names: list[str] = []
        self.dropped = 0
        self._numbers: dict[str, int] = {}
        self._owners: list[str] = []
        self._sources: list[str] = []
        self._tags: list[Mapping[str, str]] = [{}]
        self._tag_numbers: dict[tuple[tuple[str, str], ...], int] = {(): 0}
        self._rows: list[array[int]] = []
        self._last: list[float] = []
        self._name, self._source, self._tag = array("L"), array("L"), array("L")
        self._value, self._step, self._time = array("d"), array("d"), array("d")

    def __len__(self) -> int:
        return len(self._value)

    def add(
        self,
        name: str,
        value: float,
        step: float | None,
        time: float,
        source: str,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Takes a point; one with a name too many is counted only."""
        number = self._numbers.get(name)
        if number is not None and self._owners[number] != source:
            name = f"{name}@{source}"  # two sources that call something the same don't mean the same curve
            number = self._numbers.get(name)
        if number is None:
            if len(self.names) >= MOST_NAMES or len(name) > _LONGEST_NAME:
                self.dropped += 1
                return
            number = self._numbers[name] = len(self.names)
            self.names.append(name)
            self._owners.append(source)
            self._rows.append(array("L"))
            self._last.append(math.nan)
        self._last[number] = value
        if len(self._value) >= MOST_POINTS:
            self.dropped += 1
            return
        self._rows[number].append(len(self._value))
        self._name.append(number)
        self._value.append(value)
        self._step.append(math.nan if step is None else step)
        self._time.append(time)
        self._source.append(self._source_number(source))
        self._tag.append(self._tag_number(tags) if tags else 0)

    def _source_number(self, source: str) -> int:
        if not self._sources or self._sources[-1] != source:
            if source in self._sources:
                return self._sources.index(source)
            self._sources.append(source)
        return len(self._sources) - 1

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
        step = self._step[row]
        return Metric(
            self.names[self._name[row]],
            self._value[row],
            None if math.isnan(step) else step,
            self._time[row],
            self._sources[self._source[row]],
            self._tags[self._tag[row]],
        )

    def __iter__(self) -> Iterator[Metric]:
        return map(self.__getitem__, range(len(self)))

    def without(self, source: str) -> Table:
        """Another table without the points of a source."""
        other = Table()
        for one in self:
            if one.source != source:
                other.add(one.name, one.value, one.step, one.time, one.source, one.tags)
        other.dropped += self.dropped
        return other

    def finals(self) -> dict[str, float]:
        """The last value of each metric."""
        return dict(zip(self.names, self._last, strict=True))

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
        rows = self._rows[self._numbers[name]]
        steps = [self._step[row] for row in rows]
        if any(map(math.isnan, steps)):
            steps = [float(number) for number in range(len(rows))]
        values = [self._value[row] for row in rows]
        kept = thinned(values, points)
        times = [self._time[rows[i]] for i in kept]
        return Series(name, [steps[i] for i in kept], times, [values[i] for i in kept])


def thinned(values: list[float], points: int) -> Iterable[int]:
    """The indices of at most so many values (4 at least) that look like all of them.

    The first and the last are kept, and of each bucket of equal size between them the smallest, the largest
    and, where there are some, the first NaN: the extremes are exact, and a gap stays one. This is M4 (Jugel,
    Jerzak, Hackenbroich and Markl, "M4: A Visualization-Oriented Time Series Data Aggregation", VLDB
    2014) without the first and last of the inner buckets.
    """
    count = len(values)
    points = max(points, 4)
    if count <= points:
        return range(count)
    kinds = 3 if any(map(math.isnan, values)) else 2
    inner = count - 2
    buckets = max((points - 2) // kinds, 1)
    kept = [0]
    for bucket in range(buckets):
        start, end = 1 + inner * bucket // buckets, 1 + inner * (bucket + 1) // buckets
        numbers = [i for i in range(start, end) if values[i] == values[i]]
        chosen = (
            {min(numbers, key=values.__getitem__), max(numbers, key=values.__getitem__)} if numbers else set()
        )
        if kinds == 3 and len(numbers) < end - start:
            chosen.add(next(i for i in range(start, end) if values[i] != values[i]))
        kept += sorted(chosen)
    return [*kept, count - 1]
