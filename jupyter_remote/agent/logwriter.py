"""Writes the log of one run, and keeps it below a cap: head and tail stay, the middle is given up.

The first half of the cap is the head and stays as it is. What comes later goes into parts of a sixteenth
each, events and output apart, of which the last eight are kept. A part ends with a line ``next``, and begins
with a line ``tail`` that says how many events and printed bytes came before it. How that is read back, and
the names of the files, are in ``rundir``.
"""

from __future__ import annotations

import errno
import json
import os
import time
from collections import deque

from .rundir import WRITE, RunDir

TYPE_CHECKING = False  # as in typing, without the 5 ms of importing it
if TYPE_CHECKING:
    from typing import Any

PARTS = 8


class _Part:
    """One part of the log that is kept.

    Args:
        number: 0 for the head.
        at: the first printed byte in it.
    """

    def __init__(self, number: int, at: int) -> None:
        self.number = number
        self.at = at
        self.blobs: list[str] = []


class LogWriter:
    """Appends to the log of one run; only its supervisor does.

    Args:
        run: whose log.
        cap: how many bytes it may take, None for any number.
    """

    def __init__(self, run: RunDir, cap: int | None = None) -> None:
        self._run = run
        self._cap = cap
        self._room = cap // 2 if cap else 0
        self._output: int | None = None
        self._events = os.open(run.events_path, WRITE, 0o600)
        self._head = _Part(0, 0)
        self._tail: deque[_Part] = deque()
        self._last = self._head
        self._head_end = 0
        self._uses: dict[str, int] = {}
        self.at = 0
        self.seq = 0

    @property
    def left_out(self) -> int:
        """How many printed bytes were given up."""
        return self._tail[0].at - self._head_end if self._tail else 0

    def output(self, kind: str, data: bytes) -> None:
        """Appends printed bytes (``kind``: stdout or stderr).

        Raises:
            OSError: it could not be written (a full disk); what was written stays accounted for.
        """
        if not self._cap:
            self._print(kind, data)
            return
        view = memoryview(data)
        while view:
            if self._room <= 0:
                self._turn()
            piece = view[: self._room]
            self._print(kind, piece)
            self._room -= len(piece)
            view = view[len(piece) :]

    def event(self, event: dict[str, Any]) -> None:
        """Appends any other event: ``kind`` and what belongs to it.

        Raises:
            OSError: it could not be written (a full disk).
        """
        # The end needs no part of its own, which a full disk might not have room for.
        if self._cap and self._room <= 0 and event["kind"] != "end":
            self._turn()
        self._append(event)
        if self._cap and "blob" in event:
            self._last.blobs.append(event["blob"])
            self._uses[event["blob"]] = self._uses.get(event["blob"], 0) + 1
            self._room -= event["n"]

    def flush(self) -> None:
        """Brings it to where readers on other machines see it.

        That is what closing does on a network file system; on a disk it does nothing, where syncing would
        take a tenth of a second.

        Raises:
            OSError: it could not be written.
        """
        for fd in (self._output, self._events):
            if fd is not None:
                os.close(os.dup(fd))

    def close(self) -> None:
        """No more events."""
        if self._output is not None:
            os.close(self._output)
        os.close(self._events)

    def _print(self, kind: str, data: bytes | memoryview) -> None:
        if self._output is None:
            self._output = os.open(self._run.output_path, WRITE, 0o600)
        written = 0
        try:
            while written < len(data):
                written += os.write(self._output, data[written:] if written else data)
        finally:
            if written:
                self._append({"kind": kind, "at": self.at, "n": written})
                self.at += written

    def _append(self, event: dict[str, Any]) -> None:
        line = json.dumps(dict(seq=self.seq + 1, t=round(time.time(), 6), **event), separators=(",", ":"))
        self._write(self._events, line)
        self._room -= len(line) + 1
        self.seq += 1

    def _write(self, fd: int, line: str) -> None:
        data = line.encode("ascii") + b"\n"
        written = os.write(fd, data)
        if written < len(data):
            # Half a line would spoil the log for every later event: take it back.
            os.ftruncate(fd, os.fstat(fd).st_size - written)
            raise OSError(errno.ENOSPC, "no space left for the log", self._run.events_path)

    # The cap.

    def _turn(self) -> None:
        """Goes on in a new part; a reader finds it through the last line of the one before."""
        assert self._cap is not None
        part = _Part(self._last.number + 1, self.at)
        paths = self._run.tail_paths(part.number)
        fds = []
        try:
            for path in paths:
                fds.append(os.open(path, WRITE, 0o600))
            where = {"seq": self.seq, "at": self.at}
            self._write(fds[0], json.dumps({"kind": "tail", **where, "t": round(time.time(), 6)}))
            end = {"kind": "next", **where, "next": part.number}
            self._write(self._events, json.dumps(end, separators=(",", ":")))
        except OSError:
            for fd, path in zip(fds, paths):
                os.close(fd)
                os.unlink(path)
            raise
        self.close()
        self._events, self._output = fds
        self._room = max(self._cap // (2 * PARTS), 1)
        if self._last is self._head:
            self._head_end = self.at
        self._last = part
        self._tail.append(part)
        while len(self._tail) > PARTS:
            self._give_up(self._tail.popleft())

    def _give_up(self, part: _Part) -> None:
        for path in self._run.tail_paths(part.number):
            os.unlink(path)
        for name in part.blobs:
            self._uses[name] -= 1
            if not self._uses[name]:
                del self._uses[name]
                try:
                    os.unlink(os.path.join(self._run.blobs_path, name))
                except FileNotFoundError:
                    pass  # the user's code has removed it
