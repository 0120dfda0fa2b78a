"""Points as they are kept and passed on: numbers in columns.

Lines that say the same names are of one kind, ``[source, names, tags]``. All of a kind are
``[rows, times, steps, columns]``, and ``order`` says the kind of each row; it is None when there is one.
A column is a list of numbers when there are few, one number when all are the same, or else a text: the
numbers as little-endian doubles (those of the order as unsigned integers of 4 bytes), compressed by zlib, in
base64. A step that is NaN is none; steps are None when all are.
"""

from __future__ import annotations

import base64
import math
import sys
import zlib
from array import array
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from .metric_bulk import Lines
from .metric_lines import Found

_FEW = 12
# A block of so many rows is one that somebody has made up.
_MOST_ROWS = 1 << 24

if TYPE_CHECKING:
    Numbers = array[float]


class Kind(NamedTuple):
    """Rows that say the same names, with the same tags, from one source."""

    source: str
    names: tuple[str, ...]
    tags: Mapping[str, str]
    times: Numbers
    steps: Numbers | None
    columns: list[Numbers]


class Blocks:
    """Takes points in order."""

    def __init__(self) -> None:
        self._numbers: dict[Any, int] = {}
        self._kinds: list[tuple[Numbers, Numbers, list[Numbers]]] = []
        self._order = array("I")

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
        number = self._number(source, names, first.tags)
        times, steps, columns = self._kinds[number]
        self._order.append(number)
        times.append(moment if first.time is None else first.time)
        steps.append(_finite(first.step))
        for column, one in zip(columns, found, strict=True):
            column.append(one.value)

    def extend(self, lines: Lines, moments: Numbers, source: str) -> None:
        """What lines of known shapes say; `moments` are their times, where they say none themselves."""
        numbers = []
        for which, rows in enumerate(lines.rows):
            if not rows.names:
                numbers.append(-1)
                continue
            numbers.append(self._number(source, rows.names, rows.tags))
            times, steps, columns = self._kinds[numbers[-1]]
            if rows.times is not None:
                times.extend(rows.times)
            elif len(lines.rows) == 1:
                times.extend(moments)
            else:
                times.extend(
                    array("d", [t for t, of in zip(moments, lines.order, strict=True) if of == which])
                )
            if rows.steps is None:
                steps.extend(array("d", [math.nan]) * len(rows.columns[0]))
            elif all(map(math.isfinite, rows.steps)):
                steps.extend(rows.steps)
            else:
                steps.extend(array("d", map(_finite, rows.steps)))
            for column, values in zip(columns, rows.columns, strict=True):
                column.extend(values)
        if len(numbers) == 1:
            self._order.extend(array("I", numbers) * len(moments) if numbers[0] >= 0 else ())
        else:
            self._order.extend(array("I", [numbers[of] for of in lines.order if numbers[of] >= 0]))

    def packed(self) -> dict[str, Any]:
        """What JSON can hold: ``kinds``, ``rows`` and ``order``."""
        return {
            "kinds": [[source, list(names), dict(tags)] for source, names, tags in self._numbers],
            "rows": [
                [
                    len(times),
                    _packed(times),
                    None if all(map(math.isnan, steps)) else _packed(steps),
                    [_packed(column) for column in columns],
                ]
                for times, steps, columns in self._kinds
            ],
            "order": _packed(self._order) if len(self._kinds) > 1 else None,
        }

    def _number(self, source: str, names: tuple[str, ...], tags: Mapping[str, str]) -> int:
        key = source, names, tuple(sorted(tags.items())) if tags else ()
        number = self._numbers.setdefault(key, len(self._kinds))
        if number == len(self._kinds):
            self._kinds.append((array("d"), array("d"), [array("d") for _ in names]))
        return number


def unpacked(packed: Mapping[str, Any]) -> tuple[list[Kind], Sequence[int] | None]:
    """What `Blocks.packed` gave: the kinds, and the kind of each row.

    Raises:
        ValueError, TypeError, KeyError, IndexError: it is none.
    """
    kinds = []
    for (source, names, tags), (count, times, steps, columns) in zip(
        packed["kinds"], packed["rows"], strict=True
    ):
        if not 0 < count <= _MOST_ROWS or len(columns) != len(names) or len(set(names)) < len(names):
            raise ValueError("metrics are broken")
        told = None if steps is None else _numbers(steps, count)
        values = [_numbers(column, count) for column in columns]
        kinds.append(Kind(str(source), tuple(names), tags, _numbers(times, count), told, values))
    if len(kinds) <= 1:
        return kinds, None
    total = sum(len(kind.times) for kind in kinds)
    order = _numbers(packed["order"], total, "I")
    if any(order.count(number) != len(kind.times) for number, kind in enumerate(kinds)):
        raise ValueError("the order of metrics is broken")
    return kinds, order


def _packed(column: array[Any]) -> list[float] | float | str:
    if len(column) <= _FEW:
        return [*column]
    if column.count(column[0]) == len(column):
        return float(column[0])
    data = column[:]
    if sys.byteorder == "big":
        data.byteswap()
    return base64.b64encode(zlib.compress(data.tobytes(), 1)).decode("ascii")


def _numbers(packed: object, count: int, code: str = "d") -> array[Any]:
    if isinstance(packed, (int, float)):
        return array(code, [packed]) * count
    if isinstance(packed, list):
        column = array(code, packed)
    else:
        column = array(code)
        unpacker = zlib.decompressobj()
        try:
            column.frombytes(unpacker.decompress(base64.b64decode(str(packed)), count * column.itemsize + 1))
        except zlib.error as error:
            raise ValueError(str(error)) from None
        if sys.byteorder == "big":
            column.byteswap()
    if len(column) != count:
        raise ValueError("a column of metrics is broken")
    return column


def _finite(step: float | None) -> float:
    return step if step is not None and math.isfinite(step) else math.nan
