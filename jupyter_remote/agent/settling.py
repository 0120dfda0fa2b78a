"""The end of a run that its supervisor could not write: written by an agent, on the word of who knows.

That is a scheduler, which says what became of a job: nobody else is left to append to its log.
"""

from __future__ import annotations

import fcntl
import json
import os
import time

from .rundir import FINAL_STATES, WRITE, RunDir, last_event, write_all

TYPE_CHECKING = False  # as in typing, without the 5 ms of importing it
if TYPE_CHECKING:
    from typing import Any

# What of an end stands in the record too.
KEPT = ("state", "exit_code", "seconds", "ended", "reason", "left", "used", "left_out")


def settle(
    run: RunDir, state: str, exit_code: int, reason: str | None, at: float | None = None
) -> dict[str, Any]:
    """Appends the end of a run, unless it has one; returns its record.

    Args:
        run: which.
        state: ``finished``, ``failed``, ``stopped`` or ``lost``.
        exit_code: of the run.
        reason: in words.
        at: when it ended, seconds since the epoch; now when None.

    Raises:
        ValueError: there is no such run.
        OSError: it can't be written.
    """
    if not os.path.isdir(run.path):
        raise ValueError(f"there is no run {run.id} here")
    lock = os.open(os.path.join(run.path, ".settling"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        record = run.record() or {"id": run.id}
        if record.get("state") in FINAL_STATES:
            return record
        ended = at or time.time()
        # By the host's clock, which is all that is left.
        seconds = round(max(ended - record["started"], 0.0), 6) if record.get("started") else 0.0
        facts = {"state": state, "exit_code": exit_code, "seconds": seconds, "ended": ended}
        if reason:
            facts["reason"] = reason
        last = dict(facts, kind="end")
        if record.get("started"):
            last["started"] = record["started"]
        end = append(run, last)
        record.update({key: end[key] for key in KEPT if key in end})
        run.write_record(record)
        return record
    finally:
        os.close(lock)


def append(run: RunDir, event: dict[str, Any]) -> dict[str, Any]:
    """Appends an end to a log that nobody else writes to any more; returns the end that it has then.

    Args:
        event: the end.
    """
    fd = os.open(run.last_events(), WRITE & ~os.O_WRONLY | os.O_RDWR, 0o600)
    try:
        last, torn = last_event(fd)
        if last.get("kind") == "end":
            return last  # only its record was not written any more
        if torn:  # killed in the midst of a line
            os.ftruncate(fd, os.fstat(fd).st_size - torn)
        line = dict({"seq": last.get("seq", 0) + 1, "t": round(time.time(), 6)}, **event)
        write_all(fd, json.dumps(line, separators=(",", ":")).encode("ascii") + b"\n")
        return event
    finally:
        os.close(fd)
