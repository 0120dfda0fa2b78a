"""A run is a directory, and its log is the truth: the only module that knows the names in it.

``run.json`` what, when, where, state, exit; ``code`` what was run; ``output.log`` what it printed;
``events.jsonl`` one line an event: ``seq``, ``t`` (seconds since the epoch), ``kind``, and for output
``at`` and ``n`` (where in ``output.log``); ``blobs/`` displays too large for a line; ``variables`` those that
were asked for, until a client has them. Who writes appends
before anybody is told; who reads may come back at any ``seq``. No processes and no sockets here.
"""

from __future__ import annotations

import errno
import json
import os
import re
import time

from .paths import read_json, write_json

TYPE_CHECKING = False  # as in typing, without the 5 ms of importing it
if TYPE_CHECKING:
    from typing import Any

OUTPUT_KINDS = ("stdout", "stderr")
FINAL_STATES = ("finished", "failed", "stopped", "lost")
RUN_ID = re.compile(r"\d{8}-\d{6}-[0-9a-f]{4,16}")
LARGEST_LINE = 1 << 15
WRITE = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC


class RunDir:
    """The names inside one run's directory.

    Args:
        state: the state folder of the host.
        run_id: as in ``20261122-014500-7f3a``.

    Raises:
        ValueError: not a run id (it becomes a path, so it is checked).
    """

    def __init__(self, state: str, run_id: str) -> None:
        if not RUN_ID.fullmatch(run_id):
            raise ValueError(f"{run_id!r} is not the id of a run")
        self.id = run_id
        self.path = os.path.join(state, "runs", run_id)
        self.record_path = os.path.join(self.path, "run.json")
        self.code_path = os.path.join(self.path, "code")
        self.output_path = os.path.join(self.path, "output.log")
        self.events_path = os.path.join(self.path, "events.jsonl")
        self.blobs_path = os.path.join(self.path, "blobs")
        self.variables_path = os.path.join(self.path, "variables")

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

    def write_record(self, record: dict[str, Any]) -> None:
        """Replaces ``run.json``."""
        write_json(self.record_path, record)

    def record(self) -> dict[str, Any] | None:
        """What ``run.json`` says, None when there is no such run."""
        return read_json(self.record_path)


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


class LogWriter:
    """Appends to the log of one run; only its supervisor does."""

    def __init__(self, run: RunDir) -> None:
        self._run = run
        self._output: int | None = None
        self._events = os.open(run.events_path, WRITE, 0o600)
        self._at = 0
        self.seq = 0

    def output(self, kind: str, data: bytes) -> None:
        """Appends printed bytes (``kind``: stdout or stderr).

        Raises:
            OSError: it could not be written (a full disk); what was written stays accounted for.
        """
        if self._output is None:
            self._output = os.open(self._run.output_path, WRITE, 0o600)
        written = 0
        try:
            while written < len(data):
                written += os.write(self._output, data[written:] if written else data)
        finally:
            if written:
                self._append({"kind": kind, "at": self._at, "n": written})
                self._at += written

    def event(self, event: dict[str, Any]) -> None:
        """Appends any other event: ``kind`` and what belongs to it.

        Raises:
            OSError: it could not be written (a full disk).
        """
        self._append(event)

    def close(self) -> None:
        """No more events."""
        if self._output is not None:
            os.close(self._output)
        os.close(self._events)

    def _append(self, event: dict[str, Any]) -> None:
        line = json.dumps(dict(seq=self.seq + 1, t=round(time.time(), 6), **event), separators=(",", ":"))
        data = line.encode("ascii") + b"\n"
        written = os.write(self._events, data)
        if written < len(data):
            # Half a line would spoil the log for every later event: take it back.
            os.ftruncate(self._events, os.fstat(self._events).st_size - written)
            raise OSError(errno.ENOSPC, "no space left for the log", self._run.events_path)
        self.seq += 1


class LogReader:
    """Reads events after ``seq`` in batches, while they are being written or long afterwards."""

    def __init__(self, run: RunDir, seq: int = 0) -> None:
        self._run = run
        self._seq = seq
        self._lines: list[bytes] = []
        self._rest = b""
        self._parts: list[tuple[dict[str, Any], bytes]] = []
        self._events: int | None = None
        self._output: int | None = None
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
        while room > 0 and lines < LARGEST_LINE and not self.ended:
            if self._parts:
                event, piece = self._parts.pop(0)
            else:
                taken = self._next(room, bool(events))
                if taken is None:
                    break
                event, piece = taken
            last = events[-1] if events else None
            if last and event["kind"] == last["kind"] and event["kind"] in OUTPUT_KINDS:
                last["n"] += event["n"]
                last["seq"] = event["seq"]
            else:
                events.append(event)
                lines += 64 if "n" in event else len(json.dumps(event))
            pieces.append(piece)
            room -= len(piece)
            self.ended = event["kind"] == "end"
        return events, b"".join(pieces)

    def _next(self, room: int, started: bool) -> tuple[dict[str, Any], bytes] | None:
        while True:
            if not self._lines and not self._fill():
                return None
            event = json.loads(self._lines[-1])
            if event["seq"] > self._seq:
                break
            self._lines.pop()
        size = event.get("n", 0)
        if size > room and started:
            return None  # it fits a batch of its own better
        self._lines.pop()
        self._seq = event["seq"]
        if event["kind"] in OUTPUT_KINDS:
            return self._cut(event, self._printed(event.pop("at"), size), room)
        if "blob" in event:
            with open(os.path.join(self._run.blobs_path, event.pop("blob")), "rb") as file:
                return self._cut(event, file.read(), room)
        return event, b""

    def _cut(self, event: dict[str, Any], content: bytes, room: int) -> tuple[dict[str, Any], bytes]:
        # All parts but the last say `more`; a viewer that resumes counts a seq when it has all of it.
        pieces = [content[at : at + room] for at in range(0, len(content), room)] or [b""]
        parts = [(dict(event, n=len(piece), more=1), piece) for piece in pieces]
        del parts[-1][0]["more"]
        self._parts = parts[1:]
        return parts[0]

    def _printed(self, at: int, size: int) -> bytes:
        if self._output is None:
            self._output = os.open(self._run.output_path, os.O_RDONLY | os.O_CLOEXEC)
        return os.pread(self._output, size, at)

    def _fill(self) -> bool:
        if self._events is None:
            try:
                self._events = os.open(self._run.events_path, os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:
                return False
        while not self._lines:
            data = os.read(self._events, 1 << 16)
            if not data:
                return False
            lines = (self._rest + data).split(b"\n")
            self._rest = lines.pop()
            self._lines = lines[::-1]
        return True
