"""What one of the processes of a run has printed, where it has several: ranks of a job, tasks of an array."""

from __future__ import annotations

import os

from .rundir import RunDir
from .tail import newest

TYPE_CHECKING = False  # as in typing, without the 5 ms of importing it
if TYPE_CHECKING:
    from typing import Any


def find(state: str, run: RunDir, record: dict[str, Any], rank: int) -> tuple[str, int]:
    """The file of its output, and up to where that stands in it.

    Raises:
        ValueError: the run has no such rank; those it has.
    """
    tasks = (record.get("job") or {}).get("tasks")
    if tasks:
        from .jobs import home

        if str(rank) in tasks:
            log = RunDir(home(state, f"{record['job']['key']}/tasks/{rank}"), run.id)
            return log.output_path, newest(log)[1]
        raise ValueError(f"run {run.id} has no task {rank}, only {', '.join(tasks)}")
    known = {0: run.output_path}
    for name in os.listdir(run.ranks_path) if os.path.isdir(run.ranks_path) else ():
        known[int(name.partition(".")[0])] = os.path.join(run.ranks_path, name)
    if rank not in known:
        raise ValueError(f"run {run.id} has no rank {rank}, only {', '.join(map(str, sorted(known)))}")
    return known[rank], newest(run)[1] if rank == 0 else os.path.getsize(known[rank])
