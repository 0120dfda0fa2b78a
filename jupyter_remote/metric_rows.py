"""Metrics in files of rows (CSV, TSV, JSON lines): text in, numbers out. Pure; knows no run and no disk."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator

from .metric_lines import Found, LineParser

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

    def rows(self, text: str) -> Iterator[list[Found]]:
        """What whole lines say, each for itself; one that can't be read says nothing."""
        for line in text.splitlines():
            if not line.strip() or len(line) > _LONGEST:
                continue
            if self._separator is None:
                yield self._json(line)
            else:
                yield self._csv(line, self._separator)

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
