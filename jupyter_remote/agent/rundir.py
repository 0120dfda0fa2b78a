"""A run is a directory, and its log is the truth: the only module that knows the names in it.

``run.json`` what, when, where, state, exit; ``code`` what was run; ``output.log`` what it printed;
``events.jsonl`` one line an event: ``seq``, ``t`` (seconds since the epoch), ``kind``, and for output
``at`` and ``n`` (where in what was printed); ``blobs/`` displays too large for a line; ``variables`` those
that were asked for, until a client has them; ``notes.jsonl`` what was learned of the run by others than its
supervisor. A log over its cap goes on in pairs ``events.tail.N`` and ``output.tail.N``, of which only the
last few are kept. Who writes (``logwriter``) appends before anybody is told; who reads may come back at any
``seq``. No processes and no sockets here.
"""

from __future__ import annotations

import json
import os
import re

from .paths import read_json, write_json

TYPE_CHECKING = False  # as in typing, without the 5 ms of importing it
if TYPE_CHECKING:
    from typing import Any

OUTPUT_KINDS = ("stdout", "stderr")
FINAL_STATES = ("finished", "failed", "stopped", "lost")
# The kind of a run that is one answer to a front end, and no run to the user.
CALLBACK = "callback"
RUN_ID = re.compile(r"\d{8}-\d{6}-[0-9a-f]{4,16}")
LARGEST_LINE = 1 << 15
WRITE = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
READ = os.O_RDONLY | os.O_CLOEXEC
# No line that joins two parts of a log is longer.
MARKER = 200
TAIL = "events.tail."


class RunDir:
    """The names inside one run's directory.

    Args:
        state: the state folder of the host.
        run_id: as in ``20261122-014500-7f3a``.
        place: ``runs``, or ``trash`` for one that was deleted.
        path: the directory itself, where it is in no state folder.

    Raises:
        ValueError: not a run id (it becomes a path, so it is checked).
    """

    def __init__(self, state: str, run_id: str, place: str = "runs", path: str = "") -> None:
        if not RUN_ID.fullmatch(run_id):
            raise ValueError(f"{run_id!r} is not the id of a run")
        self.id = run_id
        self.path = path or os.path.join(state, place, run_id)
        self.record_path = os.path.join(self.path, "run.json")
        self.code_path = os.path.join(self.path, "code")
        self.output_path = os.path.join(self.path, "output.log")
        self.events_path = os.path.join(self.path, "events.jsonl")
        self.blobs_path = os.path.join(self.path, "blobs")
        self.variables_path = os.path.join(self.path, "variables")
        self.ranks_path = os.path.join(self.path, "ranks")
        self.notes_path = os.path.join(self.path, "notes.jsonl")

    def tail_paths(self, number: int) -> tuple[str, str]:
        """Events and output of that part of the tail, counted from 1."""
        events, output = (
            os.path.join(self.path, f"{name}.tail.{number:06d}") for name in ("events", "output")
        )
        return events, output

    def tail(self) -> list[int]:
        """The numbers of the tail's parts that are there, in order; none while the log is below its cap."""
        names = (
            name.rpartition("events.tail.")[2] for name in os.listdir(self.path) if "events.tail." in name
        )
        return sorted(int(number) for number in names if number.isdigit())

    def create(self, record: dict[str, Any], code: bytes) -> None:
        """Makes the directory with its first record.

        Making a file costs half a millisecond on a disk, several times what a small cell takes, so there
        is none that isn't needed: `output.log` comes with the first output.

        Raises:
            FileExistsError: this run was started before.
        """
        os.makedirs(os.path.dirname(self.path), mode=0o700, exist_ok=True)
        os.mkdir(self.path, 0o700)
        for path, content in ((self.code_path, code), (self.record_path, json.dumps(record).encode())):
            fd = os.open(path, WRITE, 0o600)
            try:
                write_all(fd, content)
            finally:
                os.close(fd)

    def keep_script(self, name: str, text: bytes) -> str:
        """Saves the code under the name the user gave it and returns its path."""
        folder = os.path.join(self.path, "script")
        os.makedirs(folder, mode=0o700, exist_ok=True)
        path = os.path.join(folder, os.path.basename(name))
        with open(path, "wb") as file:
            file.write(text)
        return path

    def last_events(self) -> str:
        """The file that the newest events are in."""
        parts = self.tail()
        return self.tail_paths(parts[-1])[0] if parts else self.events_path

    def newest(self) -> int:
        """The number of the newest event, 0 when there is none; asks a file server, not its cache."""
        try:
            fd = os.open(self.last_events(), READ)
        except OSError:
            return 0
        try:
            return int(last_event(fd)[0].get("seq", 0))
        finally:
            os.close(fd)

    def write_record(self, record: dict[str, Any]) -> None:
        """Replaces ``run.json``."""
        write_json(self.record_path, record)

    def record(self) -> dict[str, Any] | None:
        """What ``run.json`` says, None when there is no such run."""
        return read_json(self.record_path)

    def note(self, facts: dict[str, Any]) -> None:
        """Adds what was learned of the run; several may do it, because each appends one line.

        Raises:
            OSError: there is no such run, or a full disk.
        """
        fd = os.open(self.notes_path, WRITE, 0o600)
        try:
            write_all(fd, json.dumps(facts).encode("ascii") + b"\n")
        finally:
            os.close(fd)

    def whole_record(self) -> dict[str, Any] | None:
        """``run.json`` with what was learned later, None when there is no such run."""
        record = self.record()
        if record is None:
            return None
        try:
            with open(self.notes_path, "rb") as file:
                lines = file.read().splitlines()
        except OSError:
            return record
        for line in lines:
            try:
                record.update(json.loads(line))
            except ValueError:
                pass  # torn by a full disk
        return record


def last_event(fd: int) -> tuple[dict[str, Any], int]:
    """The last whole line of an events file, and how many bytes of half a line follow it."""
    size = os.fstat(fd).st_size
    for window in (1 << 12, 1 << 19):
        end = os.pread(fd, window, max(size - window, 0))
        whole, _, torn = end.rpartition(b"\n")
        line = whole.rpartition(b"\n")
        if line[1] or window >= size:
            return (json.loads(line[2]) if line[2] else {}), len(torn)
    return {}, 0


def write_all(fd: int, data: bytes) -> None:
    """Writes all of it.

    Raises:
        OSError: a full disk.
    """
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def write_blob(folder: str, content: bytes) -> str:
    """Keeps a large piece as a file of its own and returns its name, which its content gives."""
    from hashlib import blake2b

    name = blake2b(content, digest_size=16).hexdigest()
    path = os.path.join(folder, name)
    if not os.path.exists(path):
        os.makedirs(folder, mode=0o700, exist_ok=True)
        staged = f"{path}.{os.getpid()}.tmp"
        with open(staged, "wb") as file:
            file.write(content)
        os.replace(staged, path)
    return name


class LogReader:
    """Reads events after ``seq`` in batches, while they are being written or long afterwards.

    Where the log has lost its middle to its cap there comes one event of kind ``gap``: ``events`` and
    ``bytes`` say how many events and printed bytes were left out there.

    Args:
        run: whose log.
        seq: the last event that the reader has.
        printed: how many printed bytes, gaps included, it has; without it a gap that begins between two parts
            of the log is told as ``about`` so many bytes.
    """

    def __init__(self, run: RunDir, seq: int = 0, printed: int | None = None) -> None:
        self._run = run
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
            if last and event["kind"] == last["kind"] and event["kind"] in OUTPUT_KINDS:
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
