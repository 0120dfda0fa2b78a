"""One log out of those of the tasks of a job: each line with the number of its task before it.

The logs of the tasks are the truth; this one is made of them by whichever agent shows the run, and kept, so
that its events have numbers and every later viewer sees the same. Every line of it says how far its task
was read.
"""

from __future__ import annotations

import fcntl
import json
import os
import threading
import time

from . import jobs
from .logreader import LogReader
from .mailbox import Pace
from .rundir import FINAL_STATES, OUTPUT_KINDS, WRITE, RunDir, write_all
from .settling import settle

TYPE_CHECKING = False  # as in typing, without the 5 ms of importing it
if TYPE_CHECKING:
    from typing import Any

    from .streams import Stream

BATCH = 1 << 17
LONGEST_LINE = 1 << 12
# The state of the whole, by those of the tasks: the first that one of them has.
WORST = ("lost", "failed", "stopped", "finished")


class Collector:
    """Appends to the log of a run what its tasks have logged since.

    Args:
        state: state folder.
        run: the run of all tasks.
    """

    def __init__(self, state: str, run: RunDir) -> None:
        self._run = run
        self._record = run.record() or {}
        job = self._record["job"]
        self._tasks = {t: RunDir(jobs.home(state, f"{job['key']}/tasks/{t}"), run.id) for t in job["tasks"]}
        self._readers: dict[str, LogReader] = {}
        self._rest: dict[tuple[str, str], bytes] = {}
        self._seq = 0
        self._at = 0

    def follow(self, stream: Stream) -> None:
        """Goes on until the run has ended or nobody looks; in a thread of its own."""

        def work() -> None:
            pace = Pace()
            while not stream.cancelled and (self._run.record() or {}).get("state") not in FINAL_STATES:
                self.step(pace)
                time.sleep(pace.left)
            self.close()

        threading.Thread(target=work, daemon=True).start()

    def step(self, pace: Pace | None = None) -> None:
        """Takes what is there now, unless another agent does."""
        lock = os.open(
            os.path.join(self._run.path, ".collecting"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600
        )
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            found = self._collect()
            if pace is not None:
                pace.found() if found else pace.nothing()
        except BlockingIOError:
            if pace is not None:
                pace.nothing()
        finally:
            os.close(lock)

    def close(self) -> None:
        """Lets go of the logs of the tasks."""
        for reader in self._readers.values():
            reader.close()

    def _collect(self) -> bool:
        if self._run.newest() != self._seq or not self._readers:
            self._resume()  # at first, and when another agent has gone on meanwhile
        found = self._begin()
        for task in self._tasks:
            while not self._readers[task].ended:
                events, payload = self._readers[task].batch(BATCH)
                if not events:
                    break
                self._take(task, events, payload)
                found = True
        ends = [r for r in self._records() if r.get("state") in FINAL_STATES]
        if len(ends) == len(self._tasks):
            for (task, kind), rest in sorted(self._rest.items()):
                self._rest[task, kind] = b""
                if rest:
                    self._print(task, kind, rest + b"\n", self._readers[task].seq)
            self._end(ends)
        return found

    def _begin(self) -> bool:
        started = [r["started"] for r in self._records() if r.get("started")]
        if not started or self._record.get("state") != "queued":
            return False
        self._record.update(state="running", started=min(started))
        self._run.write_record(self._record)
        self._event({"kind": "state", "state": "running"})
        return True

    def _records(self) -> list[dict[str, Any]]:
        return [log.record() or {} for log in self._tasks.values()]

    def _resume(self) -> None:
        """Finds out from the log itself how far it is."""
        self.close()
        seen: dict[str, int] = dict.fromkeys(self._tasks, 0)
        self._seq = self._at = 0
        self._rest.clear()
        try:
            with open(self._run.events_path, "rb") as file:
                for line in file:
                    event = json.loads(line)
                    self._seq = event["seq"]
                    if event.get("task") in seen:
                        seen[event["task"]] = event["of"]
                        for kind in OUTPUT_KINDS:
                            self._rest[event["task"], kind] = (
                                event.get("rest", {}).get(kind, "").encode("latin-1")
                            )
                    if event["kind"] in OUTPUT_KINDS:
                        self._at = event["at"] + event["n"]
        except (FileNotFoundError, ValueError):
            pass
        self._readers = {task: LogReader(log, seen[task]) for task, log in self._tasks.items()}

    def _take(self, task: str, events: list[dict[str, Any]], payload: bytes) -> None:
        at = 0
        for event in events:
            piece = payload[at : at + event.get("n", 0)]
            at += len(piece)
            kind = event["kind"]
            if kind in OUTPUT_KINDS:
                text = self._rest.pop((task, kind), b"") + piece
                if len(text) > LONGEST_LINE and b"\n" not in text:
                    text += b"\n"
                # Half a line waits for its other half.
                lines, newline, rest = text.rpartition(b"\n")
                self._rest[task, kind] = rest
                if newline:
                    self._print(task, kind, lines + newline, event["seq"])
            elif kind == "error":
                said = (
                    "\n".join(event.get("traceback") or []) or f"{event.get('ename')}: {event.get('evalue')}"
                )
                self._print(task, "stderr", said.encode("utf-8", "replace") + b"\n", event["seq"])

    def _print(self, task: str, kind: str, text: bytes, of: int) -> None:
        prefix = f"[{task}] ".encode()
        data = b"".join(prefix + line for line in text.splitlines(keepends=True))
        fd = os.open(self._run.output_path, WRITE, 0o600)
        try:
            write_all(fd, data)
        finally:
            os.close(fd)
        event: dict[str, Any] = {"kind": kind, "at": self._at, "n": len(data), "task": task, "of": of}
        rest = {k: self._rest.get((task, k), b"").decode("latin-1") for k in OUTPUT_KINDS}
        self._event(dict(event, rest=rest) if any(rest.values()) else event)
        self._at += len(data)

    def _event(self, event: dict[str, Any]) -> None:
        self._seq += 1
        line = json.dumps(dict(seq=self._seq, t=round(time.time(), 6), **event), separators=(",", ":"))
        fd = os.open(self._run.events_path, WRITE, 0o600)
        try:
            write_all(fd, line.encode("ascii") + b"\n")
        finally:
            os.close(fd)

    def _end(self, ends: list[dict[str, Any]]) -> None:
        worst = next(state for state in WORST if any(end["state"] == state for end in ends))
        code = max(int(end.get("exit_code") or 0) for end in ends)
        bad = [
            f"task {task} {end['state']} with exit code {end.get('exit_code')}"
            + (f" ({end['reason']})" if end.get("reason") else "")
            for task, end in zip(self._tasks, ends)
            if end["state"] != "finished"
        ]
        settle(self._run, worst, code, "; ".join(bad[:5]) + (f" and {len(bad) - 5} more" if bad[5:] else ""))
