"""One run while its supervisor has it: its record, its log, its deadlines.

Keeps the state machine ``queued -> starting -> running -> finished | failed | stopped``; knows no process.
"""

from __future__ import annotations

import time

from .rundir import LogWriter, RunDir

TYPE_CHECKING = False  # as in typing, without the 5 ms of importing it
if TYPE_CHECKING:
    from typing import Any


class ActiveRun:
    """A run that has not ended.

    Args:
        folder: its directory, already made.
        record: its record, as written there.
        code: what to run.
        secrets: variables for the process that are never written down.
    """

    def __init__(self, folder: RunDir, record: dict[str, Any], code: bytes, secrets: dict[str, str]) -> None:
        self.id = folder.id
        self.folder = folder
        self.record = record
        self.code = code
        self.secrets = secrets
        self.stopping = False
        self.reason: str | None = None
        self.deadline: float | None = None
        self.full: OSError | None = None
        self._log = LogWriter(folder)

    @property
    def seq(self) -> int:
        """Number of the newest event."""
        return self._log.seq

    @property
    def state(self) -> str:
        """Where it stands."""
        return str(self.record["state"])

    def enter(self, state: str, **facts: Any) -> None:
        """Goes on to ``starting`` or ``running``."""
        self.record.update(facts, state=state)
        if state == "running":
            self.record["started"] = time.time()
            if self.record.get("timeout"):
                self.deadline = time.monotonic() + self.record["timeout"]
        self._write(lambda: self.folder.write_record(self.record))
        self.event({"kind": "state", "state": state})

    def output(self, kind: str, data: bytes) -> None:
        """Appends printed bytes."""
        self._write(lambda: self._log.output(kind, data))

    def event(self, event: dict[str, Any]) -> None:
        """Appends an event."""
        self._write(lambda: self._log.event(event))

    def end(self, state: str, exit_code: int) -> None:
        """Writes the last event and the last record."""
        now = time.time()
        self._log.release_reserve()
        seconds = round(now - self.record.get("started", now), 6)
        self.record.update(state=state, exit_code=exit_code, ended=now, seconds=seconds)
        if self.reason:
            self.record["reason"] = self.reason
        last = {"kind": "end", "state": state, "exit_code": exit_code, "seconds": seconds}
        if self.reason:
            last["reason"] = self.reason
        self._write(lambda: self._log.event(last))
        self._write(lambda: self.folder.write_record(self.record))
        self._log.close()

    def _write(self, action: Any) -> None:
        # A full disk must not kill the supervisor: it ends the run and says why (see Supervisor).
        try:
            action()
        except OSError as error:
            if self.full is None:
                self.full = error
                self.reason = f"the log could not be written: {error.strerror} ({self.folder.path})"
                self._log.release_reserve()
