"""The metrics of runs as they are kept here: one file for each run, beside the local history.

A line is one answer of a host: the points of it (`metric_blocks.py`), and the cursor behind it.
Lines are only appended. Two processes may ask for the same answer, so lines are numbered, and of those with
one number the first counts.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from .agent.rundir import RUN_ID
from .history import history_file


def folder() -> Path:
    """Where they are: ``remote/metrics`` in the Jupyter data folder."""
    return history_file().parent / "metrics"


class MetricFile:
    """What is kept of one run.

    Args:
        run_id: the run.

    Raises:
        ValueError: it is not the id of a run (it becomes a path).
    """

    def __init__(self, run_id: str) -> None:
        if not RUN_ID.fullmatch(run_id):
            raise ValueError(f"{run_id!r} is not the id of a run")
        self.path = folder() / f"{run_id}.jsonl"
        self._read = 0
        self._number = 0

    def news(self) -> Iterator[dict[str, Any]]:
        """The lines that were added since the last call, by whomever."""
        try:
            with self.path.open("rb") as file:
                file.seek(self._read)
                for line in file:
                    if not line.endswith(b"\n"):
                        return  # another process is writing it
                    self._read += len(line)
                    if (batch := _parsed(line)) and batch["n"] == self._number + 1:
                        self._number += 1
                        yield batch
        except FileNotFoundError:
            return

    def append(self, batch: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Adds a line; gives what counts: this one, or those that another process was quicker with.

        Raises:
            OSError: it can't be written; then the batch is given all the same by nobody.
        """
        line = json.dumps(dict(batch, n=self._number + 1), separators=(",", ":")).encode("ascii") + b"\n"
        self.path.parent.mkdir(0o700, parents=True, exist_ok=True)
        fd = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0), 0o600)
        try:
            alone = os.fstat(fd).st_size == self._read
            written = os.write(fd, line)
            if written < len(line):
                # A full disk; the rest of a torn line would be taken for a part of the next one.
                os.write(fd, b"\n")
                raise OSError(28, os.strerror(28), str(self.path))
            alone = alone and os.fstat(fd).st_size == self._read + len(line)
        finally:
            os.close(fd)
        if not alone:
            yield from self.news()
            return
        self._read += len(line)
        self._number += 1
        yield batch


def remove(run_ids: Iterable[str]) -> None:
    """Removes what is kept of runs that are no more."""
    for run_id in run_ids:
        if RUN_ID.fullmatch(run_id):
            with suppress(OSError):
                (folder() / f"{run_id}.jsonl").unlink()


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        batch = json.loads(line)
    except ValueError:
        return None  # torn by a full disk
    return batch if isinstance(batch, dict) and isinstance(batch.get("n"), int) else None
