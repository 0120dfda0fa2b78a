"""The history as a file for other programs: CSV or JSON, by the file's suffix."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path

from .errors import UsageError
from .history_rows import COLUMNS, Row, document_of


def export(path: Path, rows: Sequence[Row]) -> int:
    """Writes rows; returns how many.

    Args:
        path: ends in ``.csv`` or ``.json``; replaced when it is there.
        rows: newest first.

    Raises:
        UsageError: another suffix, or the file can't be written.
    """
    if path.suffix not in (".csv", ".json"):
        raise UsageError(f"can't tell what to write to {path}: its name has to end in .csv or .json")
    try:
        with path.open("w", encoding="utf-8", newline="") as file:
            if path.suffix == ".json":
                json.dump([document_of(row) for row in rows], file, indent=1, ensure_ascii=False)
                file.write("\n")
            else:
                table = csv.writer(file)
                table.writerow(COLUMNS)
                table.writerows([row[name] for name in COLUMNS] for row in rows)
    except OSError as error:
        raise UsageError(f"can't write {path}: {error.strerror}") from None
    return len(rows)
