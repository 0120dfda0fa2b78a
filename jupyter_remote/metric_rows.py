"""Metrics in files of rows (CSV, TSV, JSON lines): text in, numbers out. Pure; knows no run and no disk.

Many rows are taken together, column by column (`metric_columns.py`); where that doesn't do, one by one.
"""

from __future__ import annotations

import csv
import json
from array import array
from collections.abc import Iterator, Sequence

from .metric_bulk import Lines, Said
from .metric_columns import NOTHING, NUMBER, Cells, Is, alike, differ
from .metric_lines import LONGEST_TEXT, Found, LineParser, as_float
from .metric_shapes import Rows

_LONGEST = 1 << 16


class RowParser:
    """The rows of one file, in order; a CSV's first row says the names.

    Args:
        path: its ending says what it is.
        head: the names, when some of the file was read before.
    """

    def __init__(self, path: str, head: list[str] | None = None) -> None:
        self.head = head
        self._separator = {"csv": ",", "tsv": "\t"}.get(path.rpartition(".")[2].lower())
        self._lines = LineParser(every=True)

    def read(self, text: str) -> Iterator[Said]:
        """What whole lines say, in order; one that can't be read says nothing."""
        lines = [line for line in text.splitlines() if len(line) <= _LONGEST and line.strip()]
        while self._separator is not None and self.head is None and lines:
            self.one(lines.pop(0))
        said = self._json_rows(lines) if self._separator is None else self._csv_rows(lines, self._separator)
        if said is not None:
            yield said
        else:
            yield from map(self.one, lines)

    def one(self, line: str) -> list[Found]:
        """What a line says by itself; a CSV's first one says the names, and no more."""
        return self._json(line) if self._separator is None else self._csv(line, self._separator)

    # All at once.

    def _csv_rows(self, lines: list[str], separator: str) -> Lines | None:
        names = self.head or []
        # A quote that is not closed would take the lines after its own.
        if not lines or len(set(names)) < len(names) or "" in names or any('"' in line for line in lines):
            return None
        try:
            rows = list(csv.reader([one for one in lines if one[0] != "#"], delimiter=separator))
        except csv.Error:
            return None
        if set(map(len, rows)) != {len(names)}:
            rows = [row for row in rows if len(row) == len(names)]
        if not rows:
            return Lines([], [])
        told = alike(names, list(zip(*rows, strict=True)), _of_texts)
        return None if told is None else Lines(*told)

    def _json_rows(self, lines: list[str]) -> Lines | None:
        parse = json.JSONDecoder().raw_decode
        by_names: dict[tuple[str, ...], list[dict[str, object]]] = {}
        order: list[tuple[str, ...]] = []
        for line in lines:
            line = line.strip()
            try:
                values, end = parse(line)
            except (ValueError, RecursionError):
                continue
            if end == len(line) and isinstance(values, dict):
                names = tuple(values)
                by_names.setdefault(names, []).append(values)
                order.append(names)
        all_: list[Rows] = []
        groups: dict[tuple[str, ...], Iterator[int]] = {}
        for names, rows in by_names.items():
            columns = list(zip(*map(dict.values, rows), strict=True))
            if any(dict in set(map(type, column)) for column in columns):
                return None
            told = alike(names, columns, _of_values) if columns else ([0] * len(rows), [_NONE])
            if told is None:
                return None
            groups[names] = iter([len(all_) + number for number in told[0]])
            all_ += told[1]
        if not differ(all_):
            return None
        if len(by_names) == 1:
            return Lines(list(*groups.values()), all_)
        return Lines([next(groups[names]) for names in order], all_)

    # One by one.

    def _json(self, line: str) -> list[Found]:
        try:
            values = json.loads(line)
        except (ValueError, RecursionError):
            return []
        return self._lines.mapping(values) if isinstance(values, dict) else []

    def _csv(self, line: str, separator: str) -> list[Found]:
        try:
            cells = [cell.strip() for cell in next(csv.reader([line], delimiter=separator))]
        except (csv.Error, StopIteration):
            return []
        if line.startswith("#"):
            cells[0] = cells[0].lstrip("# ")
            if self.head is not None:
                return []
        if self.head is None:
            self.head = cells
            return []
        if len(cells) != len(self.head):
            return []
        values: dict[str, object] = {}
        for name, cell in zip(self.head, cells, strict=True):
            if (
                name and cell
            ):  # an empty cell is no value: Lightning writes train and validation in rows of their own
                try:
                    values[name] = float(cell)
                except ValueError:
                    values[name] = cell
        return self._lines.mapping(values)


_NONE = Rows((), {}, None, None, [])


def _of_texts(cells: Cells) -> tuple[array[float], Sequence[Is] | Is]:
    try:
        return array("d", map(float, cells)), NUMBER
    except ValueError:
        pass
    numbers, what = array("d"), list[Is]()
    for cell in cells:
        number = 0.0
        if not cell or not (cell := cell.strip()):
            what.append(NOTHING)
        else:
            try:
                number = float(cell)
                what.append(NUMBER)
            except ValueError:
                what.append(cell[:LONGEST_TEXT])
        numbers.append(number)
    return numbers, _of_all(what)


def _of_values(cells: Cells) -> tuple[array[float], Sequence[Is] | Is]:
    kinds = set(map(type, cells))
    if kinds <= {int, float}:
        try:
            return array("d", cells), NUMBER
        except OverflowError:
            return array("d", map(as_float, cells)), NUMBER
    numbers, what = array("d"), list[Is]()
    for cell in cells:
        # As `metric_lines.flat`: true is no number.
        text = isinstance(cell, (bool, str))
        is_number = not text and isinstance(cell, (int, float))
        what.append(str(cell)[:LONGEST_TEXT] if text else NUMBER if is_number else NOTHING)
        numbers.append(as_float(cell) if is_number else 0.0)
    return numbers, _of_all(what)


def _of_all(what: list[Is]) -> Sequence[Is] | Is:
    return what[0] if what.count(what[0]) == len(what) else what
