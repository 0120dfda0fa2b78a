"""What a scheduler says, asked once for all who want to know, and what is written of it into the runs.

The answer of a command is kept in ``<state>/polls`` with its time: every agent of this user takes it from
there while it is fresh, however many there are and however many runs they show.
"""

from __future__ import annotations

import fcntl
import os
import time

from . import jobs
from . import messages as m
from .mailbox import Mailbox
from .paths import read_json, write_json
from .rundir import FINAL_STATES, RunDir
from .settling import settle

TYPE_CHECKING = False  # as in typing, without the 5 ms of importing it
if TYPE_CHECKING:
    from typing import Any

LONGEST_S = 60.0
GONE = {"end": "", "gone": 1}


def ask(state: str, message: m.Poll) -> dict[str, Any]:
    """The answer to a `Poll`."""
    argv = [state if word == "{state}" else str(word) for word in message.argv]
    told: dict[str, Any] = {"code": 0, "out": "", "err": ""}
    if argv:
        told = _answer(state, argv, message.age / 1000)
    told["age"] = round(time.time() - told.get("at", time.time()), 3)
    told["jobs"] = {}
    now = _now(state) if message.keys else 0.0
    for key in map(str, message.keys):
        place = jobs.home(state, key)
        told["jobs"][key] = jobs.standing(place, now) if os.path.isdir(place) else GONE
    return told


def _now(state: str) -> float:
    """The time by the clock of the file server, which is what a heartbeat is compared with."""
    probe = os.path.join(state, "jobs", ".probe")
    os.makedirs(os.path.dirname(probe), mode=0o700, exist_ok=True)
    with open(probe, "w", encoding="utf-8"):
        os.utime(probe)
    return os.stat(probe).st_mtime


def _answer(state: str, argv: list[str], age: float) -> dict[str, Any]:
    from hashlib import blake2b

    if age <= 0:  # of interest to nobody else
        code, out, err = jobs.command(argv, LONGEST_S)
        return {"code": code, "out": out, "err": err}
    folder = os.path.join(state, "polls")
    os.makedirs(folder, mode=0o700, exist_ok=True)
    name = blake2b("\0".join(argv).encode(), digest_size=12).hexdigest()
    path = os.path.join(folder, name)
    lock = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)  # who comes second gets what the first one was told
        kept = read_json(path)
        if kept is not None and 0 <= time.time() - kept["at"] < age:
            return kept
        code, out, err = jobs.command(argv, LONGEST_S)
        told = {"at": time.time(), "code": code, "out": out, "err": err}
        write_json(path, told)
        return told
    finally:
        os.close(lock)


def settle_all(state: str, run_id: str, verdicts: dict[str, Any]) -> dict[str, Any]:
    """Writes the ends that are told into the log of a run, or into those of its tasks; returns its record.

    Args:
        verdicts: state, exit code and reason, by task.
    """
    run = RunDir(state, run_id)
    record = run.record() or {}
    job = record.get("job") or {}
    for task, told in verdicts.items():
        there = jobs.home(state, f"{job.get('key')}/tasks/{task}") if task else state
        place = there if task else jobs.home(state, str(job.get("key")))
        at = _ended(place)
        # Nobody will take what waits for it, and values given in secret are in there.
        Mailbox(place).withdraw(lambda request: True)
        log = RunDir(there, run_id)
        if task and not os.path.isdir(log.path):  # it never ran
            log.create({"id": run_id, "state": "queued"}, b"")
        settle(log, str(told["state"]), int(told["exit_code"]), told.get("reason"), at)
        if os.path.isdir(place):
            jobs.note_end(place, f"{told['exit_code']}\n{told.get('reason')}\n")
    if job.get("tasks") and record.get("state") not in FINAL_STATES:
        from .collect import Collector

        collector = Collector(state, run)
        collector.step()
        collector.close()
    return run.whole_record() or {}


def _ended(place: str) -> float | None:
    """When a job was last heard of, seconds since the epoch."""
    for name in ("end", "beat"):
        try:
            return os.stat(os.path.join(place, name)).st_mtime
        except OSError:
            pass
    return None
