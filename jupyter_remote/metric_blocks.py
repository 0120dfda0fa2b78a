"""Points as they are kept and passed on: rows that say the same names in one block, numbers in columns.

A block is ``[kind, rows, times, steps, columns]``. The kind is a place in the list of kinds, which are
``[source, names, tags]``. A column is a list of numbers when there are few, one number when all are the same,
or else a text: the numbers as little-endian doubles, compressed by zlib, in base64. A step that is NaN is
none; steps are None when all are.
"""

from __future__ import annotations

import base64
import math
import sys
import zlib
from array import array
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .metric_lines import Found
from .metric_shapes import Rows

_FEW = 12
# A block of so many rows is one that somebody has made up.
_MOST_ROWS = 1 << 24

if TYPE_CHECKING:
    Numbers = array[float]
    Block = tuple[str, tuple[str, ...], Mapping[str, str], Numbers, Numbers | None, list[Numbers]]


class Blocks:
    """Takes points in order."""

    def __init__(self) -> None:
        self._kinds: dict[Any, int] = {}
        self._done: list[list[Any]] = []
        self._open: tuple[int, Numbers, Numbers, list[Numbers]] | None = None

    def add(self, found: Sequence[Found], moment: float, source: str) -> None:
        """What one line or record says, at this time."""
        if not found:
            return
        first, names = found[0], tuple([one.name for one in found])
        if len(found) > 1 and (
            len(set(names)) < len(names)
            or any(
                one.step != first.step or one.time != first.time or one.tags != first.tags for one in found
            )
        ):
            for one in found:
                self.add([one], moment, source)
            return
        _, times, steps, columns = self._block(source, names, first.tags)
        times.append(moment if first.time is None else first.time)
        steps.append(_finite(first.step))
        for column, one in zip(columns, found, strict=True):
            column.append(one.value)

    def extend(self, rows: Rows, moments: Numbers, source: str) -> None:
        """What lines of one shape say; `moments` are their times, where they say none themselves."""
        if not rows.names:
            return
        _, times, steps, columns = self._block(source, rows.names, rows.tags)
        times.extend(moments if rows.times is None else rows.times)
        if rows.steps is None:
            steps.extend(array("d", [math.nan]) * len(moments))
        elif all(map(math.isfinite, rows.steps)):
            steps.extend(rows.steps)
        else:
            steps.extend(map(_finite, rows.steps))
        for column, values in zip(columns, rows.columns, strict=True):
            column.extend(values)

    def packed(self) -> tuple[list[Any], list[list[Any]]]:
        """The kinds and the blocks."""
        self._close()
        return [[source, list(names), dict(tags)] for source, names, tags in self._kinds], self._done

    def _block(
        self, source: str, names: tuple[str, ...], tags: Mapping[str, str]
    ) -> tuple[int, Numbers, Numbers, list[Numbers]]:
        kind = self._kinds.setdefault((source, names, tuple(sorted(tags.items()))), len(self._kinds))
        if self._open is None or self._open[0] != kind:
            self._close()
            self._open = kind, array("d"), array("d"), [array("d") for _ in names]
        return self._open

    def _close(self) -> None:
        if self._open is not None:
            kind, times, steps, columns = self._open
            told = None if all(map(math.isnan, steps)) else _packed(steps)
            packed = [_packed(column) for column in columns]
            self._done.append([kind, len(times), _packed(times), told, packed])
        self._open = None


def unpacked(kinds: Sequence[Any], blocks: Sequence[Any]) -> Iterator[Block]:
    """The blocks that `Blocks.packed` gave: source, names, tags, times, steps, columns.

    Raises:
        ValueError, TypeError, KeyError, IndexError: they are none.
    """
    for kind, count, times, steps, columns in blocks:
        source, names, tags = kinds[kind]
        if not 0 < count <= _MOST_ROWS or len(columns) != len(names) or len(set(names)) < len(names):
            raise ValueError("a block of metrics is broken")
        yield (
            str(source),
            tuple(names),
            tags,
            _numbers(times, count),
            None if steps is None else _numbers(steps, count),
            [_numbers(column, count) for column in columns],
        )


def _packed(column: Numbers) -> list[float] | float | str:
    if len(column) <= _FEW:
        return column.tolist()
    if column.count(column[0]) == len(column):
        return column[0]
    data = array("d", column)
    if sys.byteorder == "big":
        data.byteswap()
    return base64.b64encode(zlib.compress(data.tobytes(), 1)).decode("ascii")


def _numbers(packed: object, count: int) -> Numbers:
    if isinstance(packed, (int, float)):
        return array("d", [packed]) * count
    if isinstance(packed, list):
        column = array("d", packed)
    else:
        column = array("d")
        unpacker = zlib.decompressobj()
        try:
            column.frombytes(unpacker.decompress(base64.b64decode(str(packed)), count * 8 + 1))
        except zlib.error as error:
            raise ValueError(str(error)) from None
        if sys.byteorder == "big":
            column.byteswap()
    if len(column) != count:
        raise ValueError("a column of metrics is broken")
    return column


def _finite(step: float | None) -> float:
    return step if step is not None and math.isfinite(step) else math.nan
