"""Reads the log of a run (``rundir.py`` says what it is), while it is being written or long afterwards."""

from __future__ import annotations

import json
import os

from .rundir import LARGEST_LINE, OUTPUT_KINDS, READ, RunDir

TYPE_CHECKING = False  # as in typing, without the 5 ms of importing it
if TYPE_CHECKING:
    from typing import Any

# No line that joins two parts of a log is longer.
MARKER = 200


class LogReader:
    """Reads events after ``seq`` in batches, while they are being written or long afterwards.

    Where the log has lost its middle to its cap there comes one event of kind ``gap``: ``events`` and
    ``bytes`` say how many events and printed bytes were left out there.

    Args:
        run: whose log.
        seq: the last event that the reader has.
        printed: how many printed bytes, gaps included, it has; without it a gap that begins between two parts
            of the log is told as ``about`` so many bytes.
        place: the :attr:`place` of a reader before this one, which had taken the events up to ``seq``: then
            what is before it is not read again.
        joins: whether output that follows on itself is joined.
    """

    def __init__(
        self,
        run: RunDir,
        seq: int = 0,
        printed: int | None = None,
        place: tuple[int, int] | None = None,
        joins: bool = True,
    ) -> None:
        self._run = run
        self._place = place
        self._joins = joins
        self._seq = seq
        self._printed = printed
        self._lines: list[bytes] = []
        self._rest = b""
        self._parts: list[tuple[dict[str, Any], bytes]] = []
        self._events: int | None = None
        self._output: int | None = None
        self._number = 0
        self._start = 0
        self.ended = False

    @property
    def seq(self) -> int:
        """Everything up to here has been handed out."""
        return self._seq

    @property
    def within(self) -> bool:
        """Whether an event was handed out in parts, and not all of them yet."""
        return bool(self._parts)

    @property
    def place(self) -> tuple[int, int] | None:
        """Part of the log and byte in its events at which the next event is; None within an event."""
        if self._events is None or self._parts:
            return None
        unread = len(self._rest) + sum(len(line) + 1 for line in self._lines)
        return self._number, os.lseek(self._events, 0, os.SEEK_CUR) - unread

    def close(self) -> None:
        """Closes the files."""
        for fd in (self._events, self._output):
            if fd is not None:
                os.close(fd)
        self._events = self._output = None

    def batch(self, limit: int) -> tuple[list[dict[str, Any]], bytes]:
        """The next events and the bytes they own, ``limit`` bytes of payload at most.

        Output of one kind that follows on itself is joined into one event, which carries the last
        ``seq``. An empty list means that nothing more is there now.
        """
        events: list[dict[str, Any]] = []
        pieces: list[bytes] = []
        room = limit
        lines = 0
        whole = False
        while room > 0 and lines < LARGEST_LINE and not self.ended:
            part = bool(self._parts)
            if part:
                event, piece = self._parts.pop(0)
            else:
                taken = self._next(room, bool(events))
                if taken is None:
                    break
                event, piece = taken
            # The last part of an event is known by its own `seq`, so nothing is joined to it.
            last = events[-1] if whole else None
            if last and self._joins and event["kind"] == last["kind"] and event["kind"] in OUTPUT_KINDS:
                last["n"] += event["n"]
                last["seq"] = event["seq"]
                if "more" not in event:
                    last.pop("more", None)
            else:
                events.append(event)
                lines += 64 if "n" in event else len(json.dumps(event))
            whole = not part
            pieces.append(piece)
            room -= len(piece)
            self.ended = event["kind"] == "end"
        return events, b"".join(pieces)

    def _next(self, room: int, started: bool) -> tuple[dict[str, Any], bytes] | None:
        while True:
            if not self._lines and not self._fill():
                return None
            event = json.loads(self._lines[-1])
            if event["kind"] == "next":
                if not self._turn(event):
                    return None
                if self._parts:
                    return self._parts.pop(0)
            elif event["kind"] == "tail" or event["seq"] <= self._seq:
                self._lines.pop()
            else:
                break
        size = event.get("n", 0)
        if size > room and started:
            return None  # it fits a batch of its own better
        self._lines.pop()
        self._seq = event["seq"]
        if event["kind"] in OUTPUT_KINDS:
            return self._cut(event, self._content(event.pop("at"), size), room)
        if "blob" in event:
            try:
                with open(os.path.join(self._run.blobs_path, event.pop("blob")), "rb") as file:
                    return self._cut(event, file.read(), room)
            except FileNotFoundError:  # its part of the tail was given up while we read it
                return {"seq": event["seq"], "t": event["t"], "kind": "gap", "events": 1, "bytes": 0}, b""
        return event, b""

    def _cut(self, event: dict[str, Any], content: bytes, room: int) -> tuple[dict[str, Any], bytes]:
        # All parts but the last say `more`; a viewer that resumes counts a seq when it has all of it.
        pieces = [content[at : at + room] for at in range(0, len(content), room)] or [b""]
        parts = [(dict(event, n=len(piece), more=1), piece) for piece in pieces]
        del parts[-1][0]["more"]
        self._parts = parts[1:]
        return parts[0]

    def _content(self, at: int, size: int) -> bytes:
        if self._output is None:
            self._output = os.open(self._run.output_path, READ)
        return os.pread(self._output, size, at - self._start)

    def _fill(self) -> bool:
        if self._events is None and not self._open_first():
            return False
        assert self._events is not None
        while not self._lines:
            data = os.read(self._events, 1 << 16)
            if not data:
                return False
            lines = (self._rest + data).split(b"\n")
            self._rest = lines.pop()
            self._lines = lines[::-1]
        return True

    # Parts of the log.

    def _open_first(self) -> bool:
        if self._place is not None and self._go_to(*self._place):
            return True
        # Who comes back late is not made to wait while everything before is read again.
        if self._seq:
            for number in reversed(self._run.tail() if os.path.isdir(self._run.path) else []):
                if self._open(number, self._seq) is not None:
                    return True
        try:
            self._events = os.open(self._run.events_path, READ)
        except FileNotFoundError:
            return False
        size = os.fstat(self._events).st_size
        last = os.pread(self._events, MARKER, max(size - MARKER, 0)).rstrip(b"\n").rpartition(b"\n")[2]
        if self._seq and last.startswith(b'{"kind":"next"') and json.loads(last)["seq"] <= self._seq:
            self._lines = [last]
        return True

    def _go_to(self, number: int, at: int) -> bool:
        if number:
            if self._open(number) is None:
                return False
        else:
            try:
                self._events = os.open(self._run.events_path, READ)
            except FileNotFoundError:
                return False
        assert self._events is not None
        os.lseek(self._events, at, os.SEEK_SET)
        return True

    def _open(self, number: int, latest: int | None = None) -> dict[str, Any] | None:
        """Goes on to a part of the tail; None when it is gone, or begins after event ``latest``."""
        fds: list[int] = []
        try:
            for path in self._run.tail_paths(number):
                fds.append(os.open(path, READ))
            head: dict[str, Any] = json.loads(os.pread(fds[0], MARKER, 0).partition(b"\n")[0])
        except (FileNotFoundError, ValueError):
            head = {}
        if not head or (latest is not None and head["seq"] > latest):
            for fd in fds:
                os.close(fd)
            return None
        self.close()
        self._events, self._output = fds
        self._number, self._start, self._lines, self._rest = number, head["at"], [], b""
        return head

    def _turn(self, end: dict[str, Any]) -> bool:
        """Goes on behind the end of a part, with a gap when the next one has been given up."""
        numbers = [number for number in self._run.tail() if number >= end["next"]]
        head = next(filter(None, map(self._open, numbers)), None)
        if head is None:
            return False  # all of them were given up while we looked: the next look finds newer ones
        if head["seq"] > self._seq:
            gap = {"seq": head["seq"], "t": head["t"], "kind": "gap", "events": head["seq"] - self._seq}
            inside = self._seq > end["seq"]
            gap["bytes"] = head["at"] - (self._printed if inside and self._printed is not None else end["at"])
            if inside and self._printed is None:
                gap["about"] = 1
            self._parts = [(gap, b"")]
            self._seq = head["seq"]
        return True
