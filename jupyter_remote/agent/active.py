"""One run while its supervisor has it: its record, its log, its deadline.

Keeps the states ``queued -> starting -> running -> finished | failed | stopped``; knows no process.
"""

from __future__ import annotations

import os
import time

from .logwriter import LogWriter
from .rundir import RunDir

TYPE_CHECKING = False  # as in typing, without the 5 ms of importing it
if TYPE_CHECKING:
    from typing import Any, Callable


class ActiveRun:
    """A run that has not ended.

    Args:
        folder: its directory, not made yet.
        record: what ``run.json`` shall say.
        code: what to run.
        secrets: variables for the process that are never written down.
        make_room: gives back what was set aside for the end of a log on a full disk.
        cap: how many bytes its log may take, None for any number.
        posted: an agent has made the directory already, for a session that was not there yet.
    """

    def __init__(
        self,
        folder: RunDir,
        record: dict[str, Any],
        code: bytes,
        secrets: dict[str, str],
        make_room: Callable[[], None],
        cap: int | None = None,
        posted: bool = False,
    ) -> None:
        self.id = folder.id
        self.folder = folder
        self.record = record
        self.code = code
        self.secrets = secrets
        self.stopping = False
        self.timed_out = False
        self.reason: str | None = None
        self.left: dict[str, Any] | None = None
        self.deadline: float | None = None
        self.full: OSError | None = None
        self.question: int | None = None  # what its code has asked and nobody has answered
        self.kills: dict[str, int] = {}
        self._began: float | None = None
        self._unwritten = 0
        self._cap = cap
        self._posted = posted
        self._flushed = 0
        self._make_room = make_room
        self._log: LogWriter | None = None

    def create(self) -> None:
        """Makes the directory, with the record as it is now.

        Raises:
            FileExistsError: this run was started before.
            OSError: it could not be written.
        """
        try:
            self.folder.create(self.record, self.code)
        except FileExistsError:
            if not self._posted or os.path.exists(self.folder.events_path):
                raise
            self.folder.write_record(self.record)
        self._log = LogWriter(self.folder, self._cap)
        if self.state != "queued":
            self._tell()

    @property
    def seq(self) -> int:
        """Number of the newest event."""
        return 0 if self._log is None else self._log.seq

    @property
    def state(self) -> str:
        """Where it stands."""
        return str(self.record["state"])

    def enter(self, state: str, **facts: Any) -> None:
        """Goes on to ``starting`` or ``running``; before :meth:`create`, only in the record to be."""
        self.record.update(facts, state=state)
        self.record.pop("waits", None)
        if state == "running":
            self.record["started"] = time.time()
            self._began = time.monotonic()
        if self.record.get("timeout"):  # counted for itself: until it runs, and then from there
            self.deadline = time.monotonic() + self.record["timeout"]
        if self._log is not None:
            self._write(self._save)
            self._tell()

    def waits(self, reason: str) -> None:
        """Notes what it waits for before it can start.

        Args:
            reason: for the user, in a line.
        """
        self.record["waits"] = reason
        self._write(self._save)
        self.event({"kind": "state", "state": self.state, "reason": reason})

    def output(self, kind: str, data: bytes) -> None:
        """Appends printed bytes; once the disk is full no more of them, what room there is is the end's."""
        log = self._log
        assert log is not None
        before = log.at
        if self.full is None:
            self._write(lambda: log.output(kind, data))
        self._unwritten += len(data) - (log.at - before)

    def event(self, event: dict[str, Any]) -> None:
        """Appends an event."""
        log = self._log
        assert log is not None
        self._write(lambda: log.event(event))

    def happened(self, event: dict[str, Any]) -> None:
        """Appends an event of the worker's."""
        if event["kind"] == "input_request":
            self.question = event.get("request")
        elif event["kind"] == "input_reply":
            if event.get("request") != self.question:
                return  # answered in the moment it was withdrawn
            self.question = None
        self.event(event)

    def answered(self, request: int, how: str) -> bool:
        """Notes that a question has its answer, not which; False when it has one already.

        Args:
            how: ``text``, or what came instead of one.
        """
        if request != self.question:
            return False
        self.happened({"kind": "input_reply", "request": request, "how": how})
        return True

    def end(self, state: str, exit_code: int) -> None:
        """Appends the last event; the caller tells the viewers, then calls :meth:`close`.

        Args:
            exit_code: of the cell or program.
        """
        # By the one clock that nobody sets; "started" and "ended" are for people.
        seconds = round(time.monotonic() - self._began, 6) if self._began is not None else 0.0
        now = time.time()
        self.record.update(state=state, exit_code=exit_code, ended=now, seconds=seconds)
        last = {"kind": "end", "state": state, "exit_code": exit_code, "seconds": seconds, "ended": now}
        for key in ("started", "used", "in_env"):
            if self.record.get(key):
                last[key] = self.record[key]
        if self._unwritten:
            self.reason = f"{self.reason}; {self._unwritten} bytes of its output are missing"
        if self.reason:
            self.record["reason"] = last["reason"] = self.reason
        if self.left is not None:
            self.record["left"] = last["left"] = self.left
        if self._log is not None and self._log.left_out:
            self.record["left_out"] = last["left_out"] = self._log.left_out
        self.event(last)

    def close(self) -> None:
        """Writes the last record and closes the log."""
        self._write(self._save)
        if self._log is not None:
            self._log.close()

    def abandon(self) -> None:
        """Leaves the log without an end, for whoever knows why the run was ended."""
        self.event({"kind": "job", "signal": "TERM"})

    @property
    def unflushed(self) -> bool:
        """Whether there is something that other machines may not see."""
        return self.seq != self._flushed

    def flush(self) -> bool:
        """Brings the log to its file server; returns whether there was something to bring."""
        if self._log is None or not self.unflushed:
            return False
        self._flushed = self.seq
        self._write(self._log.flush)
        return True

    def _tell(self) -> None:
        self.event({"kind": "state", "state": self.state})

    def _save(self) -> None:
        self.folder.write_record(self.record)

    def _write(self, action: Callable[[], None]) -> None:
        # A full disk must not kill the supervisor: it ends the run and says why.
        try:
            action()
        except OSError as error:
            if self.full is None:
                self.full = error
                self.reason = f"the log could not be written: {error.strerror} ({self.folder.path})"
                self._make_room()
